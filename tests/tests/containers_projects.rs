//! Real projects from npm's registry, each in a container of its own and with nothing but files: `new`, what is put into mount/,
//! `spawn` of npm's commands, ports/, the gateway, export. Where this machine's npm reaches no registry they are not run.

use nine::wire::OpenFlags;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::Server;
use tests::engines::engines;
use tests::project::{Project, with_registry};

/// A server for `what`, on V8. Its packages are kept from run to run, beside what cargo makes.
fn server(what: &str, more: &[&str]) -> Option<Server> {
    with_registry(what, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm"), more)
}

/// A server for `what` on each engine, one after the other.
fn servers(what: &str) -> impl Iterator<Item = Server> {
    engines(what).into_iter().filter_map(move |engine| {
        eprintln!("on {}:", engine.name);
        server(what, &["--node", engine.worker()])
    })
}

#[test]
fn express_is_installed_and_answers_through_the_gateway_and_the_ports_file() {
    let manifest = r#"{"name":"app","scripts":{"start":"node server.js"},"dependencies":{"express":"^5"}}"#;
    let program = "const app = require('express')();
        app.get('/hello/:who', (request, response) => response.send('hello ' + request.params.who));
        app.listen(3000);";
    for server in servers("an express app") {
        let project = Project::new_at(&server, "/", &[("package.json", manifest), ("server.js", program)]);
        project.spawned("npm install");
        project.serves("npm start", 3000);
        let answer = project.get(3000, "/hello/you");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello you"), "{answer}");
        let data = format!("{}/ports/3000/data", project.dir);
        let connection = project.door.open(&data, OpenFlags::RDWR).expect("a connection");
        connection.write_all(b"GET /hello/file HTTP/1.0\r\n\r\n").expect("it is sent");
        let (mut answer, mut read) = (String::new(), 0);
        while !answer.ends_with("hello file") {
            let more = connection.read(read, 4096).expect("an answer");
            assert!(!more.is_empty(), "{answer}");
            read += more.len() as u64;
            answer += &String::from_utf8_lossy(&more);
        }
    }
}

#[test]
fn fastify_is_installed_and_answers_through_the_gateway() {
    let manifest = r#"{"name":"app","scripts":{"start":"node server.js"},"dependencies":{"fastify":"^5"}}"#;
    let program = "const app = require('fastify')({ logger: true });
        const schema = { querystring: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } } };
        app.get('/twice', { schema }, async request => ({ twice: 2 * request.query.n }));
        app.listen({ port: 3000, host: '0.0.0.0' });";
    for server in servers("a fastify app") {
        let project = Project::new_at(&server, "/", &[("package.json", manifest), ("server.js", program)]);
        project.spawned("npm install");
        project.serves("npm start", 3000);
        let answer = project.get(3000, "/twice?n=21");
        assert!(answer.ends_with(r#"{"twice":42}"#), "{answer}");
        let answer = project.get(3000, "/twice?n=x");
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("must be integer"), "{answer}");
    }
}

#[test]
fn a_server_of_ws_talks_with_a_client_through_the_gateway() {
    let manifest =
        r#"{"name":"app","type":"module","scripts":{"start":"node server.js"},"dependencies":{"ws":"^8"}}"#;
    let program = "import { WebSocketServer } from 'ws';
        new WebSocketServer({ port: 3000 }).on('connection', socket => {
            socket.send('welcome');
            socket.on('message', message => socket.send('echo ' + message));
        });";
    for server in servers("a WebSocket server") {
        let project = Project::new_at(&server, "/", &[("package.json", manifest), ("server.js", program)]);
        project.spawned("npm install");
        project.serves("npm start", 3000);
        let mut socket = project.socket(3000, "/", None);
        assert_eq!(socket.receive(), "welcome");
        socket.send("one");
        assert_eq!(socket.receive(), "echo one");
        socket.send("two");
        assert_eq!(socket.receive(), "echo two");
    }
}

#[test]
fn typescript_is_tested_with_jest_and_compiled() {
    let manifest = r#"{"name":"app","scripts":{"test":"jest --no-cache","build":"tsc"},"jest":{"preset":"ts-jest"},
        "devDependencies":{"jest":"^29","ts-jest":"^29","typescript":"^5","@types/jest":"^29"}}"#;
    let settings = r#"{"compilerOptions":{"target":"es2022","module":"commonjs","strict":true,"outDir":"dist",
        "types":["jest"]},"include":["src"],"exclude":["src/*.test.ts"]}"#;
    let sum = "export const sum = (a: number, b: number): number => a + b;\n";
    let test = "import { sum } from './sum';\ntest('adds', () => { expect(sum(1, 2)).toBe(3); });\n";
    let files = [
        ("package.json", manifest),
        ("tsconfig.json", settings),
        ("src/sum.ts", sum),
        ("src/sum.test.ts", test),
    ];
    for server in servers("a TypeScript project with jest") {
        let project = Project::new_at(&server, "/", &files);
        project.spawned("npm install");
        let said = project.spawned("npm test");
        assert!(said.contains("PASS src/sum.test.ts") && said.contains("1 passed, 1 total"), "{said}");
        project.spawned("npm run build");
        assert_eq!(project.spawned("node -p \"require('./dist/sum').sum(20, 22)\"").trim(), "42");

        project.put("/src/sum.ts", "export const sum = (a: number, b: number): string => a + b;\n");
        let said = project.fails("npm run build");
        assert!(said.contains("Type 'number' is not assignable to type 'string'"), "{said}");
    }
}

