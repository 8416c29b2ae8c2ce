//! A worker's way: warm, then one task, then its end.
//!
//! ```text
//! Warm::new ── everything that is the same for all tasks
//!     │ the task is known
//!    run ───── services, start(), the script, the event loop, 'beforeExit', 'exit'
//! ```

use super::extensions;
use super::thread::{Reins, Shared};
use crate::command::Options;
use crate::control::Exit;
use crate::files::{Follow, Tree};
use crate::link::now;
use crate::modules::{Modules, Slot, package};
use crate::ops::{Channel, MODE, Names, Place, Task};
use deno_core::error::{CoreError, CoreErrorKind, JsError};
use deno_core::stats::{RuntimeActivity, RuntimeActivityStatsFilter};
use deno_core::{DetachedBuffer, JsRuntime, ModuleId, RuntimeOptions, serde_v8, v8};
use deno_io::fs::FileResource;
use deno_node::ops::worker_threads::ResolvedResourceLimits;
use deno_os::ExitCode;
use deno_permissions::{Permissions, PermissionsContainer, RuntimePermissionDescriptorParser};
use deno_web::{JsMessageData, Transferable, serialize_transferables};
use serde::Serialize;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use url::Url;

/// An engine that has loaded everything that does not depend on a task.
pub struct Warm {
    js: JsRuntime,
    modules: Rc<Slot>,
    calls: Calls,
}

/// What `main.js` left for us.
struct Calls {
    start: v8::Global<v8::Function>,
    run_common_js: v8::Global<v8::Function>,
    run_text: v8::Global<v8::Function>,
    preload: v8::Global<v8::Function>,
    unsettled: v8::Global<v8::Function>,
    raise: v8::Global<v8::Function>,
    before_exit: v8::Global<v8::Function>,
    exiting: v8::Global<v8::Function>,
    is_idle: v8::Global<v8::Function>,
}

impl Warm {
    /// For V8 inside a tokio runtime.
    pub fn new(shared: &Shared) -> Warm {
        Warm::within(shared, None)
    }

    /// The same with a heap of its own bounds: a thread's.
    pub(super) fn within(shared: &Shared, bounds: Option<v8::CreateParams>) -> Warm {
        let modules = Rc::new(Slot::default());
        let mut options = RuntimeOptions {
            module_loader: Some(modules.clone()),
            extensions: extensions::all(),
            is_main: bounds.is_none(),
            create_params: bounds,
            shared_array_buffer_store: Some(shared.memories.clone()),
            compiled_wasm_module_store: Some(shared.compiled.clone()),
            ..Default::default()
        };
        shared.seed.plant(&mut options);
        let mut js = JsRuntime::new(options);
        let calls = Calls::take(&mut js);
        if cfg!(feature = "quickjs") {
            // What loading has left behind; a collection touches every object, which those who share them had better not.
            js.v8_isolate().low_memory_notification();
        }
        Warm { js, modules, calls }
    }

    /// What ends its JavaScript from another thread.
    pub(super) fn handle(&mut self) -> v8::IsolateHandle {
        self.js.v8_isolate().thread_safe_handle()
    }

    pub(super) fn js(&mut self) -> &mut JsRuntime {
        &mut self.js
    }
}

