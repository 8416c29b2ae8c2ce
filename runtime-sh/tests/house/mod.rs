//! A server's inside, with a shell in it and no transport: tasks are made as clients make them, their output is read as a
//! client reads it.

#![allow(dead_code)] // each test file uses its part

use runtime_sh::Sh;
use std::sync::Arc;
use std::time::Duration;
use task::{Exit, Registry, Task, TaskTable};
use vfs::mem::MemTree;
use vfs::{Caller, FileRef, Follow, Mode, Name, Namespace, OpenFlags};

pub struct House {
    pub table: Arc<TaskTable>,
    pub ns: Namespace,
    pub me: Caller,
}

/// What a task that has ended leaves behind.
#[derive(PartialEq, Eq, Debug, Clone)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl House {
    pub async fn new() -> House {
        let ns = Namespace::new(MemTree::new().root(), "mem");
        let me = Caller::me();
        for (dir, mode) in [("bin", 0o755), ("home", 0o755), ("tmp", 0o1777)] {
            let name = Name::new(dir.as_bytes()).expect("a name");
            ns.root().mkdir(&me, name, Mode::new(mode)).await.expect("a directory");
        }
        let sh = Sh::new().expect("threads");
        let table = TaskTable::new(task::Config::new(Registry::new(vec![Arc::new(sh)]))).expect("a table");
        services::mount_all(&ns, &table).expect("the trees");
        table.set_home(ns.clone());
        House { table, ns, me }
    }

    pub async fn write(&self, path: &str, text: &str, mode: u32) {
        let parent = self.ns.root().resolve_parent(&self.me, path.as_bytes()).await.expect("a directory");
        let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
        let made =
            parent.dir.create(&self.me, parent.name.as_name(), Mode::new(mode), flags).await.expect("a file");
        made.file.write(0, text.as_bytes()).await.expect("written");
    }

    pub async fn read(&self, path: &str) -> String {
        let place = self.ns.root().resolve(&self.me, path.as_bytes(), Follow::Yes).await.expect(path);
        let file = place.open(&self.me, OpenFlags::READ).await.expect(path);
        String::from_utf8_lossy(&all(&file).await).into_owned()
    }

    /// A task that runs `argv` in /tmp, not started.
    pub fn make(&self, argv: &[&str]) -> Arc<Task> {
        let task = self.table.make(&self.me).expect("a task");
        let set = task.change_spec("argv", |spec| {
            spec.argv = argv.iter().map(|word| word.as_bytes().to_vec()).collect();
            spec.cwd = b"/tmp".to_vec();
            Ok(())
        });
        set.expect("new");
        task.change_caps(&self.me, |caps| {
            caps.grant(task::Cap::parse(&[b"spawn".to_vec()])?);
            Ok(())
        })
        .expect("new");
        task
    }

    pub async fn start(&self, task: &Arc<Task>) {
        task.start(&self.me).await.expect("started");
    }

    pub async fn ctl(&self, task: &Arc<Task>, line: &str) {
        task::ctl::write(task, &self.me, line.as_bytes()).await.expect(line);
    }

    pub async fn ended(&self, task: &Arc<Task>) -> Exit {
        let ended = tokio::time::timeout(Duration::from_secs(60), task.life.ended());
        ended.await.expect("it ends").exit.clone()
    }

    /// What a task said, once it has ended.
    pub async fn said(&self, task: &Arc<Task>) -> Ran {
        let exit = self.ended(task).await;
        let stdout = self.read(&format!("/task/{}/stdio/1", task.id)).await;
        let stderr = self.read(&format!("/task/{}/stdio/2", task.id)).await;
        Ran { stdout, stderr, code: exit.code }
    }

    pub async fn run(&self, argv: &[&str]) -> Ran {
        let task = self.make(argv);
        task.stdio.stdin.end();
        self.start(&task).await;
        let ran = self.said(&task).await;
        self.table.remove(task.id).expect("it has ended");
        ran
    }

    pub async fn sh(&self, line: &str) -> Ran {
        self.run(&["sh", "-c", line]).await
    }
}

async fn all(file: &FileRef) -> Vec<u8> {
    let mut text = Vec::new();
    let mut part = vec![0; 65536];
    loop {
        match file.read(text.len() as u64, &mut part).await.expect("read") {
            0 => return text,
            count => text.extend_from_slice(&part[..count]),
        }
    }
}
