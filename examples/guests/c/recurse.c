/* Calls itself until the host's stack for guests is used up. The frames hold nothing in linear memory, so that it is
 * the host's limit that strikes, not the end of the C stack. */
static volatile unsigned bottom;

__attribute__((noinline)) static unsigned deeper(unsigned n) { return n == bottom ? n : deeper(n + 1) * 3 + n; }

int main(void) {
    bottom = 0xffffffffu;
    return (int)deeper(1);
}
