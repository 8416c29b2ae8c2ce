//! A filter program put together call by call (seccomp(2), BPF in its classic form).

use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, c_long, sock_filter};
use std::mem::offset_of;

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    /// It fails with this errno.
    Fail(i32),
    /// The server is asked.
    Ask,
}

impl Verdict {
    fn value(self) -> u32 {
        match self {
            Verdict::Allow => libc::SECCOMP_RET_ALLOW,
            Verdict::Fail(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
            Verdict::Ask => libc::SECCOMP_RET_USER_NOTIF,
        }
    }
}

/// A test of one argument: `arg & mask == value`. Masks and values have 32 bits; the upper half of the argument is ignored where
/// the kernel ignores it too (an int), and has to be 0 where `wide`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    pub arg: usize,
    pub mask: u32,
    pub value: u32,
    pub wide: bool,
}

/// `arg == value`, of an int.
pub(super) const fn is(arg: usize, value: u32) -> Test {
    Test { arg, mask: u32::MAX, value, wide: false }
}
/// `arg & mask == value`, of an int.
pub(super) const fn masked(arg: usize, mask: u32, value: u32) -> Test {
    Test { arg, mask, value, wide: false }
}
/// The argument is a null pointer.
pub(super) const fn null(arg: usize) -> Test {
    Test { arg, mask: u32::MAX, value: 0, wide: true }
}

/// A program under construction. Rules are looked at in their order, and the first that fits decides.
pub(super) struct Builder(Vec<sock_filter>);

fn op(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}
fn jump_unless(value: u32, skip: usize) -> sock_filter {
    let jf = u8::try_from(skip).expect("a rule has few tests");
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt: 0, jf, k: value }
}
fn load(offset: usize) -> sock_filter {
    op(BPF_LD | BPF_W | BPF_ABS, offset as u32)
}
/// Where the half of an argument lies: both architectures put the lower one first.
fn argument(arg: usize, upper: bool) -> usize {
    offset_of!(libc::seccomp_data, args) + arg * 8 + if upper { 4 } else { 0 }
}

impl Builder {
    /// A program of another architecture is killed: its calls have other numbers.
    pub fn new() -> Builder {
        let equal_skips_one = sock_filter { jt: 1, ..jump_unless(ARCH, 0) };
        Builder(vec![
            load(offset_of!(libc::seccomp_data, arch)),
            equal_skips_one,
            op(BPF_RET | BPF_K, libc::SECCOMP_RET_KILL_PROCESS),
            load(offset_of!(libc::seccomp_data, nr)),
        ])
    }

    /// The call `number`, where all of `tests` hold.
    pub fn rule(&mut self, number: c_long, tests: &[Test], verdict: Verdict) {
        let mut body = Vec::new();
        for test in tests {
            body.push((load(argument(test.arg, false)), None));
            if test.mask != u32::MAX {
                body.push((op(BPF_ALU | BPF_AND | BPF_K, test.mask), None));
            }
            body.push((op(0, 0), Some(test.value)));
            if test.wide {
                body.push((load(argument(test.arg, true)), None));
                body.push((op(0, 0), Some(0)));
            }
        }
        // Behind the body: the verdict, and, where a test has overwritten the number, its load again.
        let reload = usize::from(!tests.is_empty());
        let length = body.len();
        self.0.push(jump_unless(number as u32, length + 1 + reload));
        for (at, (instruction, value)) in body.into_iter().enumerate() {
            self.0.push(match value {
                None => instruction,
                Some(value) => jump_unless(value, length - at),
            });
        }
        self.0.push(op(BPF_RET | BPF_K, verdict.value()));
        if reload == 1 {
            self.0.push(load(offset_of!(libc::seccomp_data, nr)));
        }
    }

    /// All the rest.
    pub fn otherwise(mut self, verdict: Verdict) -> Vec<sock_filter> {
        self.0.push(op(BPF_RET | BPF_K, verdict.value()));
        self.0
    }
}
