//! Tasks of a server, driven over 9P as a shell would drive them over a mount.

use nine::client::{ClientError, Fid};
use nine::wire::OpenFlags;

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// The first read: what is there, or what comes next.
async fn read(root: &Fid, path: &str) -> Result<String, ClientError> {
    let mut file = root.walk(names(path)).await?;
    file.open(OpenFlags::empty()).await?;
    let text = file.read(0, 4096).await?;
    file.clunk().await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

pub async fn write(root: &Fid, path: &str, text: &str) -> Result<(), ClientError> {
    let mut file = root.walk(names(path)).await?;
    file.open(OpenFlags::WRONLY).await?;
    file.write(0, text.as_bytes()).await?;
    file.clunk().await
}

/// Makes a task; gives its directory.
pub async fn new(root: &Fid) -> Result<String, ClientError> {
    Ok(format!("/task/{}", read(root, "/task/new").await?.trim()))
}

/// Makes a task and starts it; gives its directory.
pub async fn task(root: &Fid, cmd: &str) -> Result<String, ClientError> {
    let dir = new(root).await?;
    write(root, &format!("{dir}/cmd"), cmd).await?;
    tell(root, &dir, "start").await?;
    Ok(dir)
}

pub async fn tell(root: &Fid, task: &str, command: &str) -> Result<(), ClientError> {
    write(root, &format!("{task}/ctl"), command).await
}

pub async fn read_in(root: &Fid, task: &str, file: &str) -> Result<String, ClientError> {
    read(root, &format!("{task}/{file}")).await
}

pub async fn end(root: &Fid, task: &str) -> Result<(), ClientError> {
    tell(root, task, "kill").await?;
    let end = read_in(root, task, "wait").await?;
    assert!(end.contains("kill"), "{end}");
    Ok(())
}
