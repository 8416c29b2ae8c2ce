//! node:worker_threads: what `js/threads.js` needs to make threads, and to hold them. Their channels are message ports.

use super::Task;
use crate::engine::{End, Limits, Main, Reins, Request};
use crate::files::Tree;
use deno_core::{OpState, Resource, ResourceId, op2};
use deno_error::JsErrorBox;
use deno_web::{JsMessageData, deserialize_js_transferables};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use url::Url;

/// A thread that JavaScript holds. When its maker ends, so does it.
struct Held(Arc<Reins>);

impl Resource for Held {
    fn name(&self) -> Cow<'_, str> {
        "thread".into()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.end(End { code: 1, ..End::default() });
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    /// The URL of its script; none where `text` is all of it.
    url: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    limits: Limits,
}

#[derive(Serialize)]
pub struct Made {
    id: u32,
    rid: ResourceId,
}

#[op2]
#[serde]
pub fn op_thread_start(
    state: &mut OpState,
    #[serde] wanted: Wanted,
    #[serde] data: JsMessageData,
) -> Result<Made, JsErrorBox> {
    let main = match &wanted.url {
        Some(url) => Main::File(Url::parse(url).map_err(JsErrorBox::from_err)?),
        None => Main::Text { text: wanted.text, show: false, name: "[worker eval]" },
    };
    let transferables =
        deserialize_js_transferables(state, data.transferables).map_err(JsErrorBox::from_err)?;
    let request = Request {
        task: Task { main: main.clone(), ..state.borrow::<Task>().clone() },
        tree: state.borrow::<Tree>().clone(),
        main,
        limits: wanted.limits,
        data: (data.data, transferables),
    };
    let (id, reins) = request.start().map_err(JsErrorBox::from_err)?;
    Ok(Made { id, rid: state.resource_table.add(Held(reins)) })
}

fn reins(state: &OpState, rid: ResourceId) -> Result<Arc<Reins>, JsErrorBox> {
    state.resource_table.get::<Held>(rid).map(|held| held.0.clone()).map_err(JsErrorBox::from_err)
}

#[op2]
#[serde]
pub async fn op_thread_over(state: Rc<RefCell<OpState>>, #[smi] rid: ResourceId) -> Result<End, JsErrorBox> {
    let reins = reins(&state.borrow(), rid)?;
    let end = reins.over().await;
    let _ = state.borrow_mut().resource_table.take_any(rid);
    Ok(end)
}

#[op2(fast)]
pub fn op_thread_end(state: &mut OpState, #[smi] rid: ResourceId) -> Result<(), JsErrorBox> {
    reins(state, rid)?.end(End { code: 1, ..End::default() });
    Ok(())
}

/// In microseconds; below zero where there is none to tell of.
#[op2(fast)]
pub fn op_thread_cpu_time(state: &mut OpState, #[smi] rid: ResourceId) -> f64 {
    let time = reins(state, rid).ok().and_then(|reins| reins.cpu_time());
    time.map_or(-1.0, |nanos| nanos as f64 / 1e3)
}
