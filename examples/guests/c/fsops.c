/* fsops [DIR]: what one file operation costs a program. Prints nanoseconds an operation, one "name ns" a line: the
 * fastest of several batches, since anything slower is the machine's noise. The name of the one file that is opened and
 * looked at is made beforehand; those of the files that come and go are not. readdir_5000 is one listing of a directory
 * of 5000 files. The same source, compiled natively and run on tmpfs, gives the figures to beat. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 5, BLOCK = 4096, BLOCKS = 256, CALLS = 20000, FILES = 2000, ENTRIES = 5000 };

/* Aligned: elsewhere the kernel takes a sixth longer to fill it. */
static _Alignas(64) char block[BLOCK];
static const char *dir;
static char data_name[4096];
static int data;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void check(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static const char *path(const char *kind, int n) {
    static char name[4096];
    snprintf(name, sizeof name, "%s/%s-%d", dir, kind, n);
    return name;
}

static void make(const char *kind, int n) {
    int fd = open(path(kind, n), O_WRONLY | O_CREAT | O_EXCL, 0644);
    check(fd >= 0, "create");
    close(fd);
}

static void op_pwrite(int i) { check(pwrite(data, block, BLOCK, (off_t)(i % BLOCKS) * BLOCK) == BLOCK, "pwrite"); }
static void op_pread(int i) { check(pread(data, block, BLOCK, (off_t)(i % BLOCKS) * BLOCK) == BLOCK, "pread"); }

static void op_fstat(int i) {
    struct stat st;
    (void)i;
    check(fstat(data, &st) == 0, "fstat");
}

static void op_stat(int i) {
    struct stat st;
    check(stat(data_name, &st) == 0, "stat");
    (void)i;
}

static void op_open_close(int i) {
    int fd = open(data_name, O_RDONLY);
    check(fd >= 0, "open");
    close(fd);
    (void)i;
}

static void op_create(int i) { make("new", i); }
static void op_unlink(int i) { check(unlink(path("new", i)) == 0, "unlink"); }

static void op_readdir(int i) {
    DIR *d = opendir(path("list", 0));
    int seen = 0;
    check(d != NULL, "opendir");
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        seen += e->d_name[0] != '.';
    closedir(d);
    check(seen == ENTRIES, "readdir");
    (void)i;
}

static double batch(void (*op)(int), int calls) {
    double start = now();
    for (int i = 0; i < calls; i++)
        op(i);
    return (now() - start) / calls;
}

static void measure(const char *name, void (*op)(int), int calls) {
    double best = batch(op, calls);
    for (int b = 1; b < BATCHES; b++) {
        double ns = batch(op, calls);
        if (ns < best)
            best = ns;
    }
    printf("%s %.0f\n", name, best);
}

/* Every batch of creations needs the unlinks in between, so the two are measured together. */
static void measure_create_unlink(void) {
    double create = 0, destroy = 0;
    for (int b = 0; b < BATCHES; b++) {
        double c = batch(op_create, FILES), u = batch(op_unlink, FILES);
        if (b == 0 || c < create)
            create = c;
        if (b == 0 || u < destroy)
            destroy = u;
    }
    printf("create %.0f\nunlink %.0f\n", create, destroy);
}

int main(int argc, char **argv) {
    dir = argc > 1 ? argv[1] : ".";
    strcpy(data_name, path("data", 0));
    data = open(data_name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    check(data >= 0, data_name);
    memset(block, 'b', BLOCK);
    for (int i = 0; i < BLOCKS; i++)
        op_pwrite(i);
    measure("pread_4k", op_pread, CALLS);
    measure("pwrite_4k", op_pwrite, CALLS);
    measure("fstat", op_fstat, CALLS);
    measure("open_close", op_open_close, CALLS);
    measure("stat", op_stat, CALLS);
    measure_create_unlink();

    check(mkdir(path("list", 0), 0755) == 0, "mkdir");
    for (int i = 0; i < ENTRIES; i++)
        make("list-0/entry", i);
    measure("readdir_5000", op_readdir, 10);
    for (int i = 0; i < ENTRIES; i++)
        check(unlink(path("list-0/entry", i)) == 0, "unlink");
    check(rmdir(path("list", 0)) == 0, "rmdir");
    check(unlink(data_name) == 0, "unlink");
    return 0;
}
