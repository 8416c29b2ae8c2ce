/* posix [DIR]: checks that the file system below DIR behaves as POSIX says, call by call as WASI preview 1 can ask
 * for it. Prints "ok NAME" or "FAIL NAME: why" a check and exits with the number of failures (at most 100). It passes
 * natively on Linux too, which is how its expectations were checked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *name;
static int failures;

static void begin(const char *check) { name = check; }

static int expect_at(int line, int ok, const char *what) {
    if (!ok) {
        printf("FAIL %s: line %d: %s (%s)\n", name, line, what, strerror(errno));
        failures++;
        name = NULL;
    }
    return ok;
}

/* The first expectation of a check that does not hold ends the check. */
#define EXPECT(e)                                                                                                      \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        if (!expect_at(__LINE__, (e), #e))                                                                             \
            return;                                                                                                    \
    } while (0)
#define REFUSED(call, code) EXPECT((call) == -1 && errno == (code))

static int put(const char *file, const char *text) {
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    return close(fd) == 0 && n == (ssize_t)strlen(text) ? 0 : -1;
}

static int holds(const char *file, const char *text) {
    char got[256];
    int fd = open(file, O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, got, sizeof got);
    close(fd);
    return n == (ssize_t)strlen(text) && memcmp(got, text, n) == 0;
}

