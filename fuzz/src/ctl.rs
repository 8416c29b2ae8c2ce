//! The texts that tasks are written in: rc(1)'s quoting, ctl messages, limits, capabilities, words, namespaces. Whatever is
//! taken is shown so that it is taken again; what is refused changes nothing; nothing panics.

use std::sync::Arc;
use task::{Cap, Config, Limits, Registry, Task, TaskTable, ctl, rc, spec};
use vfs::{Caller, Follow, MemTree, Mode, Name, Namespace, OpenFlags};

thread_local! {
    /// A server's table of tasks over a tree with a few names. Its runtime lives as long: nothing is ever run on it.
    static TABLE: (Arc<TaskTable>, tokio::runtime::Runtime) = table();
}

fn table() -> (Arc<TaskTable>, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let me = Caller::me();
    let root = ns.root();
    for dir in ["a", "b", "tmp", "it's", "two words"] {
        let made = root.mkdir(&me, Name::new(dir.as_bytes()).expect("a name"), Mode::new(0o755)).now();
        made.expect("at once").expect("a directory");
    }
    let at = root.resolve(&me, b"/a", Follow::Yes).now().expect("at once").expect("it is there");
    let flags = OpenFlags::READ | OpenFlags::WRITE;
    let file = at.create(&me, Name::new(b"file").expect("a name"), Mode::new(0o644), flags).now();
    file.expect("at once").expect("a file");
    let handle = runtime.handle().clone();
    let config = Config {
        registry: Registry::default(),
        handle,
        max_tasks: 16,
        limits: Limits::default(),
        attach: None,
    };
    let table = TaskTable::new(config).expect("a table");
    table.set_home(ns);
    (table, runtime)
}

/// The input is a message to ctl, and each of its lines whatever else a line can be.
pub fn check(input: &[u8]) {
    quoting(input);
    words(input);
    for line in rc::lines(input) {
        limit(line);
        capability(line);
    }
    TABLE.with(|(table, _)| message(table, input));
}

fn quoting(input: &[u8]) {
    if let Ok(words) = rc::split(input) {
        assert_eq!(rc::split(&rc::join(&words)), Ok(words.clone()), "joined words are split into themselves");
        for word in &words {
            assert_eq!(rc::split(&rc::quote(word)), Ok(vec![word.clone()]));
        }
        // What no quote holds together may as well be split line by line.
        let by_line: Result<Vec<Vec<_>>, _> = rc::lines(input).into_iter().map(rc::split).collect();
        assert_eq!(by_line.map(|lines| lines.concat()), Ok(words));
    }
    let lines = rc::lines(input);
    let length: usize = lines.iter().map(|line| line.len()).sum();
    let ends = lines.len() - usize::from(input.last().is_some_and(|_| !ends_a_line(input, &lines)));
    assert_eq!(length + ends, input.len(), "lines and their ends are the whole text");
}

/// Whether the last line has its end: then nothing of the text lies behind it but that.
fn ends_a_line(input: &[u8], lines: &[&[u8]]) -> bool {
    lines.last().is_some_and(|last| last.as_ptr_range().end != input.as_ptr_range().end)
}

fn words(input: &[u8]) {
    if let Ok(words) = spec::parse_words(input) {
        let shown = spec::show_words(words.iter().map(Vec::as_slice));
        assert_eq!(spec::parse_words(&shown), Ok(words));
    }
    if let Ok(words) = spec::parse_cmd(input) {
        assert_eq!(spec::parse_cmd(&rc::join(&words)), Ok(words));
    }
    let mut env = spec::Spec::default();
    if env.add_env(input).is_ok() {
        let mut again = spec::Spec::default();
        again.add_env(&env.show_env()).expect("what is shown is taken");
        assert_eq!(again.env, env.env);
    } else {
        assert!(env.env.is_empty(), "a bad text changes nothing");
    }
}

fn limit(line: &[u8]) {
    let Ok(line) = std::str::from_utf8(line) else { return };
    let mut limits = Limits::default();
    if limits.set(line).is_ok() {
        let mut again = Limits::default();
        for line in limits.to_string().lines() {
            again.set(line).expect("what is shown is taken");
        }
        assert_eq!(again, limits, "{line}");
        assert!(limits.within(&Limits::default()).is_ok() && limits.within(&limits).is_ok());
    } else {
        assert_eq!(limits, Limits::default(), "a bad limit changes nothing");
    }
}

fn capability(line: &[u8]) {
    let Ok(words) = rc::split(line) else { return };
    let Ok(cap) = Cap::parse(&words) else { return };
    let shown = cap.to_string();
    let again = rc::split(shown.as_bytes()).map(|words| Cap::parse(&words));
    assert_eq!(again, Ok(Ok(cap.clone())), "{shown}");
    let mut caps = task::Caps::default();
    caps.grant(cap.clone());
    assert!(caps.within(&caps).is_ok(), "it is within itself: {shown}");
    assert!(caps.revoke(&cap).is_ok(), "what was granted can be taken away: {shown}");
    assert_eq!(caps, task::Caps::default());
}

/// All of a task that a message can change, as text.
fn state(task: &Task) -> [String; 5] {
    let spec = task.spec();
    [
        task.limits().to_string(),
        task.caps().to_string(),
        String::from_utf8_lossy(&task.ns_text()).into_owned(),
        format!("{:?}", (&spec.kind, &spec.argv, &spec.env, &spec.cwd)),
        spec.alias,
    ]
}

fn message(table: &Arc<TaskTable>, input: &[u8]) {
    let who = Caller::me();
    let task = table.make(&who).expect("there is room for one");
    let before = state(&task);
    let Some(done) = ctl::write(&task, &who, input).now() else {
        let waits =
            |line| rc::split(line).is_ok_and(|words| words.first().is_some_and(|verb| verb == b"waitstop"));
        assert!(rc::lines(input).into_iter().any(waits), "nothing else waits");
        table.remove(task.id).expect("who gave up waiting holds nothing");
        return;
    };
    let several = rc::lines(input).iter().filter(|line| !line.trim_ascii().is_empty()).count() > 1;
    if done.is_err() && !several {
        assert_eq!(state(&task), before, "a refused message changes nothing");
    }
    if let Err(error) = &done {
        assert!(!error.text().is_empty());
        let help = ctl::help(&task);
        let last = help.lines().last().expect("ctl lists its commands");
        assert!(last.starts_with("last error: "), "the error is one line: {last:?}");
    }
    // The namespace's text is read back, as far as what it names is still to be found.
    let text = task.ns_text();
    let other = table.make(&who).expect("there is room for two");
    let mut rebuilding = Box::pin(other.write_ns(&who, &text));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match rebuilding.as_mut().poll(&mut cx) {
        std::task::Poll::Pending => panic!("nothing to wait for"),
        std::task::Poll::Ready(Err(error)) => {
            let shown = String::from_utf8_lossy(&text);
            assert!(!error.text().contains("namespace line"), "{error}: {shown}");
        }
        std::task::Poll::Ready(Ok(())) => assert_eq!(other.ns_text(), text),
    }
    drop(rebuilding);
    assert!(!task.spec().alias.contains('\n'), "an alias is one line");
    for task in [task, other] {
        // The message may have said `remove` already.
        let _gone = table.remove(task.id);
    }
    assert!(table.is_empty());
}
