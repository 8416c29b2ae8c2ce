//! The channel between a program and a child that it forked (child_process.fork): bytes both ways, until either side closes it.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use task::stdio::Pipe;
use vfs::Op;

/// Which end of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Maker,
    Child,
}

#[derive(Default)]
pub(crate) struct Channel {
    to_child: Pipe,
    to_maker: Pipe,
}

impl Channel {
    pub fn read<'a>(&'a self, side: Side, buf: &'a mut [u8]) -> Op<'a, usize> {
        match side {
            Side::Maker => self.to_maker.read(buf),
            Side::Child => self.to_child.read(buf),
        }
    }
    pub fn write<'a>(&'a self, side: Side, data: &'a [u8]) -> Op<'a, usize> {
        match side {
            Side::Maker => self.to_child.write(data),
            Side::Child => self.to_maker.write(data),
        }
    }
    /// Either side has closed it: what is under way still arrives, and then the end.
    pub fn close(&self) {
        self.to_child.end();
        self.to_maker.end();
    }
}

/// Channels of children that are being started, by the child's number, until its worker takes its end.
#[derive(Default)]
pub(crate) struct Exchange(Mutex<HashMap<u32, Arc<Channel>>>);

impl Exchange {
    pub fn offer(&self, child: u32) -> Arc<Channel> {
        let channel = Arc::new(Channel::default());
        self.0.lock().insert(child, channel.clone());
        channel
    }
    pub fn take(&self, child: u32) -> Option<Arc<Channel>> {
        self.0.lock().remove(&child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads_until_either_closes() {
        let exchange = Exchange::default();
        let channel = exchange.offer(7);
        assert!(exchange.take(8).is_none());
        let theirs = exchange.take(7).expect("offered");
        assert!(exchange.take(7).is_none(), "once");
        assert_eq!(channel.write(Side::Maker, b"down").now(), Some(Ok(4)));
        assert_eq!(theirs.write(Side::Child, b"up").now(), Some(Ok(2)));
        let mut buf = [0; 8];
        assert_eq!(theirs.read(Side::Child, &mut buf).now(), Some(Ok(4)));
        assert_eq!(&buf[..4], b"down");
        theirs.close();
        assert_eq!(channel.read(Side::Maker, &mut buf).now(), Some(Ok(2)), "what was under way");
        assert_eq!(channel.read(Side::Maker, &mut buf).now(), Some(Ok(0)));
        assert!(channel.write(Side::Maker, b"more").now().expect("at once").is_err());
    }
}
