/* Spins for ever, without a single call to the host. */
int main(void) {
    for (volatile unsigned long n = 0;; n++)
        ;
}
