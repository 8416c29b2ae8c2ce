//! cksum(1): the CRC of POSIX.1 (that of Ethernet, over the bytes and then their count), and how many bytes there are.

use super::Invocation;
use super::gnu::{Done, Program};
use super::messages::say;
use super::options::Args;
use super::reach::or_stdin;

pub(super) const PROGRAM: Program =
    Program::new("[FILE]...", "Print CRC checksum and byte counts of each FILE.", "");

/// The remainder of each byte.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut rest = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest >> 31 == 1 { rest << 1 ^ 0x04c1_1db7 } else { rest << 1 };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

fn step(crc: u32, byte: u8) -> u32 {
    crc << 8 ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)]
}

async fn of(call: &mut Invocation<'_>, path: &[u8]) -> vfs::Result<(u32, u64)> {
    let mut input = call.open(path).await?;
    let (mut crc, mut bytes) = (0, 0u64);
    loop {
        let next = call.fill(&mut input).await?;
        if next.is_empty() {
            break;
        }
        crc = next.iter().fold(crc, |crc, byte| step(crc, *byte));
        let count = next.len();
        bytes += count as u64;
        input.take(count);
    }
    // The count, its lowest byte first, without zeros at its end.
    let length = std::iter::successors(Some(bytes), |rest| Some(rest >> 8)).take_while(|rest| *rest > 0);
    Ok((!length.fold(crc, |crc, rest| step(crc, rest as u8)), bytes))
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        match of(call, &path).await {
            Ok((crc, bytes)) => {
                let name = if args.operands.is_empty() { Vec::new() } else { say!(" ", path) };
                call.stdout.write(&say!(format!("{crc} {bytes}"), name, "\n")).await?;
            }
            Err(error) => {
                status = 1;
                call.tell(&path, &error).await;
            }
        }
    }
    Ok(status)
}