#[test]
fn vite_serves_a_react_app_tells_the_browser_of_changes_and_builds_what_is_exported() {
    let Some(server) = server("a Vite and React app", &["--npm-wasm"]) else { return };
    let manifest = r#"{"name":"app","type":"module","scripts":{"dev":"vite","build":"vite build"},
        "dependencies":{"react":"^19","react-dom":"^19"},
        "devDependencies":{"vite":"^6","@vitejs/plugin-react":"^4"}}"#;
    let settings = "import { defineConfig } from 'vite';
        import react from '@vitejs/plugin-react';
        export default defineConfig({ plugins: [react()] });";
    let page = r#"<!doctype html><div id="root"></div><script type="module" src="/src/main.jsx"></script>"#;
    let main = "import { createRoot } from 'react-dom/client';
        const App = () => <h1>hello from react</h1>;
        createRoot(document.getElementById('root')).render(<App />);";
    let files = [
        ("package.json", manifest),
        ("vite.config.js", settings),
        ("index.html", page),
        ("src/main.jsx", main),
    ];
    let project = Project::new_at(&server, "/home/app", &files);
    project.spawned("npm install");
    assert!(project.text("/home/app/package-lock.json").contains("/@rollup/wasm-node/-/"));

    project.serves("npm run dev", 5173);
    let answer = project.get(5173, "/");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("/@vite/client"), "{answer}");
    let answer = project.get(5173, "/src/main.jsx");
    assert!(answer.contains("hello from react") && answer.contains("jsxDEV"), "compiled: {answer}");
    let client = project.get(5173, "/@vite/client");
    let token = client.split_once("wsToken = \"").and_then(|(_, rest)| rest.split('"').next());
    let path = format!("/?token={}", token.expect("the token of its socket"));
    let mut socket = project.socket(5173, &path, Some("vite-hmr"));
    assert_eq!(socket.receive(), r#"{"type":"connected"}"#);
    project.put("/home/app/src/main.jsx", &main.replace("hello from", "a change of"));
    let told = loop {
        let message = socket.receive();
        if message.contains("/src/main.jsx") || message.contains("reload") {
            break message;
        }
    };
    assert!(told.contains("update") || told.contains("full-reload"), "{told}");
    let answer = project.get(5173, "/src/main.jsx");
    assert!(answer.contains("a change of react"), "{answer}");

    project.spawned("npm run build");
    let archive = project.door.read(&format!("{}/export", project.dir)).expect("an archive");
    let mut tar = Command::new("tar");
    tar.args(["--wildcards", "-xOf", "-", "*home/app/dist/assets/*.js"]);
    let mut tar = tar.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("tar runs");
    let mut input = tar.stdin.take().expect("a pipe");
    let writing = std::thread::spawn(move || input.write_all(&archive));
    let output = tar.wait_with_output().expect("tar ends");
    writing.join().expect("no panic").expect("tar reads");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("a change of react"));
}

#[test]
fn yarn_and_pnpm_install_from_the_mirror() {
    let tools = [("yarn@1", "yarn.lock"), ("pnpm@9", "pnpm-lock.yaml")];
    let manifest = r#"{"name":"app","license":"MIT","dependencies":{"ms":"2.1.3"}}"#;
    for server in servers("yarn and pnpm") {
        for (tool, lock) in tools {
            let project = Project::new(&server, manifest);
            project.spawned(&format!("npx --yes {tool} install"));
            assert!(project.text(&format!("/app/{lock}")).contains("2.1.3"), "{tool}");
            assert_eq!(project.spawned("node -p \"require('ms')('1m')\"").trim(), "60000", "{tool}");
        }
    }
}

#[test]
fn next_compiles_with_webassembly_for_development_and_for_production() {
    let Some(server) = server("a Next.js app", &[]) else { return };
    // The compiler's package is published for some versions only, and is wanted in Next's own.
    let manifest = r#"{"name":"app","scripts":{"dev":"next dev","build":"next build","start":"next start"},
        "dependencies":{"next":"15.5.26","@next/swc-wasm-nodejs":"15.5.26","react":"^19","react-dom":"^19"}}"#;
    let page = "export default function Home({ what }) { return <h1>hello from {what}</h1>; }
        export const getServerSideProps = async () => ({ props: { what: 'the ' + 'server' } });";
    let files = [("package.json", manifest), ("pages/index.js", page)];
    let project = Project::new_at(&server, "/home/app", &files);
    project.ctl("env NEXT_TELEMETRY_DISABLED=1");
    project.spawned("npm install --omit=optional");
    project.spawned("npm run build");
    for command in ["npm start", "npm run dev"] {
        project.serves(command, 3000);
        let answer = project.get(3000, "/");
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("the server</h1>"),
            "{command}: {answer}"
        );
        project.ctl("kill");
        project.ctl("start");
    }
}
