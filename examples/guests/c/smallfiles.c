/* smallfiles [DIR [FILES]]: FILES (1000) files of 1 KiB in DIR; each of write, read, stat and unlink over all of them,
 * synchronously. Prints milliseconds, one "name ms" a line. The same source, compiled natively, gives the figure to
 * beat. What was read is compared by words: a libc's memcmp may go byte by byte, which would be most of a read. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 1024 };
static uint64_t content[SIZE / 8], back[SIZE / 8];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void check(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void put(const char *name) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    check(fd >= 0, name);
    check(write(fd, content, SIZE) == SIZE, "write");
    close(fd);
}

static int same(void) {
    uint64_t differs = 0;
    for (unsigned i = 0; i < SIZE / 8; i++)
        differs |= content[i] ^ back[i];
    return differs == 0;
}

static void get(const char *name) {
    int fd = open(name, O_RDONLY);
    check(fd >= 0, name);
    check(read(fd, back, SIZE) == SIZE, "read");
    check(same(), "what was read is not what was written");
    close(fd);
}

static void look(const char *name) {
    struct stat st;
    check(stat(name, &st) == 0 && st.st_size == SIZE, name);
}

static void drop(const char *name) { check(unlink(name) == 0, name); }

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*each)(const char *);
    } steps[] = {{"write", put}, {"read", get}, {"stat", look}, {"unlink", drop}};
    const char *dir = argc > 1 ? argv[1] : ".";
    int files = argc > 2 ? atoi(argv[2]) : 1000;
    double total = 0;
    memset(content, 'k', SIZE);
    for (unsigned s = 0; s < sizeof steps / sizeof *steps; s++) {
        double start = now();
        for (int i = 0; i < files; i++) {
            char name[4096];
            snprintf(name, sizeof name, "%s/small-%d", dir, i);
            steps[s].each(name);
        }
        double ms = now() - start;
        total += ms;
        printf("%s %.3f\n", steps[s].name, ms);
    }
    printf("total %.3f\n", total);
    return 0;
}