static void create_and_open(void) {
    EXPECT(put("f", "one") == 0);
    EXPECT(holds("f", "one"));
    REFUSED(open("f", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
    REFUSED(open("missing", O_RDONLY), ENOENT);
    REFUSED(open("f/below", O_RDONLY), ENOTDIR);
    REFUSED(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT(put("f", "2") == 0);
    EXPECT(holds("f", "2"));
    EXPECT(unlink("f") == 0);
    REFUSED(unlink("f"), ENOENT);
}

static void access_modes(void) {
    char c;
    EXPECT(put("f", "x") == 0);
    int w = open("f", O_WRONLY);
    EXPECT(w >= 0);
    REFUSED(read(w, &c, 1), EBADF);
    int r = open("f", O_RDONLY);
    EXPECT(r >= 0);
    REFUSED(write(r, "y", 1), EBADF);
    EXPECT(close(w) == 0 && close(r) == 0);
    REFUSED(close(r), EBADF);
    EXPECT(unlink("f") == 0);
}

static void seek_and_offsets(void) {
    char got[8] = {0};
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
    EXPECT(fd >= 0);
    EXPECT(write(fd, "abcdef", 6) == 6);
    EXPECT(lseek(fd, 0, SEEK_CUR) == 6);
    EXPECT(lseek(fd, 2, SEEK_SET) == 2);
    EXPECT(read(fd, got, 2) == 2 && memcmp(got, "cd", 2) == 0);
    EXPECT(lseek(fd, -1, SEEK_END) == 5);
    EXPECT(lseek(fd, 1, SEEK_CUR) == 6);
    EXPECT(read(fd, got, 1) == 0);
    REFUSED(lseek(fd, -1, SEEK_SET), EINVAL);
    EXPECT(pread(fd, got, 3, 1) == 3 && memcmp(got, "bcd", 3) == 0);
    EXPECT(pwrite(fd, "X", 1, 0) == 1);
    EXPECT(lseek(fd, 0, SEEK_CUR) == 6);
    EXPECT(close(fd) == 0);
    EXPECT(holds("f", "Xbcdef"));
    EXPECT(unlink("f") == 0);
}

static void scattered_io(void) {
    char a[3] = {0}, b[4] = {0};
    struct iovec out[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
    struct iovec in[] = {{a, 3}, {b, 4}};
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
    EXPECT(fd >= 0);
    EXPECT(writev(fd, out, 3) == 7);
    EXPECT(lseek(fd, 0, SEEK_SET) == 0);
    EXPECT(readv(fd, in, 2) == 7);
    EXPECT(memcmp(a, "abc", 3) == 0 && memcmp(b, "defg", 4) == 0);
    EXPECT(close(fd) == 0 && unlink("f") == 0);
}

static void appending(void) {
    EXPECT(put("f", "ab") == 0);
    int fd = open("f", O_WRONLY | O_APPEND);
    EXPECT(fd >= 0);
    EXPECT(lseek(fd, 0, SEEK_SET) == 0);
    EXPECT(write(fd, "cd", 2) == 2);
    EXPECT(close(fd) == 0);
    EXPECT(holds("f", "abcd"));
    EXPECT(unlink("f") == 0);
}

static void holes_and_truncation(void) {
    char got[8];
    struct stat st;
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
    EXPECT(fd >= 0);
    EXPECT(pwrite(fd, "z", 1, 100000) == 1);
    EXPECT(fstat(fd, &st) == 0 && st.st_size == 100001);
    memset(got, 1, sizeof got);
    EXPECT(pread(fd, got, 8, 5000) == 8 && memcmp(got, "\0\0\0\0\0\0\0", 8) == 0);
    EXPECT(ftruncate(fd, 3) == 0);
    EXPECT(fstat(fd, &st) == 0 && st.st_size == 3);
    EXPECT(ftruncate(fd, 10) == 0);
    EXPECT(pread(fd, got, 8, 3) == 7 && memcmp(got, "\0\0\0\0\0\0", 7) == 0);
    EXPECT(posix_fallocate(fd, 0, 4096) == 0);
    EXPECT(fstat(fd, &st) == 0 && st.st_size == 4096);
    REFUSED(ftruncate(fd, -1), EINVAL);
    EXPECT(fsync(fd) == 0 && fdatasync(fd) == 0);
    EXPECT(close(fd) == 0 && unlink("f") == 0);
}

static void unlinked_while_open(void) {
    char got[4];
    struct stat st;
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
    EXPECT(fd >= 0);
    EXPECT(unlink("f") == 0);
    EXPECT(write(fd, "kept", 4) == 4);
    EXPECT(pread(fd, got, 4, 0) == 4 && memcmp(got, "kept", 4) == 0);
    EXPECT(fstat(fd, &st) == 0 && st.st_nlink == 0);
    EXPECT(close(fd) == 0);
}

static void renaming(void) {
    EXPECT(put("a", "A") == 0 && put("b", "B") == 0);
    EXPECT(rename("a", "b") == 0);
    EXPECT(holds("b", "A"));
    REFUSED(rename("a", "c"), ENOENT);
    EXPECT(rename("b", "b") == 0);
    EXPECT(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && mkdir("empty", 0755) == 0);
    REFUSED(rename("d", "d/e/f"), EINVAL);
    REFUSED(rename("b", "d"), EISDIR);
    REFUSED(rename("d", "b"), ENOTDIR);
    EXPECT(rename("empty", "d") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
    EXPECT(rename("d", "empty") == 0);
    EXPECT(rename("b", "empty/e/moved") == 0);
    EXPECT(holds("empty/e/moved", "A"));
    EXPECT(unlink("empty/e/moved") == 0 && rmdir("empty/e") == 0 && rmdir("empty") == 0);
}

static void hard_links(void) {
    struct stat one, two;
    EXPECT(put("a", "linked") == 0);
    EXPECT(link("a", "b") == 0);
    EXPECT(stat("a", &one) == 0 && stat("b", &two) == 0);
    EXPECT(one.st_ino == two.st_ino && one.st_dev == two.st_dev && one.st_nlink == 2);
    REFUSED(link("a", "b"), EEXIST);
    EXPECT(unlink("a") == 0);
    EXPECT(holds("b", "linked"));
    EXPECT(stat("b", &two) == 0 && two.st_nlink == 1);
    EXPECT(unlink("b") == 0);
}

static void symbolic_links(void) {
    char got[64];
    struct stat st;
    EXPECT(put("target", "through") == 0);
    EXPECT(symlink("target", "s") == 0);
    REFUSED(symlink("other", "s"), EEXIST);
    EXPECT(readlink("s", got, sizeof got) == 6 && memcmp(got, "target", 6) == 0);
    EXPECT(readlink("s", got, 3) == 3 && memcmp(got, "tar", 3) == 0);
    REFUSED(readlink("target", got, sizeof got), EINVAL);
    EXPECT(holds("s", "through"));
    EXPECT(lstat("s", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 6);
    EXPECT(stat("s", &st) == 0 && S_ISREG(st.st_mode));
    REFUSED(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
    EXPECT(unlink("target") == 0);
    REFUSED(open("s", O_RDONLY), ENOENT);
    EXPECT(unlink("s") == 0);
    EXPECT(symlink("l2", "l1") == 0 && symlink("l1", "l2") == 0);
    REFUSED(open("l1", O_RDONLY), ELOOP);
    EXPECT(unlink("l1") == 0 && unlink("l2") == 0);
    EXPECT(mkdir("d", 0755) == 0 && symlink("d", "sd") == 0);
    EXPECT(put("sd/f", "inside") == 0 && holds("d/f", "inside"));
    EXPECT(unlink("d/f") == 0 && unlink("sd") == 0 && rmdir("d") == 0);
}

static void directories(void) {
    EXPECT(mkdir("d", 0755) == 0);
    REFUSED(mkdir("d", 0755), EEXIST);
    REFUSED(mkdir("no/d", 0755), ENOENT);
    EXPECT(put("d/f", "x") == 0);
    EXPECT(rmdir("d") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
    REFUSED(rmdir("d/f"), ENOTDIR);
    EXPECT(unlink("d") == -1 && (errno == EISDIR || errno == EPERM));
    REFUSED(open("d", O_WRONLY), EISDIR);
    EXPECT(holds("d/../d/./f", "x"));
    EXPECT(unlink("d/f") == 0 && rmdir("d") == 0);
    REFUSED(rmdir("d"), ENOENT);
}

static void listing(void) {
    enum { MANY = 600 };
    static char seen[MANY];
    int dots = 0, others = 0;
    char file[32];
    struct dirent *e;
    EXPECT(mkdir("many", 0755) == 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(file, sizeof file, "many/%d", i);
        EXPECT(put(file, "") == 0);
    }
    DIR *d = opendir("many");
    EXPECT(d != NULL);
    for (int round = 0; round < 2; round++) {
        memset(seen, 0, sizeof seen);
        dots = others = 0;
        while ((e = readdir(d)) != NULL) {
            if (e->d_name[0] == '.')
                dots++;
            else if (atoi(e->d_name) < MANY && seen[atoi(e->d_name)]++ == 0 && e->d_type == DT_REG)
                continue;
            else
                others++;
        }
        EXPECT(dots == 2);
        EXPECT(others == 0);
        EXPECT(memchr(seen, 0, MANY) == NULL);
        rewinddir(d);
    }
    EXPECT(closedir(d) == 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(file, sizeof file, "many/%d", i);
        EXPECT(unlink(file) == 0);
    }
    EXPECT(rmdir("many") == 0);
    EXPECT(opendir("many") == NULL && errno == ENOENT);
}

static void times(void) {
    struct timespec set[2] = {{1000000000, 123456789}, {1234567890, 987654321}};
    struct timespec only_modified[2] = {{0, UTIME_OMIT}, {1500000000, 0}};
    struct stat st;
    EXPECT(put("f", "t") == 0);
    EXPECT(utimensat(AT_FDCWD, "f", set, 0) == 0);
    EXPECT(stat("f", &st) == 0);
    EXPECT(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
    EXPECT(st.st_mtim.tv_sec == 1234567890 && st.st_mtim.tv_nsec == 987654321);
    int fd = open("f", O_RDWR);
    EXPECT(fd >= 0);
    EXPECT(futimens(fd, only_modified) == 0);
    EXPECT(fstat(fd, &st) == 0 && st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec == 1500000000);
    EXPECT(write(fd, "u", 1) == 1);
    EXPECT(fstat(fd, &st) == 0 && st.st_mtim.tv_sec > 1500000000);
    EXPECT(close(fd) == 0 && unlink("f") == 0);
}

static void long_names(void) {
    char file[300];
    memset(file, 'n', sizeof file);
    file[255] = 0;
    EXPECT(put(file, "255") == 0);
    EXPECT(holds(file, "255"));
    EXPECT(unlink(file) == 0);
    file[255] = 'n';
    file[256] = 0;
    REFUSED(open(file, O_WRONLY | O_CREAT, 0644), ENAMETOOLONG);
}

static void kinds_and_identity(void) {
    struct stat file, dir, again;
    EXPECT(put("f", "12345") == 0 && mkdir("d", 0755) == 0);
    EXPECT(stat("f", &file) == 0 && S_ISREG(file.st_mode) && file.st_size == 5 && file.st_nlink == 1);
    EXPECT(stat("d", &dir) == 0 && S_ISDIR(dir.st_mode));
    EXPECT(file.st_ino != dir.st_ino && file.st_ino != 0);
    EXPECT(stat("f", &again) == 0 && again.st_ino == file.st_ino);
    EXPECT(unlink("f") == 0 && rmdir("d") == 0);
}

static void polling(void) {
    struct timespec before, after;
    EXPECT(put("f", "ready") == 0);
    struct pollfd p = {open("f", O_RDONLY), POLLIN, 0};
    EXPECT(p.fd >= 0);
    EXPECT(poll(&p, 1, 5000) == 1 && (p.revents & POLLIN));
    EXPECT(close(p.fd) == 0 && unlink("f") == 0);
    struct pollfd in = {0, POLLIN, 0};
    EXPECT(poll(&in, 1, 0) >= 0);
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    EXPECT(usleep(20000) == 0);
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    EXPECT((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 19);
}

static void clocks_and_random(void) {
    struct timespec t;
    unsigned char a[32] = {0}, b[32] = {0};
    EXPECT(clock_gettime(CLOCK_REALTIME, &t) == 0 && t.tv_sec > 1700000000);
    EXPECT(clock_getres(CLOCK_MONOTONIC, &t) == 0 && (t.tv_sec || t.tv_nsec));
    EXPECT(getentropy(a, sizeof a) == 0 && getentropy(b, sizeof b) == 0);
    EXPECT(memcmp(a, b, sizeof a) != 0);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*check)(void);
    } checks[] = {
        {"create_and_open", create_and_open},
        {"access_modes", access_modes},
        {"seek_and_offsets", seek_and_offsets},
        {"scattered_io", scattered_io},
        {"appending", appending},
        {"holes_and_truncation", holes_and_truncation},
        {"unlinked_while_open", unlinked_while_open},
        {"renaming", renaming},
        {"hard_links", hard_links},
        {"symbolic_links", symbolic_links},
        {"directories", directories},
        {"listing", listing},
        {"times", times},
        {"long_names", long_names},
        {"kinds_and_identity", kinds_and_identity},
        {"polling", polling},
        {"clocks_and_random", clocks_and_random},
    };
    if (argc > 1 && chdir(argv[1]) != 0) {
        perror(argv[1]);
        return 100;
    }
    char top[4096], scratch[4200];
    if (!getcwd(top, sizeof top))
        return 100;
    for (unsigned i = 0; i < sizeof checks / sizeof *checks; i++) {
        snprintf(scratch, sizeof scratch, "%s/posix-%u", top, i);
        begin(checks[i].name);
        if (mkdir(scratch, 0755) != 0 || chdir(scratch) != 0) {
            expect_at(__LINE__, 0, "a scratch directory");
            continue;
        }
        checks[i].check();
        if (name)
            printf("ok %s\n", name);
        fflush(stdout);
        if (chdir(top) == 0) /* not "..": WASI's libc keeps the working directory as text */
            rmdir(scratch); /* what a failed check left behind stays, to be looked at */
    }
    return failures < 100 ? failures : 100;
}
