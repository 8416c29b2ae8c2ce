//! ps(1) and kill(1) as programs: the tasks that the namespace's /task shows, as its files tell of them. The shell's own `kill` knows its
//! jobs, too.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::people::People;
use super::{Input, Invocation, times, words};
use crate::traps;
use vfs::{Follow, OpenFlags, Time};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [aux]",
    "Report the tasks that this one sees: those that run, or with -e all.",
    "e,A a d f l x w u,user= U o,format= p,pid= h no-headers,no-heading",
);
pub(super) const KILL: Program =
    Program::new("[-s SIGNAL | -SIGNAL] PID... | -l [SIGNAL]...", "Send signals to tasks.", "").raw();

/// What a small file of a task's may hold.
const MOST: usize = 64 << 10;

/// What the files of a task say.
struct Task {
    id: u32,
    parent: Option<u32>,
    uid: u32,
    status: String,
    argv: Vec<String>,
    real_ms: u64,
    cpu_ms: u64,
    memory: u64,
}

async fn content(call: &mut Invocation<'_>, path: &str) -> vfs::Result<String> {
    let place = call.place(path.as_bytes(), Follow::Yes).await?;
    let mut input = Input::open(&place, call.who).await?;
    let mut text = Vec::new();
    while text.len() < MOST {
        let next = call.fill(&mut input).await?;
        if next.is_empty() {
            break;
        }
        text.extend_from_slice(next);
        let count = next.len();
        input.take(count);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Task {
    /// None where it has gone, or is not for us to see.
    async fn look(call: &mut Invocation<'_>, id: u32) -> Option<Task> {
        let file = |name: &str| format!("/task/{id}/{name}");
        let stat = call.stat(format!("/task/{id}").as_bytes(), Follow::Yes).await.ok()?;
        let status = content(call, &file("status")).await.ok()?.trim().to_owned();
        let parent = content(call, &file("ppid")).await.ok()?.trim().parse().ok();
        let usage = content(call, &file("usage")).await.ok()?;
        let cmd = content(call, &file("cmd")).await.unwrap_or_default();
        let used = |name: &str| -> u64 {
            let line = usage.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        let argv = task::rc::split(cmd.trim_end().as_bytes()).unwrap_or_default();
        Some(Task {
            id,
            parent,
            uid: stat.uid.0,
            status,
            argv: argv.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
            real_ms: used("real-ms"),
            cpu_ms: used("user-ms") + used("sys-ms"),
            memory: used("memory"),
        })
    }

    fn has_ended(&self) -> bool {
        self.status == "exited"
    }

    /// Its program's name, as the kernel would have it.
    fn name(&self) -> String {
        let first = self.argv.first().map_or("", String::as_str);
        let name: String = first.rsplit('/').next().unwrap_or(first).chars().take(15).collect();
        if self.has_ended() { format!("{name} <defunct>") } else { name }
    }

    fn line(&self) -> String {
        if self.has_ended() {
            format!("[{}] <defunct>", self.name().trim_end_matches(" <defunct>"))
        } else {
            self.argv.join(" ")
        }
    }

    fn state(&self) -> &'static str {
        match self.status.as_str() {
            "running" => "S",
            "stopped" => "T",
            "exited" => "Z",
            _ => "I",
        }
    }

    fn percent_cpu(&self) -> f64 {
        if self.real_ms == 0 { 0.0 } else { self.cpu_ms as f64 * 100.0 / self.real_ms as f64 }
    }
}

/// `[[DD-]HH:]MM:SS`.
fn elapsed(secs: u64) -> String {
    let (days, hours, minutes, seconds) = (secs / 86400, secs / 3600 % 24, secs / 60 % 60, secs % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes:02}:{seconds:02}"),
        (0, _) => format!("{hours:02}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

fn cpu_time(secs: u64) -> String {
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

/// A column: its names, its head, whether it is flush right.
const COLUMNS: [(&[&str], &str, bool); 13] = [
    (&["pid", "tgid"], "PID", true),
    (&["ppid"], "PPID", true),
    (&["user", "euser", "uname", "ruser"], "USER", false),
    (&["uid", "euid"], "UID", true),
    (&["comm", "ucmd", "ucomm"], "COMMAND", false),
    (&["args", "cmd", "command"], "COMMAND", false),
    (&["stat", "state", "s"], "STAT", false),
    (&["time", "cputime"], "TIME", true),
    (&["etime"], "ELAPSED", true),
    (&["rss", "rssize", "vsz", "vsize"], "RSS", true),
    (&["%cpu", "pcpu"], "%CPU", true),
    (&["tty", "tt", "tname"], "TTY", false),
    (&["stime", "start", "start_time"], "STIME", true),
];

fn cell(task: &Task, column: usize, people: &People, call: &Invocation<'_>) -> String {
    match column {
        0 => task.id.to_string(),
        1 => task.parent.unwrap_or(0).to_string(),
        2 => people.user(task.uid),
        3 => task.uid.to_string(),
        4 => task.name(),
        5 => task.line(),
        6 => task.state().to_owned(),
        7 => cpu_time(task.cpu_ms / 1000),
        8 => elapsed(task.real_ms / 1000),
        9 => (task.memory / 1024).to_string(),
        10 => format!("{:.1}", task.percent_cpu()),
        11 => "?".to_owned(),
        _ => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let secs = now.as_secs().saturating_sub(task.real_ms / 1000);
            let zoned = times::zoned(Time { secs: secs as i64, nanos: 0 }, &times::zone(call.env));
            String::from_utf8_lossy(&times::format(&zoned, b"%H:%M")).into_owned()
        }
    }
}

/// The columns, with their heads, of -o's words.
fn chosen(words: &[u8]) -> Done<Vec<(usize, String)>> {
    let mut columns = Vec::new();
    let mut rest = String::from_utf8_lossy(words).into_owned();
    while !rest.is_empty() {
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        // A head of one's own goes on to the end.
        let (word, head, next) = match rest.find('=').filter(|at| *at < end) {
            // No head at all, and another column behind it.
            Some(at) if rest[at + 1..].starts_with(',') => {
                (rest[..at].to_owned(), Some(String::new()), rest[at + 2..].to_owned())
            }
            Some(at) => (rest[..at].to_owned(), Some(rest[at + 1..].to_owned()), String::new()),
            None => (rest[..end].to_owned(), None, rest[(end + 1).min(rest.len())..].to_owned()),
        };
        rest = next;
        if word.is_empty() {
            continue;
        }
        match COLUMNS.iter().position(|(names, ..)| names.contains(&word.as_str())) {
            Some(column) => columns.push((column, head.unwrap_or_else(|| COLUMNS[column].1.to_owned()))),
            None => {
                return fail(say!("error: unknown user-defined format specifier ", quoted(word.as_bytes())));
            }
        }
    }
    Ok(columns)
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    // BSD's way: letters without a dash.
    let letters: String = args.operands.iter().map(|word| String::from_utf8_lossy(word)).collect();
    if letters.chars().any(|letter| !"auxefwlh".contains(letter)) {
        return misused(say!("unsupported option ", quoted(letters.as_bytes())));
    }
    let people = People::read(call).await;
    let mut columns = Vec::new();
    for given in args.options.iter().filter(|given| given.key == "o") {
        columns.extend(chosen(given.value.as_deref().unwrap_or_default())?);
    }
    if columns.is_empty() {
        let usual: &[u8] = match () {
            () if letters.contains('u') => b"user,pid,%cpu,rss,tty,stat,stime,time,args",
            () if args.has("f") => b"user=UID,",
            () if letters.is_empty() => b"pid,tty,time,comm=CMD",
            () => b"pid,tty,stat,time,args",
        };
        columns = match usual.ends_with(b"=UID,") {
            true => [&b"user=UID"[..], b"pid,ppid,stime,tty,time", b"args=CMD"]
                .into_iter()
                .map(chosen)
                .collect::<Done<Vec<_>>>()?
                .concat(),
            false => chosen(usual)?,
        };
    }
    let mut listed = Vec::new();
    for given in args.options.iter().filter(|given| given.key == "p") {
        for word in String::from_utf8_lossy(given.value.as_deref().unwrap_or_default()).split([',', ' ']) {
            match word.parse::<u32>() {
                Ok(id) => listed.push(id),
                Err(_) => return fail("error: process ID list syntax error"),
            }
        }
    }
    let user = match args.value("u") {
        None => None,
        Some(name) => match people.uid(name) {
            Some(uid) => Some(uid),
            None => return fail("error: user name does not exist"),
        },
    };
    let ended = args.has("e") || letters.contains('x') || user.is_some();
    let mut tasks = Vec::new();
    for id in ids(call).await? {
        if !listed.is_empty() && !listed.contains(&id) {
            continue;
        }
        let Some(task) = Task::look(call, id).await else { continue };
        let shown = !listed.is_empty() || ended || !matches!(task.status.as_str(), "exited" | "new");
        if shown && user.is_none_or(|uid| task.uid == uid) {
            tasks.push(task);
        }
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    // Heads that are all empty make no line.
    if !args.has("no-headers") && !args.has("h") && columns.iter().any(|(_, head)| !head.is_empty()) {
        rows.push(columns.iter().map(|(_, head)| head.clone()).collect());
    }
    for task in &tasks {
        rows.push(columns.iter().map(|(column, _)| cell(task, *column, &people, call)).collect());
    }
    let wide = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(wide).collect();
    for row in &rows {
        let mut line = String::new();
        for (at, text) in row.iter().enumerate() {
            let (width, last) = (widths[at], at + 1 == row.len());
            match (COLUMNS[columns[at].0].2, last) {
                (true, _) => line += &format!("{text:>width$}"),
                (false, true) => line += text,
                (false, false) => line += &format!("{text:<width$}"),
            }
            line += if last { "\n" } else { " " };
        }
        call.stdout.write(line.as_bytes()).await?;
    }
    Ok(u8::from(tasks.is_empty()))
}

/// The numbers in /task.
async fn ids(call: &mut Invocation<'_>) -> Done<Vec<u32>> {
    let listed = async {
        let place = call.place(b"/task", Follow::Yes).await?;
        super::walk::names(call, &place).await
    };
    match listed.await {
        Ok(names) => {
            let number = |name: &vfs::NameBuf| std::str::from_utf8(name).ok()?.parse().ok();
            let mut ids: Vec<u32> = names.iter().filter_map(number).collect();
            ids.sort_unstable();
            Ok(ids)
        }
        Err(error) => fail(say!("/task: ", words(&error))),
    }
}

pub(super) async fn kill(call: &mut Invocation<'_>, _args: Args) -> Done {
    let mut rest = call.args();
    let mut signal = libc::SIGTERM;
    let usage = "no process ID specified";
    match rest.first().map(Vec::as_slice) {
        None => return misused(usage),
        Some(b"-l" | b"--list" | b"-L" | b"--table") => return list(call, &rest[1..]).await,
        Some(b"--") => rest = &rest[1..],
        Some(option) if option.starts_with(b"-") && option.len() > 1 => {
            let (word, behind) = match (option, rest.get(1)) {
                (b"-s" | b"-n" | b"--signal", Some(word)) => (word.as_slice(), &rest[2..]),
                (b"-s" | b"-n" | b"--signal", None) => {
                    return misused(say!(quoted(option), " requires an argument"));
                }
                _ => (&option[1..], &rest[1..]),
            };
            match traps::signal(word) {
                Some(number) => signal = number,
                None => return fail(say!(quoted(word), ": invalid signal")),
            }
            rest = match behind.first() {
                Some(word) if word == b"--" => &behind[1..],
                _ => behind,
            };
        }
        Some(_) => {}
    }
    if rest.is_empty() {
        return misused(usage);
    }
    let mut failed = false;
    for word in rest {
        let Some(id) = std::str::from_utf8(word).ok().and_then(|text| text.parse::<u32>().ok()) else {
            failed = true;
            call.warn(say!(quoted(word), ": invalid process id")).await;
            continue;
        };
        if let Err(why) = deliver(call, id, signal).await {
            failed = true;
            call.warn(say!("(", word, ") - ", why)).await;
        }
    }
    Ok(u8::from(failed))
}

async fn deliver(call: &mut Invocation<'_>, id: u32, signal: i32) -> Result<(), String> {
    let gone = || "No such process".to_owned();
    let status = content(call, &format!("/task/{id}/status")).await.map_err(|_| gone())?;
    if matches!(status.trim(), "exited" | "new") {
        return Err(gone());
    }
    if signal == 0 {
        return Ok(());
    }
    let line = format!("kill {}\n", traps::name(signal));
    let told = async {
        let place = call.place(format!("/task/{id}/ctl").as_bytes(), Follow::Yes).await?;
        let ctl = place.open(call.who, OpenFlags::WRITE).await?;
        ctl.write(0, line.as_bytes()).await
    };
    told.await.map(drop).map_err(|error: vfs::Error| words(&error))
}

async fn list(call: &mut Invocation<'_>, words: &[Vec<u8>]) -> Done {
    let mut text = String::new();
    if words.is_empty() {
        text = format!("{}\n", traps::SIGNALS.join(" "));
    }
    for word in words {
        // A number may be an exit status, too.
        let number = std::str::from_utf8(word).ok().and_then(|text| text.parse::<i32>().ok());
        let known = number.map(|number| if number > 128 { number - 128 } else { number });
        match (known, traps::signal(word)) {
            (Some(number @ 1..=31), _) => text += &format!("{}\n", traps::name(number)),
            (None, Some(signal)) => text += &format!("{signal}\n"),
            _ => return fail(say!(quoted(word), ": invalid signal")),
        }
    }
    call.stdout.write(text.as_bytes()).await?;
    Ok(0)
}
