/* Prints for ever, as fast as the host takes it. */
#include <string.h>
#include <unistd.h>

static char line[4096];

int main(void) {
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    while (write(1, line, sizeof line) > 0)
        ;
    return 1;
}
