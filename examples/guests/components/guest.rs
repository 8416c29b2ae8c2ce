//! A command component in Rust: what it is given, what it can do with files, and whom it can reach.
//!
//! about            arguments, the variable A, the current directory
//! files            makes, appends to, reads, lists, links, renames and removes files of the current directory
//! upper            standard input, in capitals
//! tcp HOST PORT    sends a line there, and shows what comes back
//! http HOST:PORT   gets /greeting there
//!
//! Files, arguments and standard input are std's, which knows preview 1 only: an adapter translates. The network, which preview 1
//! has not, is preview 2's own (wasi.rs, by abi.rs).

#[macro_use]
mod abi;
mod wasi;

use std::env;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use wasi::{Code, Fields, InputStream, IpAddress, Network, OutgoingRequest, OutputStream, TcpSocket};

type Done = Result<(), Box<dyn Error>>;

fn about(args: &[String]) -> Done {
    println!("argv {}", args.join(" "));
    println!("A {}", env::var("A")?);
    println!("cwd {}", env::current_dir()?.display());
    Ok(())
}

fn files() -> Done {
    fs::create_dir("made")?;
    File::create("made/f")?.write_all(b"one\n")?;
    OpenOptions::new().append(true).open("made/f")?.write_all(b"two\n")?;
    let mut f = OpenOptions::new().read(true).write(true).open("made/f")?;
    f.seek(SeekFrom::Start(4))?;
    f.write_all(b"TWO")?;
    f.set_len(7)?;
    println!("read {}", fs::read_to_string("made/f")?.replace('\n', " "));
    println!("stat {}", f.metadata()?.len());
    // What std has instead are names for Unix and Windows, and an unstable one for WASI.
    #[allow(deprecated)]
    fs::soft_link("f", "made/link")?;
    println!("link {} {}", fs::read_link("made/link")?.display(), fs::metadata("made/link")?.len());
    fs::hard_link("made/f", "made/hard")?;
    fs::rename("made/f", "made/g")?;
    let mut list = fs::read_dir("made")?.collect::<io::Result<Vec<_>>>()?;
    list.sort_by_key(|entry| entry.file_name());
    for entry in &list {
        let kind = if entry.file_type()?.is_symlink() { "link" } else { "file" };
        println!("list {} {}", entry.file_name().to_string_lossy(), kind);
        fs::remove_file(entry.path())?;
    }
    fs::remove_dir("made")?;
    if let Err(error) = fs::metadata("made") {
        println!("gone {:?}", error.kind());
    }
    Ok(())
}

fn upper() -> Done {
    for line in io::stdin().lines() {
        println!("{}", line?.to_uppercase());
    }
    Ok(())
}

/// The socket is the streams' parent, and so the last that may go.
struct Connection {
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
}

fn connect(network: &Network, address: IpAddress, port: u16) -> wasi::Result<Connection> {
    let socket = TcpSocket::new(&address)?;
    socket.start_connect(network, address, port)?;
    loop {
        match socket.finish_connect() {
            Err(Code("would-block")) => socket.subscribe().block(),
            Err(code) => return Err(code),
            Ok((input, output)) => return Ok(Connection { input, output, _socket: socket }),
        }
    }
}

/// A connection to the first of the host's addresses that takes one.
fn connect_by_name(host: &str, port: u16) -> wasi::Result<Connection> {
    let network = Network::instance();
    let addresses = network.resolve_addresses(host)?;
    let mut failure = Code("name-unresolvable");
    loop {
        match addresses.resolve_next_address() {
            Err(Code("would-block")) => addresses.subscribe().block(),
            Err(code) => return Err(code),
            Ok(None) => return Err(failure),
            Ok(Some(address)) => match connect(&network, address, port) {
                Ok(connection) => return Ok(connection),
                Err(code) => failure = code,
            },
        }
    }
}

fn tcp(host: &str, port: &str) -> Done {
    let peer = connect_by_name(host, port.parse()?)?;
    peer.output.blocking_write_and_flush(b"ping\n")?;
    println!("got {}", String::from_utf8(peer.input.blocking_read(100)?)?.trim());
    Ok(())
}

fn http(authority: &str) -> Done {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme_http()?;
    request.set_authority(authority)?;
    request.set_path_with_query("/greeting")?;
    let pending = request.handle()?;
    pending.subscribe().block();
    let response = pending.get().expect("it is there now")?;
    let body = response.consume()?;
    let text = body.stream()?.blocking_read(100)?;
    println!("got {} {}", response.status(), String::from_utf8(text)?.trim());
    Ok(())
}

fn command() -> Done {
    // The C library below std begins at the root.
    env::set_current_dir(env::var("PWD").unwrap_or_else(|_| "/".to_owned()))?;
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["about", ..] => about(&args),
        ["files"] => files(),
        ["upper"] => upper(),
        ["tcp", host, port] => tcp(host, port),
        ["http", authority] => http(authority),
        _ => Err("unknown command".into()),
    }
}

#[export_name = "wasi:cli/run@0.2.12#run"]
extern "C" fn run() -> u32 {
    abi::prepare();
    match command() {
        Ok(()) => 0,
        Err(error) => {
            println!("failed {}", error);
            1
        }
    }
}
