//! `postMessageToThread`: letters from any thread of the program to any other, by number.
//!
//! A thread that wants to send or receive has a box here. Its number is never used again, so a box that is gone stays gone.

use deno_core::{CancelFuture, CancelHandle, DetachedBuffer, OpState, RcRef, Resource, ResourceId, op2};
use deno_error::JsErrorBox;
use deno_web::{JsMessageData, Transferable, deserialize_js_transferables, serialize_transferables};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, MutexGuard};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Letter = (DetachedBuffer, Vec<Transferable>);

struct Slit {
    sender: UnboundedSender<Letter>,
    listeners: u32,
}

static BOXES: LazyLock<Mutex<HashMap<u32, Slit>>> = LazyLock::new(Mutex::default);

fn boxes() -> MutexGuard<'static, HashMap<u32, Slit>> {
    BOXES.lock().expect("no holder of the lock panics")
}

/// A thread's own box, as it holds it.
struct OwnBox {
    thread: u32,
    letters: RefCell<UnboundedReceiver<Letter>>,
    cancel: CancelHandle,
}

impl Resource for OwnBox {
    fn name(&self) -> Cow<'_, str> {
        "threadMessageReceiver".into()
    }

    fn close(self: Rc<Self>) {
        self.cancel.cancel();
    }
}

impl Drop for OwnBox {
    fn drop(&mut self) {
        boxes().remove(&self.thread);
    }
}

#[op2(fast)]
#[smi]
pub fn op_node_worker_thread_register(state: &mut OpState, thread: u32) -> ResourceId {
    let (sender, letters) = unbounded_channel();
    boxes().insert(thread, Slit { sender, listeners: 0 });
    let cancel = CancelHandle::default();
    state.resource_table.add(OwnBox { thread, letters: RefCell::new(letters), cancel })
}

#[op2(fast)]
pub fn op_node_worker_thread_set_listener_count(thread: u32, count: u32) {
    if let Some(slit) = boxes().get_mut(&thread) {
        slit.listeners = count;
    }
}

/// 0: there is no such thread; 1: nobody listens there; 2: it is under way. An answer (`force`) needs no listener.
#[op2]
pub fn op_node_worker_thread_post_message(
    state: &mut OpState,
    thread: u32,
    #[serde] data: JsMessageData,
    force: bool,
) -> Result<u8, JsErrorBox> {
    let sender = match boxes().get(&thread) {
        None => return Ok(0),
        Some(slit) if slit.listeners == 0 && !force => return Ok(1),
        Some(slit) => slit.sender.clone(),
    };
    let transferables =
        deserialize_js_transferables(state, data.transferables).map_err(JsErrorBox::from_err)?;
    Ok(if sender.send((data.data, transferables)).is_ok() { 2 } else { 0 })
}

/// The next letter; nothing where none will come.
#[op2]
pub async fn op_node_worker_thread_recv_message(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Option<JsMessageData> {
    let own = state.borrow().resource_table.get::<OwnBox>(rid).ok()?;
    let cancel = RcRef::map(own.clone(), |own| &own.cancel);
    let next = std::future::poll_fn(|cx| own.letters.borrow_mut().poll_recv(cx));
    let (data, transferables) = next.or_cancel(cancel).await.ok()??;
    let transferables = serialize_transferables(&mut state.borrow_mut(), transferables);
    Some(JsMessageData { data, transferables })
}
