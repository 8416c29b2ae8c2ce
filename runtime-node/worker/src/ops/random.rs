//! `Math.random` of an engine that was forked: its own generator is the parent's, and the same in every worker.

use deno_core::op2;
use std::cell::Cell;

#[op2(fast)]
pub fn op_is_forked() -> bool {
    cfg!(feature = "quickjs")
}

thread_local! {
    /// Never in use before there is a task, and so never in a parent.
    static STATE: Cell<[u64; 2]> = Cell::new(seed());
}

fn seed() -> [u64; 2] {
    let mut seed = [0u64; 2];
    // SAFETY: so many bytes are written to a local. Sixteen bytes come whole, or not at all before the system has collected some.
    let got = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), size_of_val(&seed), 0) };
    assert_eq!(got, 16, "the system gives random numbers");
    // The one state that the generator does not leave.
    if seed == [0, 0] { [1, 0] } else { seed }
}

/// Vigna's xorshift128+, as in the other engines: in [0, 1), to 53 bits.
#[op2(fast)]
pub fn op_random() -> f64 {
    number()
}

fn number() -> f64 {
    STATE.with(|state| {
        let [mut a, b] = state.get();
        a ^= a << 23;
        let next = a ^ b ^ (a >> 17) ^ (b >> 26);
        state.set([b, next]);
        (next.wrapping_add(b) >> 11) as f64 / (1u64 << 53) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_between_0_and_1_and_are_spread() {
        let numbers: Vec<f64> = (0..10_000).map(|_| number()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