impl Calls {
    fn take(js: &mut JsRuntime) -> Calls {
        deno_core::scope!(scope, js);
        let global = scope.get_current_context().global(scope);
        let name = v8::String::new(scope, "taskfs").expect("short");
        let calls: v8::Local<v8::Object> =
            global.get(scope, name.into()).and_then(|v| v.try_into().ok()).expect("main.js sets it");
        global.delete(scope, name.into());
        let take = |name: &str| {
            let key = v8::String::new(scope, name).expect("short");
            let function: v8::Local<v8::Function> =
                calls.get(scope, key.into()).and_then(|v| v.try_into().ok()).expect("main.js sets it");
            v8::Global::new(scope, function)
        };
        Calls {
            start: take("start"),
            run_common_js: take("runCommonJs"),
            run_text: take("runText"),
            preload: take("preload"),
            unsettled: take("unsettled"),
            raise: take("raise"),
            before_exit: take("beforeExit"),
            exiting: take("exiting"),
            is_idle: take("isIdle"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    args: &'a [String],
    exec_argv: &'a [String],
    options: &'a Options,
    /// There is no script's name in `process.argv`.
    is_text: bool,
    argv0: &'a str,
    versions: Versions,
    target: String,
}

#[derive(Serialize)]
struct Versions {
    deno: &'static str,
    v8: String,
    typescript: &'static str,
}

/// A program, or a thread of one, under way.
pub(super) struct Worker {
    js: JsRuntime,
    calls: Calls,
    modules: Modules,
    exit_code: ExitCode,
    cwd: String,
    reins: Option<Arc<Reins>>,
    options: Arc<Options>,
    /// An ES module that waits for what will never come: where.
    unsettled: Option<v8::Global<v8::Value>>,
    /// The main module has been evaluated: what comes now is thrown by callbacks.
    is_settled: bool,
}

/// What is asked for without keeping the program alive: its signals, and what happens to files, unless JavaScript says otherwise.
const UNREFED: [&str; 2] = ["op_signal_poll", "op_watch_read"];
/// So many times the event loop finds nothing to do before nothing is believed to come.
const IDLE: u32 = 4;

/// Whether the engine says that a module waits for what will never come. V8 knows where.
fn never_settles(error: &CoreError) -> bool {
    match &*error.0 {
        CoreErrorKind::ModuleEvaluationDeadlock => true,
        _ => error.to_string().contains("Top-level await promise never resolved"),
    }
}

/// What a call of JavaScript failed with: an error for the program, or one of the engine.
enum Thrown {
    Error(v8::Global<v8::Value>, Option<Place>),
    Engine(String),
}

impl Worker {
    /// Calls one of our functions with what `arguments` makes.
    fn call(
        &mut self,
        function: impl Fn(&Calls) -> &v8::Global<v8::Function>,
        arguments: &[v8::Global<v8::Value>],
    ) -> Result<bool, Thrown> {
        deno_core::scope!(scope, &mut self.js);
        v8::tc_scope!(scope, scope);
        let function = v8::Local::new(scope, function(&self.calls));
        let this = v8::undefined(scope).into();
        let arguments: Vec<v8::Local<v8::Value>> =
            arguments.iter().map(|value| v8::Local::new(scope, value)).collect();
        let result = function.call(scope, this, &arguments).map(|value| value.is_true());
        match result {
            Some(result) => Ok(result),
            None => Err(match scope.exception() {
                Some(error) => {
                    let place = scope.message().and_then(|message| Place::of_message(scope, message));
                    Thrown::Error(v8::Global::new(scope, error), place)
                }
                None => Thrown::Engine("the script was terminated".into()),
            }),
        }
    }

    fn value(&mut self, value: &impl Serialize) -> v8::Global<v8::Value> {
        deno_core::scope!(scope, &mut self.js);
        let value = serde_v8::to_v8(scope, value).expect("strings become strings");
        v8::Global::new(scope, value)
    }

    /// Hands an error to the program's listeners, or ends the task as Node would.
    fn raise(&mut self, error: Thrown) -> Result<(), String> {
        match error {
            Thrown::Engine(message) => Err(message),
            Thrown::Error(error, place) => {
                let place = self.value(&place);
                self.report(&[error, place])
            }
        }
    }

    fn report(&mut self, arguments: &[v8::Global<v8::Value>]) -> Result<(), String> {
        if self.is_over() {
            return Err("the thread was ended".into());
        }
        self.call(|calls| &calls.raise, arguments)
            .map(drop)
            .map_err(|_| "an error could not be reported".into())
    }

    /// The same for an error that came through the engine, which remembers where it was but not the error itself.
    fn raise_core(&mut self, error: CoreError) -> Result<(), String> {
        let tree = self.js.op_state().borrow().borrow::<Tree>().clone();
        let (error, place) = {
            deno_core::scope!(scope, &mut self.js);
            match *error.0 {
                CoreErrorKind::Js(js) => {
                    (error_value(scope, &js), Place::of_error(&js, self.is_settled, &tree))
                }
                other => {
                    let value = deno_core::error::to_v8_error(scope, &CoreError(Box::new(other)));
                    (v8::Global::new(scope, value), None)
                }
            }
        };
        let place = self.value(&place);
        self.report(&[error, place])
    }

    async fn run_es_module(&mut self, main: &Url) -> Result<(), String> {
        match self.load_and_evaluate(main).await {
            Ok(()) => Ok(()),
            Err(error) => self.raise_core(error),
        }
    }

    async fn load_and_evaluate(&mut self, main: &Url) -> Result<(), CoreError> {
        let id = self.js.load_main_es_module(main).await?;
        self.evaluate(id).await
    }

    /// Whether nothing goes on but what no program lives on for: the engine takes that for work that may settle a module.
    fn is_idle(&mut self) -> bool {
        let ops = RuntimeActivityStatsFilter::default().with_ops();
        let under_way = self.js.runtime_activity_stats_factory().capture(&ops).dump().active;
        let is_unrefed = |activity: &RuntimeActivity| matches!(activity, RuntimeActivity::AsyncOp(_, _, name) if UNREFED.contains(name));
        under_way.iter().all(is_unrefed)
            && !self.modules.are_loading()
            && !self.js.v8_isolate().has_pending_background_tasks()
            && matches!(self.call(|calls| &calls.is_idle, &[]), Ok(true))
    }

    async fn evaluate(&mut self, id: ModuleId) -> Result<(), CoreError> {
        let tree = self.js.op_state().borrow().borrow::<Tree>().clone();
        let mut evaluated = std::pin::pin!(self.js.mod_evaluate(id));
        let mut idle = 0;
        let done = std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = evaluated.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            match self.js.poll_event_loop(cx, Default::default()) {
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                // Whoever has nothing left to do settles nothing.
                Poll::Ready(Ok(())) => {
                    return Poll::Ready(match evaluated.as_mut().poll(cx) {
                        Poll::Ready(done) => Some(done),
                        Poll::Pending => None,
                    });
                }
                Poll::Pending => {}
            }
            idle = if self.is_idle() { idle + 1 } else { 0 };
            match idle {
                0 => Poll::Pending,
                1..IDLE => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                _ => Poll::Ready(None),
            }
        })
        .await;
        let Some(done) = done else {
            self.unsettled = Some(self.value(&None::<Place>));
            return Ok(());
        };
        match done {
            Err(error) if never_settles(&error) => {
                let place = match &*error.0 {
                    CoreErrorKind::Js(js) => Place::of_error(js, false, &tree),
                    _ => None,
                };
                self.unsettled = Some(self.value(&place));
                Ok(())
            }
            done => done,
        }
    }

    /// A text that is an ES module, as the command line or its own syntax says.
    async fn run_text_module(&mut self, text: &str) -> Result<(), String> {
        let name = format!("file://{}/[eval1]", self.cwd.trim_end_matches('/'));
        let done = match Url::parse(&name) {
            Ok(url) => match self.js.load_main_es_module_from_code(&url, text.to_owned()).await {
                Ok(id) => self.evaluate(id).await,
                Err(error) => Err(error),
            },
            Err(_) => return Err(format!("{name}: no address of a module")),
        };
        done.or_else(|error| self.raise_core(error))
    }

    /// What is to be loaded before the program.
    async fn preload(&mut self) -> Result<(), String> {
        let options = self.options.clone();
        if !options.require.is_empty() {
            let names = self.value(&options.require);
            if let Err(error) = self.call(|calls| &calls.preload, &[names]) {
                self.raise(error)?;
            }
        }
        for name in &options.import {
            let from = format!("file://{}/", self.cwd.trim_end_matches('/'));
            let done = match self.modules.find(name, &from) {
                Ok(url) => match self.js.load_side_es_module(&url).await {
                    Ok(id) => self.evaluate(id).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error.into()),
            };
            done.or_else(|error| self.raise_core(error))?;
        }
        Ok(())
    }

    /// To its end, without a word of why where it was ended from outside.
    pub(super) async fn run(&mut self, main: &Main) -> Result<(), String> {
        let modules = self.modules.clone();
        self.preload().await?;
        match main {
            Main::File(url) if url.scheme() == "file" && modules.is_common_js(url) => {
                let path = url.to_file_path().map_err(|()| format!("{url} is no file"))?;
                let path = self.value(&path.to_string_lossy());
                match self.call(|calls| &calls.run_common_js, &[path]) {
                    Ok(false) => {}
                    Ok(true) => self.run_es_module(url).await?,
                    Err(error) => self.raise(error)?,
                }
            }
            Main::File(url) => self.run_es_module(url).await?,
            Main::Text { text, .. } if self.options.input_type == "module" => {
                self.run_text_module(text).await?
            }
            Main::Text { text, show, name } => {
                let arguments = [self.value(text), self.value(show), self.value(name)];
                match self.call(|calls| &calls.run_text, &arguments) {
                    Ok(false) => {}
                    Ok(true) => self.run_text_module(text).await?,
                    Err(error) => self.raise(error)?,
                }
            }
        }
        self.is_settled = true;
        let mut waits_for_ever = self.unsettled.is_some();
        loop {
            while !waits_for_ever && let Err(error) = self.js.run_event_loop(Default::default()).await {
                // Not the main module's: another's import never settles, that is all.
                waits_for_ever = never_settles(&error);
                if !waits_for_ever {
                    self.raise_core(error)?;
                }
            }
            match self.call(|calls| &calls.before_exit, &[]) {
                // An await that never ends is work to the engine, for ever.
                Ok(true) if !waits_for_ever => {}
                Ok(_) => break,
                Err(error) => self.raise(error)?,
            }
        }
        let end = match self.unsettled.take() {
            Some(place) => self.call(|calls| &calls.unsettled, &[place]),
            None => self.call(|calls| &calls.exiting, &[]),
        };
        end.map(drop).or_else(|error| self.raise(error))
    }
}

/// The error itself where the engine kept it, else one that says the same.
fn error_value(scope: &mut v8::PinScope<'_, '_>, error: &JsError) -> v8::Global<v8::Value> {
    let message = v8::String::new(scope, error.message.as_deref().unwrap_or(&error.exception_message))
        .unwrap_or_else(|| v8::String::empty(scope));
    let made = match error.name.as_deref() {
        Some("SyntaxError") => v8::Exception::syntax_error(scope, message),
        Some("TypeError") => v8::Exception::type_error(scope, message),
        Some("RangeError") => v8::Exception::range_error(scope, message),
        Some("ReferenceError") => v8::Exception::reference_error(scope, message),
        _ => v8::Exception::error(scope, message),
    };
    if let (Ok(object), Some(stack)) = (v8::Local::<v8::Object>::try_from(made), &error.stack) {
        let key = v8::String::new(scope, "stack").expect("short");
        if let Some(stack) = v8::String::new(scope, stack) {
            object.set(scope, key.into(), stack.into());
        }
    }
    v8::Global::new(scope, made)
}

/// Runs the task to its end; how it ended.
pub async fn run(warm: Warm, tree: Tree, task: Task) -> Exit {
    let main = task.main.clone();
    let outcome = match Worker::start(warm, &tree, &task, None) {
        Ok(mut worker) => {
            end_before_the_heap_does(&mut worker.js, &task);
            let channel = worker.js.op_state().borrow().try_borrow::<Channel>().cloned();
            if channel.is_some() {
                // The runtime learns that it can be written to, so that a message is under way when `send` returns.
                tokio::task::yield_now().await;
            }
            let done = worker.run(&main).await.map(|()| worker.exit_code());
            if let Some(channel) = channel {
                channel.flush();
            }
            done
        }
        Err(message) => Err(message),
    };
    match outcome {
        Ok(code) => Exit { code: Some(code), ..Exit::default() },
        Err(message) => Exit { code: Some(1), message: Some(message), ..Exit::default() },
    }
}

/// What a thread's JavaScript is told of itself.
pub(super) struct Birth {
    pub reins: Arc<Reins>,
    pub id: u32,
    /// What its maker gave it: options, and the ends of its channels.
    pub data: (DetachedBuffer, Vec<Transferable>),
    pub limits: ResolvedResourceLimits,
}

#[derive(Serialize)]
struct Thread {
    id: u32,
    data: JsMessageData,
}

impl Worker {
    /// Gives an engine its task.
    pub(super) fn start(
        warm: Warm,
        tree: &Tree,
        task: &Task,
        thread: Option<Birth>,
    ) -> Result<Worker, String> {
        let Warm { js, modules: slot, calls } = warm;
        let modules = Modules::new(tree, &task.started.options.conditions);
        slot.fill(modules.clone());
        let exit_code = ExitCode::default();
        let names = Names(task.control.clone());
        let services = extensions::services(tree, &task.shared, modules.services(), names, exit_code.clone());
        js.lazy_init_extensions(services).map_err(|e| e.to_string())?;
        {
            let state = js.op_state();
            let mut state = state.borrow_mut();
            for (fd, file) in task.stdio.iter().enumerate() {
                let file = file.clone().into_denos();
                state.borrow_mut::<deno_io::FdTable>().register(fd as i32, file.clone());
                state.resource_table.add(FileResource::new(file, format!("fd {fd}")));
            }
            // What the task may do is the server's to decide, at every request.
            let parser = Arc::new(RuntimePermissionDescriptorParser::new(tree.clone()));
            state.put(PermissionsContainer::new(parser, Permissions::allow_all()));
            state.put(Arc::new(deno_features::FeatureChecker::default()));
            state.put(task.clone());
            state.put(tree.clone());
            state.put(modules.seen().clone());
        }
        let mut worker = Worker {
            js,
            calls,
            modules,
            exit_code,
            cwd: task.spec.cwd.clone(),
            reins: None,
            options: task.started.options.clone(),
            unsettled: None,
            is_settled: false,
        };
        let thread = match thread {
            Some(birth) => Some(worker.become_thread(birth)),
            // The channel is the main thread's alone.
            None if task.spec.ipc => {
                let mode = task.spec.env.get(MODE).map(String::as_str);
                let joined = Channel::join(&task.control, mode);
                let (channel, end) = joined.map_err(|e| format!("the channel to who forked it: {e}"))?;
                let state = worker.js.op_state();
                let mut state = state.borrow_mut();
                state.put(channel);
                state.put(end);
                None
            }
            None => None,
        };
        let start = worker.value(&Start {
            args: &task.started.args,
            exec_argv: &task.started.exec_argv,
            options: &task.started.options,
            is_text: matches!(task.main, Main::Text { .. }),
            argv0: "node",
            versions: Versions { deno: "2.9.0", v8: v8::VERSION_STRING.to_string(), typescript: "" },
            target: format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
        });
        let thread = worker.value(&thread);
        match worker.call(|calls| &calls.start, &[start, thread]) {
            Ok(_) => Ok(worker),
            Err(error) => Err(worker.text(error)),
        }
    }

