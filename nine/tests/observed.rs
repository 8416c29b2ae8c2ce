//! What is seen of a connection from outside: its figures, and its messages while somebody watches.

mod memory;
mod peer;

use std::collections::BTreeMap;
use std::sync::Arc;

use memory::Memory;
use nine::server::{Config, Figures, Messages, Observed};
use nine::wire::*;
use parking_lot::Mutex;
use peer::Peer;

async fn watched() -> (Peer, Arc<Observed>, Messages) {
    let messages = Messages::default();
    let observed = Arc::new(Observed::new(7, messages.clone()));
    let mut peer = Peer::observed(Memory::new(), Config::default(), observed.clone());
    peer.version(Dialect::P9P2000L, 8192).await;
    peer.attach().await;
    (peer, observed, messages)
}

fn requests(figures: &Figures) -> BTreeMap<&str, u64> {
    figures.requests().filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn requests_errors_bytes_and_what_is_held_are_counted() {
    let (mut peer, observed, _) = watched().await;
    peer.open(5, &["hello"], OpenFlags::empty()).await;
    for tag in 0..3 {
        peer.ask(tag, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 }).await;
        peer.expect_kind(tag, "Rread").await;
    }
    peer.ask(3, Tmessage::Read { fid: Fid(77), offset: 0, count: 100 }).await;
    peer.expect_kind(3, "Rlerror").await;
    let figures = observed.figures();
    let asked = [("Tversion", 1), ("Tattach", 1), ("Twalk", 1), ("Tlopen", 1), ("Tread", 4)];
    assert_eq!(requests(&figures), asked.into());
    assert_eq!(figures.errors().collect::<Vec<_>>(), [(9, 1)], "EBADF");
    assert_eq!(figures.fids, 2);
    assert_eq!(figures.answered.iter().sum::<u64>(), 7, "all but Tversion: {figures:?}");
    assert!(figures.answer_nanos > 0);
    assert!(figures.received > 4 * 23 && figures.sent > 3 * 11, "{figures:?}");

    let mut sum = figures.clone();
    sum += &figures.ended();
    assert_eq!(
        (sum.fids, requests(&sum)["Tread"]),
        (2, 8),
        "what has ended holds nothing, and was done all the same"
    );
}

#[tokio::test]
async fn a_request_that_waits_is_in_flight_and_its_wait_for_a_stream_is_no_time_of_ours() {
    let (mut peer, observed, _) = watched().await;
    peer.open(5, &["pipe"], OpenFlags::RDWR).await;
    let before = observed.figures();
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 }).await;
    peer.expect_silence().await;
    let during = observed.figures();
    assert_eq!((during.in_flight, during.answered), (1, before.answered));
    assert!(during.buffered >= 100, "its buffer is kept: {during:?}");
    peer.ask(2, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect_kind(1, "Rlerror").await;
    peer.expect_kind(2, "Rclunk").await;
    let after = observed.figures();
    assert_eq!((after.in_flight, after.buffered), (0, 0));
    assert_eq!(after.errors().collect::<Vec<_>>(), [(4, 1)], "EINTR");
    assert_eq!(
        after.answered.iter().sum::<u64>(),
        before.answered.iter().sum::<u64>() + 1,
        "the clunk alone"
    );
}

#[tokio::test]
async fn whoever_watches_is_told_every_message_in_words_and_nobody_else_is() {
    let (mut peer, _, messages) = watched().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let lines = heard.clone();
    messages.listen(Some(Arc::new(move |spoken| lines.lock().push(spoken.to_string()))));
    peer.ask(1, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::MODE }).await;
    peer.expect_kind(1, "Rgetattr").await;
    peer.open(5, &["hello"], OpenFlags::empty()).await;
    peer.ask(4, Tmessage::Read { fid: Fid(5), offset: 3, count: 100 }).await;
    peer.expect_kind(4, "Rread").await;
    peer.ask(2, Tmessage::Clunk { fid: Fid(9) }).await;
    peer.expect_kind(2, "Rlerror").await;
    messages.listen(None);
    peer.ask(3, Tmessage::Clunk { fid: Fid(5) }).await;
    peer.expect_kind(3, "Rclunk").await;
    let heard = heard.lock();
    let kinds: Vec<&str> = heard.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    let asked =
        ["Tgetattr", "Rgetattr", "Twalk", "Rwalk", "Tlopen", "Rlopen", "Tread", "Rread", "Tclunk", "Rlerror"];
    let mut sorted = (kinds.clone(), asked.to_vec());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1, "{heard:#?}");
    assert!(heard.contains(&"7 <- Tread tag 4 fid 5 offset 3 count 100".to_owned()), "{heard:#?}");
    assert!(heard.iter().any(|line| line.starts_with("7 -> Rread tag 4 data (")), "{heard:#?}");
    assert!(
        heard.contains(&"7 -> Rlerror tag 2 ecode 9 (fid unknown or out of range)".to_owned()),
        "{heard:#?}"
    );
}

#[tokio::test]
async fn reads_of_a_file_that_shows_the_messages_are_not_shown() {
    let (mut peer, _, messages) = watched().await;
    peer.open(5, &["big"], OpenFlags::empty()).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let lines = heard.clone();
    messages.listen(Some(Arc::new(move |spoken| lines.lock().push(spoken.to_string()))));
    peer.ask(1, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 }).await;
    peer.expect_kind(1, "Rread").await;
    peer.ask(1, Tmessage::Getattr { fid: Fid(5), mask: AttrMask::MODE }).await;
    peer.expect_kind(1, "Rgetattr").await;
    let heard = heard.lock();
    assert!(
        heard.len() == 2 && heard[0].contains("Tgetattr tag 1") && heard[1].contains("Rgetattr"),
        "{heard:?}"
    );
}
