/* Traps three calls deep, in functions whose names must show up in the backtrace. */
#include <stdio.h>

__attribute__((noinline)) void fall_into_the_trap(int depth) {
    if (depth > 0)
        __builtin_trap();
}

__attribute__((noinline)) void walk_towards_it(int depth) {
    fall_into_the_trap(depth + 1);
    puts("not reached");
}

int main(int argc, char **argv) {
    (void)argv;
    puts("about to trap");
    fflush(stdout);
    walk_towards_it(argc);
    return 0;
}
