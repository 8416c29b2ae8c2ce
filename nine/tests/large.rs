//! Large writes: what has buffers of its own on the way arrives as it was sent, wherever it begins, and in its turn.

mod memory;
mod peer;

use memory::{BUFFER, Memory};
use nine::wire::*;
use peer::Peer;

const LEN: usize = 300_000;

fn some_data(seed: usize) -> Vec<u8> {
    (0..LEN).map(|at| ((at * 31 + seed) % 251) as u8).collect()
}

fn write(fid: u32, offset: usize, data: &[u8]) -> Tmessage<'_> {
    Tmessage::Write { fid: Fid(fid), offset: offset as u64, data: Data(data) }
}

fn wrote(len: usize) -> Rmessage<'static> {
    Rmessage::Write { count: len as u32 }
}

async fn expect_content(peer: &mut Peer, fid: u32, offset: usize, data: &[u8]) {
    for (at, part) in data.chunks(50_000).enumerate() {
        let offset = (offset + at * 50_000) as u64;
        peer.ask(77, Tmessage::Read { fid: Fid(fid), offset, count: part.len() as u32 }).await;
        peer.expect(77, Rmessage::Read { data: Data(part) }).await;
    }
}

#[tokio::test]
async fn it_arrives_in_buffers_wherever_it_begins() {
    let memory = Memory::new();
    let mut peer = Peer::attached(memory.clone()).await;
    peer.open(5, &["hello"], OpenFlags::RDWR).await;
    for (nth, offset) in [0, 1, BUFFER - 1, BUFFER, 3 * BUFFER + 7].into_iter().enumerate() {
        let data = some_data(nth);
        peer.ask(1, write(5, offset, &data)).await;
        peer.expect(1, wrote(LEN)).await;
        expect_content(&mut peer, 5, offset, &data).await;
    }
    assert_eq!(memory.in_buffers(), 5);
}

#[tokio::test]
async fn what_follows_it_in_the_same_write_is_taken_after_it() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.open(5, &["hello"], OpenFlags::RDWR).await;
    let (one, two) = (some_data(1), some_data(2));
    peer.queue(1, write(5, 0, &one));
    peer.queue(2, Tmessage::Read { fid: Fid(5), offset: 9, count: 5 });
    peer.queue(3, write(5, 3, &two));
    peer.queue(4, Tmessage::Read { fid: Fid(5), offset: 2, count: 2 });
    peer.queue(5, Tmessage::Clunk { fid: Fid(5) });
    peer.send().await;
    peer.expect(1, wrote(LEN)).await;
    peer.expect(2, Rmessage::Read { data: Data(&one[9..14]) }).await;
    peer.expect(3, wrote(LEN)).await;
    peer.expect(4, Rmessage::Read { data: Data(&[one[2], two[0]]) }).await;
    peer.expect(5, Rmessage::Clunk {}).await;
}

#[tokio::test]
async fn on_a_file_that_answers_late_it_waits_its_turn() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.open(5, &["slow"], OpenFlags::RDWR).await;
    let data = some_data(3);
    peer.queue(1, write(5, 0, b"first of all"));
    peer.queue(2, write(5, 6, &data));
    peer.queue(3, write(5, 0, &data));
    peer.queue(4, Tmessage::Read { fid: Fid(5), offset: 0, count: 4 });
    peer.send().await;
    peer.expect(1, wrote(12)).await;
    peer.expect(2, wrote(LEN)).await;
    peer.expect(3, wrote(LEN)).await;
    peer.expect(4, Rmessage::Read { data: Data(&data[..4]) }).await;
    expect_content(&mut peer, 5, LEN, &data[LEN - 6..]).await;
}

#[tokio::test]
async fn it_is_refused_where_a_small_one_would_be() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.open(5, &["hello"], OpenFlags::empty()).await;
    peer.open(6, &["hello"], OpenFlags::RDWR).await;
    let data = some_data(4);
    peer.ask(1, write(5, 0, &data)).await;
    peer.expect(1, Rmessage::Lerror { ecode: DotlError(9) }).await;
    peer.ask(2, write(99, 0, &data)).await;
    peer.expect_kind(2, "Rlerror").await;
    peer.ask(3, Tmessage::Write { fid: Fid(6), offset: i64::MAX as u64 - 5, data: Data(&data) }).await;
    peer.expect(3, Rmessage::Lerror { ecode: DotlError(22) }).await;
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_it_just_ends() {
    let mut peer = Peer::attached(Memory::new()).await;
    peer.open(5, &["hello"], OpenFlags::RDWR).await;
    let data = some_data(5);
    peer.queue(1, write(5, 0, &data));
    peer.send_part(LEN / 2).await;
    peer.hang_up().await.unwrap();
}
