//! child_process.fork: the channel between a program and the one that forked it. Deno's JavaScript speaks on a socket; what
//! goes through it is carried to and from the control tree here, as a child's standard files are.

use super::children::{CARRIED, pipe};
use crate::control::Control;
use crate::files::OpenFile;
use crate::link::now;
use deno_core::unsync::spawn;
use deno_core::{OpState, ResourceId};
use deno_node::ChildPipeFd;
use deno_node::ops::ipc::ChildIpcSerialization;
use deno_process::ipc::{IpcAdvancedStreamResource, IpcJsonStreamResource, IpcRefTracker};
use nine::wire::OpenFlags;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The variables by which Node tells a child of its channel.
pub const FD: &str = "NODE_CHANNEL_FD";
pub const MODE: &str = "NODE_CHANNEL_SERIALIZATION_MODE";

/// The forked program's end of its channel.
#[derive(Clone)]
pub struct Channel {
    socket: Arc<std::os::unix::net::UnixStream>,
    /// Gone where the channel is closed: whoever holds the file holds it open.
    to: Weak<OpenFile>,
}

impl Channel {
    /// The forked program's own end, and what its `process` finds.
    pub fn join(control: &Control, mode: Option<&str>) -> io::Result<(Channel, ChildPipeFd)> {
        let mode = match mode {
            Some("advanced") => ChildIpcSerialization::Advanced,
            _ => ChildIpcSerialization::Json,
        };
        let (fd, channel) = connect(control, &["ipc"])?;
        Ok((channel, ChildPipeFd(fd, mode)))
    }

    /// Sends what the program has said and nobody has carried yet: it is about to end.
    pub fn flush(&self) {
        let Some(to) = self.to.upgrade() else { return };
        let mut buf = vec![0; CARRIED];
        while let Ok(n @ 1..) = (&*self.socket).read(&mut buf) {
            if now(to.write_from(0, &buf[..n])).is_err() {
                break;
            }
        }
    }
}

/// Makes a channel of the control tree a socket of this process: its number. When either side closes, so does the other.
pub fn carry(control: &Control, names: &[&str]) -> io::Result<i64> {
    connect(control, names).map(|(fd, _)| fd)
}

fn connect(control: &Control, names: &[&str]) -> io::Result<(i64, Channel)> {
    // Requests of one fid wait for each other, so that reading and writing need one each.
    let opened = |flags| io::Result::Ok(OpenFile::stdio(control.open(names, flags)?, flags));
    let (from, to) = (opened(OpenFlags::empty())?, Arc::new(opened(OpenFlags::WRONLY)?));
    let (fd, socket) = pipe()?;
    let ours = socket.as_fd().try_clone_to_owned()?;
    let channel = Channel { socket: Arc::new(ours.into()), to: Arc::downgrade(&to) };
    let (mut incoming, mut outgoing) = socket.into_split();
    spawn(async move {
        let received = async {
            let mut buf = vec![0; CARRIED];
            while let Ok(n @ 1..) = from.read_at(0, &mut buf).await {
                if outgoing.write_all(&buf[..n]).await.is_err() {
                    break;
                }
            }
        };
        let sent = async {
            let mut buf = vec![0; CARRIED];
            while let Ok(n @ 1..) = incoming.read(&mut buf).await {
                // Where the other is gone, what it has said is still to be received.
                let _ = to.write_from(0, &buf[..n]).await;
            }
        };
        tokio::select! {
            () = received => {}
            () = sent => {}
        }
        drop((from, to));
        // What is cloned would keep it open.
        let _ = outgoing.shutdown().await;
        // What was sent and nobody took would be a connection reset to who sent it, before what he was sent last.
        let mut unheard = vec![0; CARRIED];
        while let Ok(1..) = incoming.read(&mut unheard).await {}
    });
    Ok((fd, channel))
}

/// The maker's end, as Deno's JavaScript takes it.
pub fn open(state: &mut OpState, fd: i64, mode: Option<&str>) -> io::Result<ResourceId> {
    let tracker = IpcRefTracker::new(state.external_ops_tracker.clone());
    Ok(match mode {
        Some("advanced") => state.resource_table.add(IpcAdvancedStreamResource::new(fd, tracker)?),
        _ => state.resource_table.add(IpcJsonStreamResource::new(fd, tracker)?),
    })
}
