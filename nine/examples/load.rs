//! Puts load on a server and prints what it took: `load tcp:HOST:PORT|unix:PATH NAME`, NAME a file of its root that
//! can be read and written. It is made for comparing servers with one another on one machine, in one run.

use std::time::{Duration, Instant};

use nine::client::{Client, ClientError, Fid};
use nine::wire::{Dialect, Msize, OpenFlags};
use tokio::net::{TcpStream, UnixStream};

const ROUNDS: usize = 20_000;

async fn attach(address: &str) -> Result<Fid, ClientError> {
    let (dialect, msize) = (Dialect::P9P2000L, Msize((1 << 20) + 24));
    let client = match address.split_once(':') {
        Some(("unix", path)) => Client::connect(UnixStream::connect(path).await?, dialect, msize).await?,
        _ => {
            let stream = TcpStream::connect(address.trim_start_matches("tcp:")).await?;
            stream.set_nodelay(true)?;
            Client::connect(stream, dialect, msize).await?
        }
    };
    client.attach(b"root", None, b"").await
}

/// The median and the 99th percentile, in microseconds.
fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_nanos() as f64 / 1000.0;
    println!("{what:<44} p50 {:>8.1} µs   p99 {:>8.1} µs", at(0.5), at(0.99));
}

async fn opened(root: &Fid, name: &str) -> Result<Fid, ClientError> {
    let mut file = root.walk([name]).await?;
    file.open(OpenFlags::RDWR).await?;
    Ok(file)
}

async fn transfer(file: &Fid, size: usize) -> Result<(f64, f64), ClientError> {
    let total = 512 << 20;
    let rounds = total / size;
    let start = Instant::now();
    for _ in 0..rounds {
        file.read(0, size).await?;
    }
    let read = total as f64 / start.elapsed().as_secs_f64() / 1e6;
    let data = vec![0; size];
    let start = Instant::now();
    for _ in 0..rounds {
        file.write(0, &data).await?;
    }
    Ok((read, total as f64 / start.elapsed().as_secs_f64() / 1e6))
}

async fn run(address: &str, name: &str) -> Result<(), ClientError> {
    let root = attach(address).await?;
    let file = opened(&root, name).await?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        file.read(0, 1).await?;
        times.push(start.elapsed());
    }
    show("read of 1 byte", times.split_off(0));
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut file = root.walk([name]).await?;
        file.open(OpenFlags::empty()).await?;
        file.read(0, 4096).await?;
        file.clunk().await?;
        times.push(start.elapsed());
    }
    show("walk, open, read 4 KiB, clunk, one by one", times.split_off(0));
    for _ in 0..ROUNDS {
        let start = Instant::now();
        root.read_at_once([name], 4096).await?;
        times.push(start.elapsed());
    }
    show("the same in one write", times.split_off(0));
    for (what, size) in [("64 KiB", 64 << 10), ("1 MiB", 1 << 20)] {
        let (read, write) = transfer(&file, size).await?;
        println!("{what:<12} reads {read:>8.0} MB/s   writes {write:>8.0} MB/s");
    }
    let start = Instant::now();
    let clients = (0..64).map(|_| {
        let (address, name) = (address.to_owned(), name.to_owned());
        tokio::spawn(async move {
            let root = attach(&address).await?;
            let file = opened(&root, &name).await?;
            for _ in 0..ROUNDS / 10 {
                file.read(0, 1).await?;
            }
            Ok::<_, ClientError>(())
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.map_err(std::io::Error::other)??;
    }
    let rate = (64 * ROUNDS / 10) as f64 / start.elapsed().as_secs_f64() / 1000.0;
    println!("64 clients, one request each                 {rate:>8.0} thousand requests/s");
    let start = Instant::now();
    let root = std::sync::Arc::new(root);
    let file = std::sync::Arc::new(file);
    let readers = (0..64).map(|_| {
        let file = file.clone();
        tokio::spawn(async move {
            for _ in 0..ROUNDS / 10 {
                file.read(0, 1).await?;
            }
            Ok::<_, ClientError>(())
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.map_err(std::io::Error::other)??;
    }
    let rate = (64 * ROUNDS / 10) as f64 / start.elapsed().as_secs_f64() / 1000.0;
    println!("one client, 64 requests in flight            {rate:>8.0} thousand requests/s");
    drop(root);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "tcp:127.0.0.1:5640".into());
    let name = arguments.next().unwrap_or_else(|| "data".into());
    // On a task: what runs on the main thread itself is woken from another.
    Ok(tokio::spawn(async move { run(&address, &name).await }).await??)
}
