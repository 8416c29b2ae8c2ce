/* Takes memory a MiB at a time, touches every page, and never gives any back. When the host says no, it says how far
 * it came and exits 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20 };

static char *volatile last; /* where the compiler has to believe that the memory is wanted */

int main(void) {
    for (unsigned taken = 0;; taken++) {
        char *block = malloc(MIB);
        if (!block) {
            printf("no memory after %u MiB\n", taken);
            return 1;
        }
        last = memset(block, (int)(taken | 1), MIB);
    }
}
