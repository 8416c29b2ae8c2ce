use super::*;
use std::os::unix::net::UnixStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A thread serves through shared memory what a blocked client asks: `asked` times a word of `len` bytes.
fn through_memory(asked: usize, len: usize) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let memory = shm::Memory::new().unwrap();
    let ours = shm::End::of_maker(&memory, ours).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let thread = Threads::new(1).take().unwrap();
    let served = runtime.spawn(thread.serve(ours, echo));
    let client = shm::End::of_guest(&memory, theirs).unwrap();
    let wait = |to_receive| {
        if client.sleeps(to_receive, !to_receive) {
            let mut waited = [PollFd::new(&client, PollFlags::IN)];
            assert_eq!(poll(&mut waited, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })), Ok(1));
            client.wakes();
        }
    };
    let word: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
    for _ in 0..asked {
        let (mut sent, mut back) = (0, vec![]);
        let mut buf = [0; 999];
        while back.len() < len {
            match client.send(&[IoSlice::new(&word[sent..])]) {
                Ok(more) => sent += more,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            match client.receive(&mut buf) {
                Ok(got) => back.extend_from_slice(&buf[..got]),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    wait(true);
                }
            }
        }
        assert!(back == word);
    }
    drop(client);
    assert_eq!(runtime.block_on(served).unwrap(), Some(asked * len));
}

#[test]
fn words_through_shared_memory_come_back_and_its_end_is_told() {
    through_memory(10_000, 50);
    through_memory(20, 3 * shm::RING + 7);
}

fn pair() -> (UnixStream, tokio::net::UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, tokio::net::UnixStream::from_std(theirs).unwrap())
}

async fn echo<S: Socket>(mut stream: Stream<S>) -> usize {
    let mut buf = vec![0; 1000];
    let mut all = 0;
    loop {
        match stream.read(&mut buf).await.unwrap() {
            0 => return all,
            n => {
                all += n;
                stream.write_all(&buf[..n]).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_comes_back_and_the_end_is_told() {
    let (socket, peer) = pair();
    let thread = Threads::new(1).take().unwrap();
    let served = tokio::spawn(thread.serve(socket, echo));
    let (mut input, mut output) = peer.into_split();
    // More than the sockets hold, so that both sides have to wait.
    let data: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    let (sent, mut got) = (data.clone(), vec![0; data.len()]);
    let writer = tokio::spawn(async move {
        output.write_all(&sent).await.unwrap();
        output.shutdown().await.unwrap();
    });
    input.read_exact(&mut got).await.unwrap();
    assert!(got == data);
    writer.await.unwrap();
    assert_eq!(served.await.unwrap(), Some(data.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_woken_by_timers_and_by_others() {
    let (socket, _peer) = pair();
    let (tell, told) = tokio::sync::oneshot::channel();
    let thread = Threads::new(1).take().unwrap();
    let served = tokio::spawn(thread.serve(socket, |_stream| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        told.await.unwrap()
    }));
    tokio::time::sleep(Duration::from_millis(20)).await;
    tell.send(7).unwrap();
    assert_eq!(served.await.unwrap(), Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_waiting_for_it_ends_it_and_frees_the_thread() {
    let threads = Threads::new(1);
    let (socket, mut peer) = pair();
    let served = tokio::spawn(threads.take().unwrap().serve(socket, echo));
    peer.write_all(b"x").await.unwrap();
    assert_eq!(peer.read_u8().await.unwrap(), b'x');
    assert!(threads.take().is_none(), "the only one is taken");
    served.abort();
    assert!(served.await.unwrap_err().is_cancelled());
    assert_eq!(peer.read(&mut [0]).await.unwrap(), 0, "the connection is closed");
    while threads.take().is_none() {
        tokio::task::yield_now().await;
    }
}
