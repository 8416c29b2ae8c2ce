/* sleep SECONDS: says that it is awake, sleeps (fractions count), and says so again. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    struct timespec t = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    puts("sleeping");
    fflush(stdout);
    if (nanosleep(&t, NULL) != 0) {
        perror("nanosleep");
        return 1;
    }
    puts("awake");
    return 0;
}
