/* Prints what the guest was given, one thing a line: argv, the environment, the working directory. */
#include <stdio.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    char cwd[4096];
    for (int i = 0; i < argc; i++)
        printf("argv[%d]=%s\n", i, argv[i]);
    for (char **e = environ; *e; e++)
        printf("env %s\n", *e);
    printf("cwd=%s\n", getcwd(cwd, sizeof cwd) ? cwd : "?");
    return 0;
}
