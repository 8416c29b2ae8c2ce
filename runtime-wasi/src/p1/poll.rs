//! poll_oneoff: waits for the first of some clocks and descriptors, and tells all that are ready then.

use super::abi::{self, Awaited, EVENT, Rights, Subscription};
use super::{Call, clock, errno};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use tokio::time::{Instant, sleep_until};
use vfs::{Errno, Error, FileRef, Interest, Nature, Op, Result};

/// More subscriptions than a guest can have descriptors that matter: each costs the host memory while it waits.
const MAX_SUBSCRIPTIONS: u32 = 4096;

/// A subscription that is waited for.
enum Wait {
    /// Nobody can wait for this one: told at once.
    Failed(Error),
    Clock(Instant),
    /// The file, and the guest's offset in it.
    File(FileRef, Interest, u64),
}

pub(super) async fn poll_oneoff(
    call: &mut Call<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    out: u32,
) -> Result<()> {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Errno::EINVAL.into();
    }
    let subscriptions = read(call, subscriptions, count)?;
    let waits: Vec<Wait> = subscriptions.iter().map(|s| wait_for(call, s)).collect();
    let ready = first_ready(&waits).await;
    let mut at = events;
    for (index, result) in &ready {
        let event = describe(&subscriptions[*index], &waits[*index], result).await;
        call.memory.put_words(at, event)?;
        at = at.checked_add(EVENT as u32).ok_or(Errno::EFAULT)?;
    }
    call.memory.put_u32(out, ready.len() as u32)
}

fn read(call: &Call<'_>, at: u32, count: u32) -> Result<Vec<Subscription>> {
    let size = abi::subscription_size(call.version);
    let bytes = call.memory.bytes(at, size * count as usize)?;
    let one = |bytes| abi::subscription(call.version, bytes).ok_or_else(|| Errno::EINVAL.into());
    bytes.chunks_exact(size).map(one).collect()
}

fn wait_for(call: &Call<'_>, subscription: &Subscription) -> Wait {
    let wait = match subscription.awaited {
        Awaited::Clock { id, timeout, absolute } => deadline(call, id, timeout, absolute).map(Wait::Clock),
        Awaited::Read(fd) => file(call, fd, Rights::FD_READ, Interest::Read),
        Awaited::Write(fd) => file(call, fd, Rights::FD_WRITE, Interest::Write),
    };
    wait.unwrap_or_else(Wait::Failed)
}

fn deadline(call: &Call<'_>, id: u32, timeout: u64, absolute: bool) -> Result<Instant> {
    let left = if absolute { timeout.saturating_sub(clock::now(call, id)?) } else { timeout };
    // The clock must be one that there is, and one that moves while the guest waits.
    match abi::Clock::decode(id).ok_or(Errno::EINVAL)? {
        abi::Clock::Realtime | abi::Clock::Monotonic => {}
        abi::Clock::ProcessCpu | abi::Clock::ThreadCpu => return Errno::EOPNOTSUPP.into(),
    }
    Ok(clock::after(left))
}

fn file(call: &Call<'_>, fd: u32, right: Rights, interest: Interest) -> Result<Wait> {
    let descriptor = call.guest.fds.get(fd)?;
    descriptor.need(Rights::POLL_FD_READWRITE)?;
    // Whoever opened it and how, a file is ready for both (poll(2)).
    let file = match &descriptor.open.file {
        Some(file) if file.nature() == Nature::Storage => file,
        _ => descriptor.open_for(right).map_err(|_| Errno::EBADF)?,
    };
    Ok(Wait::File(file.clone(), interest, descriptor.offset))
}

/// Waits for the first, and gives all that are ready at that moment, in order.
async fn first_ready(waits: &[Wait]) -> Vec<(usize, Result<()>)> {
    let mut ready = Vec::new();
    let mut files: Vec<(usize, Op<'_, ()>)> = Vec::new();
    let mut alarm: Option<Instant> = None;
    for (index, wait) in waits.iter().enumerate() {
        match wait {
            Wait::Failed(error) => ready.push((index, Err(error.clone()))),
            Wait::Clock(at) => alarm = Some(alarm.map_or(*at, |earlier| earlier.min(*at))),
            Wait::File(file, interest, _) => files.push((index, file.ready(*interest))),
        }
    }
    let mut timer = alarm.map(|at| Box::pin(sleep_until(at)));
    std::future::poll_fn(|cx| {
        files.retain_mut(|(index, op)| match Pin::new(op).poll(cx) {
            Poll::Ready(result) => {
                ready.push((*index, result));
                false
            }
            Poll::Pending => true,
        });
        let now = Instant::now();
        let elapsed = alarm.is_some_and(|at| at <= now);
        let woken = timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if ready.is_empty() && !elapsed && !woken { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let now = Instant::now();
    // The timer may wake a little before the clock that is read here agrees.
    let due = alarm.map_or(now, |at| if ready.is_empty() { at.max(now) } else { now });
    for (index, wait) in waits.iter().enumerate() {
        if matches!(wait, Wait::Clock(at) if *at <= due) {
            ready.push((index, Ok(())));
        }
    }
    ready.sort_by_key(|(index, _)| *index);
    ready
}

async fn describe(subscription: &Subscription, wait: &Wait, result: &Result<()>) -> [u64; EVENT / 8] {
    if let Err(error) = result {
        return abi::event(subscription, errno::code(error.errno()), 0);
    }
    let mut nbytes = 0;
    if let Wait::File(file, interest, offset) = wait {
        // What a stream holds is not known before it is read; one byte is what it promises.
        nbytes = 1;
        if *interest == Interest::Read && file.nature() == Nature::Storage {
            nbytes = file.stat().await.map_or(0, |stat| stat.size.saturating_sub(*offset));
        }
    }
    abi::event(subscription, errno::SUCCESS, nbytes)
}
