//! The control groups of Node workers, on a kernel that has version 2 to give: one in QEMU, with this machine's server in it.

use tests::engines::engines;
use tests::kernel::Kernel;
use tests::{cannot_run, taskfs};

#[test]
#[ignore = "soak: an engine starts slowly where the kernel is emulated"]
fn the_kernel_bounds_a_node_program_where_it_gives_groups() {
    let what = "the cgroups of Node workers";
    let Some(kernel) = Kernel::boot_with("base", what, &["--memory", "2048", "--processors", "2"]) else {
        return;
    };
    let Some(engine) = engines(what).into_iter().find(|engine| engine.is_v8()) else {
        return cannot_run(what, "V8 was not built");
    };
    let script = format!(
        r#"
set -e
mount -t cgroup2 none /host/sys/fs/cgroup
echo 'setTimeout(() => {{}}, 1e9); console.log("up")' > /tmp/stays.js
echo 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))' > /tmp/grows.js
hostsh {taskfs} serve --listen unix:///tmp/s --node {worker} --bind /tmp:/tmp > /tmp/log 2>&1 &
for n in $(seq 300); do [ -S /tmp/s ] && break; sleep 0.2; done
t() {{ command=$1; shift; hostsh {taskfs} $command -s unix:///tmp/s "$@"; }}
run() {{
    id=$(t cat /task/new)
    echo nodejs | t write /task/$id/type
    echo $1 | t write /task/$id/cmd
    echo memory $2 | t write /task/$id/limits
    echo start | t write /task/$id/ctl
}}
run /tmp/stays.js 64M
hostsh timeout 60 {taskfs} cat -s unix:///tmp/s /task/$id/stdio/1 | head -1
for group in /host/sys/fs/cgroup/taskfs.*/*/; do
    [ "$(cat $group/memory.max)" = max ] || echo bounded: $(($(cat $group/memory.max) / 1048576 >= 96)) pids $(cat $group/pids.max) processes $(wc -l < $group/cgroup.procs)
done
echo kill | t write /task/$id/ctl
t cat /task/$id/wait
run /tmp/grows.js 64M
t cat /task/$id/wait
for n in $(seq 50); do grep -l . /host/sys/fs/cgroup/taskfs.*/*/memory.max | wc -l > /tmp/left; sleep 0.1; done
bounded=0
for group in /host/sys/fs/cgroup/taskfs.*/*/; do [ "$(cat $group/memory.max)" = max ] || bounded=1; done
echo left bounded: $bounded
"#,
        taskfs = taskfs().display(),
        worker = engine.worker(),
    );
    let out = kernel.exec(&script, 600);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.contains(&"up"), "{said}");
    assert!(lines.contains(&"bounded: 1 pids 1024 processes 2"), "{said}");
    assert!(lines.iter().any(|line| line.contains("memory limit 64M reached")), "{said}");
    assert!(lines.contains(&"left bounded: 0"), "{said}");
}
