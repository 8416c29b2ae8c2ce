/* openmany [FILE]: opens FILE (default: itself made, "openmany.tmp") over and over without closing. When the host says
 * no, it says how far it came and exits 1. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "openmany.tmp";
    for (unsigned n = 0;; n++) {
        if (open(name, O_RDWR | O_CREAT, 0644) < 0) {
            printf("open number %u: %s\n", n + 1, strerror(errno));
            return 1;
        }
    }
}