    fn become_thread(&mut self, birth: Birth) -> Thread {
        let state = self.js.op_state();
        let mut state = state.borrow_mut();
        state.put(birth.reins.clone());
        state.put(birth.limits);
        self.reins = Some(birth.reins);
        let (data, transferables) = birth.data;
        let transferables = serialize_transferables(&mut state, transferables);
        Thread { id: birth.id, data: JsMessageData { data, transferables } }
    }

    /// A thread whose end is decided runs no more JavaScript, not even for its errors.
    fn is_over(&self) -> bool {
        self.reins.as_ref().is_some_and(|reins| reins.is_ending())
    }

    pub(super) fn exit_code(&self) -> i32 {
        self.exit_code.get()
    }
}

/// V8 aborts where its heap is full, which nobody could read anything of. QuickJS throws, and has no such limit.
fn end_before_the_heap_does(js: &mut JsRuntime, task: &Task) {
    if cfg!(feature = "quickjs") {
        return;
    }
    let control = task.control.clone();
    js.add_near_heap_limit_callback(move |limit, _| {
        let message = format!("JavaScript heap out of memory ({} MiB)", limit >> 20);
        control.exit(Exit { code: Some(134), message: Some(message), ..Exit::default() })
    });
}

impl Worker {
    fn text(&mut self, error: Thrown) -> String {
        match error {
            Thrown::Engine(message) => message,
            Thrown::Error(error, _) => {
                deno_core::scope!(scope, &mut self.js);
                let error = v8::Local::new(scope, error);
                JsError::from_v8_exception(scope, error).to_string()
            }
        }
    }
}

/// What programs end in.
const EXTENSIONS: [&str; 8] = ["js", "mjs", "cjs", "ts", "mts", "cts", "json", "wasm"];

/// What a worker runs.
#[derive(Clone, Debug)]
pub enum Main {
    /// A script, links followed as Node does for its main module.
    File(Url),
    Text {
        text: String,
        show: bool,
        name: &'static str,
    },
}

impl Main {
    /// A script by its path, or what a directory with a package.json names. One that is not there is the module loader's to say.
    ///
    /// # Errors
    /// A path that no address can hold; a directory that names no program.
    pub fn file(tree: &Tree, path: &str) -> io::Result<Main> {
        let path = tree.cwd().join(path);
        let mut path = now(tree.real_path(&path)).unwrap_or(path);
        // A file's name as a rule says that it is one, and saves looking.
        let named = path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end == *known));
        if !named && now(tree.stat(&path, Follow::Yes)).is_ok_and(|meta| meta.is_dir()) {
            let entry = package::entry(tree, &path).map_err(io::Error::other)?;
            path = now(tree.real_path(&entry))?;
        }
        let url = Url::from_file_path(&path).map_err(|()| io::Error::from_raw_os_error(libc::EINVAL))?;
        Ok(Main::File(url))
    }

    /// As `process.argv[1]` and `Deno.mainModule` have it.
    pub fn url(&self, tree: &Tree) -> String {
        match self {
            Main::File(url) => url.to_string(),
            Main::Text { name, .. } => format!("file://{}/{name}", tree.cwd().display()),
        }
    }
}
