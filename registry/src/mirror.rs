//! What is kept and what is asked for: lists of versions for a while, and then as long as the registry says that nothing is
//! new, or cannot be asked; tarballs for ever, by their hashes.

use crate::integrity::Integrity;
use crate::name::{self, Asked};
use crate::packument::Packument;
use crate::store::{Shelf, Store};
use crate::upstream::{Problem, Question, Upstream};
use crate::{CANONICAL, Config, answer, substitute};
use bytes::Bytes;
use http::StatusCode;
use lru::LruCache;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long a list of versions is good without asking; npm's own cache holds it so long.
const FRESH: Duration = Duration::from_secs(300);
/// A registry that could not be reached is not tried again for so long where something is known.
const DOWN: Duration = Duration::from_secs(10);
const LARGEST_PACKUMENT: usize = 64 << 20;
const LARGEST_TARBALL: usize = 256 << 20;
/// Lists of versions held ready in memory.
const READY: NonZeroUsize = NonZeroUsize::new(512).expect("some");
/// Requests of all clients that are worked on at once; more wait.
const AT_ONCE: usize = 64;

/// Installing wants less than all that is known of a package.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    Install,
    Full,
}

pub struct Mirror {
    upstream: Upstream,
    store: Store,
    ready: Mutex<LruCache<String, Ready>>,
    /// What is being fetched: whoever wants it too waits for it.
    under_way: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    down: Mutex<Option<Instant>>,
    at_once: Semaphore,
    /// Lists with versions of others in place of their own, where they are to be given, and what they were made of.
    substituted: Option<Mutex<HashMap<String, Substituted>>>,
}

struct Substituted {
    own: Arc<Packument>,
    other: Arc<Packument>,
    combined: Arc<Packument>,
}

#[derive(Clone)]
struct Ready {
    packument: Arc<Packument>,
    checked: SystemTime,
}

/// Why a client gets nothing.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub why: String,
}

impl Form {
    fn accept(self) -> &'static str {
        match self {
            Form::Install => "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8",
            Form::Full => "application/json",
        }
    }
    fn file_name(self, package: &str) -> String {
        let package = package.replace('/', "%2f");
        match self {
            Form::Install => format!("{package}.install"),
            Form::Full => format!("{package}.full"),
        }
    }
}

impl Ready {
    fn is_fresh(&self) -> bool {
        self.checked.elapsed().is_ok_and(|age| age < FRESH)
    }
}

impl Mirror {
    /// # Errors
    /// In words: the file or the directory that cannot be used.
    pub fn new(mut config: Config) -> Result<Arc<Mirror>, String> {
        if !matches!(config.upstream.scheme(), "http" | "https") || config.upstream.host().is_none() {
            return Err(format!("{}: want http:// or https://", config.upstream));
        }
        if !config.upstream.path().ends_with('/') {
            let path = format!("{}/", config.upstream.path());
            config.upstream.set_path(&path);
        }
        let store = Store::open(&config.cache, config.cache_bytes);
        let store = store.map_err(|e| format!("{}: {e}", config.cache.display()))?;
        Ok(Arc::new(Mirror {
            upstream: Upstream::new(config.upstream, config.ca.as_deref(), config.proxy.as_ref())?,
            store,
            ready: Mutex::new(LruCache::new(READY)),
            under_way: Mutex::default(),
            down: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            substituted: config.wasm.then(Mutex::default),
        }))
    }

    /// Answers clients of `listener` until this is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        answer::serve(self, listener).await;
    }

    /// The tarball or the packument of a path.
    pub(crate) async fn get(self: &Arc<Self>, path: &str, form: Form) -> Result<Found, Refusal> {
        let _place = self.at_once.acquire().await.expect("never closed");
        match name::asked(path) {
            Some(Asked::Ping) => Ok(Found::Nothing),
            Some(Asked::Packument(package)) => Ok(Found::Packument(self.offered(&package, form).await?)),
            Some(Asked::Tarball(package, path)) => Ok(Found::Tarball(self.tarball(&package, &path).await?)),
            None => Err(Refusal { status: StatusCode::NOT_FOUND, why: format!("{path}: not mirrored") }),
        }
    }

    /// The list of versions that clients are told.
    async fn offered(self: &Arc<Self>, package: &str, form: Form) -> Result<Arc<Packument>, Refusal> {
        let own = self.packument(package, form).await?;
        let (Some(substituted), Some(name)) = (&self.substituted, substitute::of(package)) else {
            return Ok(own);
        };
        let other = self.packument(name, form).await?;
        let file = form.file_name(package);
        let made_of = |made: &&Substituted| Arc::ptr_eq(&made.own, &own) && Arc::ptr_eq(&made.other, &other);
        if let Some(made) = substituted.lock().get(&file).filter(made_of) {
            return Ok(made.combined.clone());
        }
        let combined = substitute::combine(package, &own, &other);
        let combined = Arc::new(combined.map_err(|why| self.refuse(package, Problem::Wrong(why)))?);
        substituted.lock().insert(file, Substituted { own, other, combined: combined.clone() });
        Ok(combined)
    }

    async fn packument(self: &Arc<Self>, package: &str, form: Form) -> Result<Arc<Packument>, Refusal> {
        let file = form.file_name(package);
        if let Some(ready) = self.ready.lock().get(&file).filter(|ready| ready.is_fresh()) {
            return Ok(ready.packument.clone());
        }
        let alone = self.alone(&file);
        let _alone = alone.lock().await;
        let ready = self.ready.lock().get(&file).cloned();
        let known = match ready {
            Some(ready) => Some(ready),
            None => self.kept(package, &file).await,
        };
        if let Some(known) = &known
            && (known.is_fresh() || self.is_down())
        {
            self.ready.lock().put(file, known.clone());
            return Ok(known.packument.clone());
        }
        let question = Question {
            path: &package.replace('/', "%2f"),
            accept: form.accept(),
            known: known.as_ref().and_then(|known| known.packument.etag.as_deref()),
            most: LARGEST_PACKUMENT,
        };
        let packument = match (self.upstream.ask(&question).await, &known) {
            (Ok(said), Some(known)) if said.status == StatusCode::NOT_MODIFIED => {
                self.store.touch(Shelf::Packuments, &file);
                known.packument.clone()
            }
            (Ok(said), _) => {
                let parsed = Packument::parse(package, &said.body, self.upstream.base().as_str(), said.etag);
                let parsed = parsed.map_err(|why| self.refuse(package, Problem::Wrong(why)))?;
                self.keep(Shelf::Packuments, file.clone(), parsed.encode()).await;
                Arc::new(parsed)
            }
            // What is known is better than nothing.
            (Err(Problem::Unreachable(why)), Some(known)) => {
                tracing::warn!("npm's registry {}: {why}", self.upstream.base());
                *self.down.lock() = Some(Instant::now());
                return Ok(known.packument.clone());
            }
            (Err(Problem::Status(status)), Some(known)) if status.is_server_error() => {
                return Ok(known.packument.clone());
            }
            (Err(problem), _) => return Err(self.refuse(package, problem)),
        };
        let ready = Ready { packument: packument.clone(), checked: SystemTime::now() };
        self.ready.lock().put(file, ready);
        Ok(packument)
    }

    /// Everything that is known of a package's versions, as npm itself is told it (JSON).
    ///
    /// # Errors
    /// In words: what the registry does not have, or did wrong.
    pub async fn versions(self: &Arc<Self>, package: &str) -> Result<Bytes, String> {
        let Found::Packument(found) = self.found(&format!("/{package}")).await? else {
            return Err(format!("{package}: no package"));
        };
        Ok(found.body.clone())
    }

    /// The tarball that lock files and lists of versions give this URL, its hash compared with the registry's.
    ///
    /// # Errors
    /// In words: what the registry does not have, or did wrong; a URL of elsewhere.
    pub async fn package(self: &Arc<Self>, url: &str) -> Result<Bytes, String> {
        let path = url.strip_prefix(CANONICAL).ok_or_else(|| format!("{url}: not of the registry"))?;
        let Found::Tarball(found) = self.found(&format!("/{path}")).await? else {
            return Err(format!("{url}: no tarball"));
        };
        Ok(found)
    }

    async fn found(self: &Arc<Self>, path: &str) -> Result<Found, String> {
        self.get(path, Form::Full).await.map_err(|refusal| refusal.why)
    }

    /// What the registry says that a tarball's hash is. npm has asked for the list with everything, others for what installing
    /// wants: what is known already is not fetched in the other form.
    async fn integrity(self: &Arc<Self>, package: &str, path: &str) -> Result<Option<Integrity>, Refusal> {
        let full = self.ready.lock().get(&Form::Full.file_name(package)).cloned();
        if let Some(integrity) = full.and_then(|full| full.packument.tarball(path).cloned()) {
            return Ok(Some(integrity));
        }
        for form in [Form::Install, Form::Full] {
            if let Some(integrity) = self.packument(package, form).await?.tarball(path) {
                return Ok(Some(integrity.clone()));
            }
        }
        Ok(None)
    }

    async fn tarball(self: &Arc<Self>, package: &str, path: &str) -> Result<Bytes, Refusal> {
        let integrity = self.integrity(package, path).await?.ok_or_else(|| Refusal {
            status: StatusCode::NOT_FOUND,
            why: format!("{path}: the registry names no such tarball with a hash"),
        })?;
        let file = integrity.file_name();
        let alone = self.alone(&file);
        let _alone = alone.lock().await;
        let this = self.clone();
        let (name, expected) = (file.clone(), integrity.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let (data, _) = this.store.get(Shelf::Tarballs, &name)?;
            // A disk may lie, and other programs may write: nothing is handed out on trust.
            if expected.is_of(&data) {
                this.store.touch(Shelf::Tarballs, &name);
                return Some(data);
            }
            this.store.remove(Shelf::Tarballs, &name);
            None
        });
        if let Some(data) = kept.await.unwrap_or_default() {
            return Ok(data.into());
        }
        let question =
            Question { path, accept: "application/octet-stream, */*", known: None, most: LARGEST_TARBALL };
        let said = self.upstream.ask(&question).await.map_err(|problem| self.refuse(path, problem))?;
        if !integrity.is_of(&said.body) {
            let why = "what it sends has another hash than it names itself".to_owned();
            return Err(self.refuse(path, Problem::Wrong(why)));
        }
        let data = Bytes::from(said.body);
        self.keep(Shelf::Tarballs, file, data.clone()).await;
        Ok(data)
    }

    async fn kept(self: &Arc<Self>, package: &str, file: &str) -> Option<Ready> {
        let (this, package, file) = (self.clone(), package.to_owned(), file.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            let (data, checked) = this.store.get(Shelf::Packuments, &file)?;
            let packument = Arc::new(Packument::decode(&package, &data)?);
            Some(Ready { packument, checked })
        });
        read.await.ok().flatten()
    }

    /// A cache that cannot be written makes things slow, not wrong.
    async fn keep(self: &Arc<Self>, shelf: Shelf, file: String, data: impl AsRef<[u8]> + Send + 'static) {
        let this = self.clone();
        let kept = tokio::task::spawn_blocking(move || this.store.put(shelf, &file, data.as_ref()));
        if let Ok(Err(error)) = kept.await {
            tracing::warn!("the cache of npm's packages: {error}");
        }
    }

    fn is_down(&self) -> bool {
        self.down.lock().is_some_and(|since| since.elapsed() < DOWN)
    }

    /// What is locked by whoever fetches `file`.
    fn alone(&self, file: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut under_way = self.under_way.lock();
        under_way.retain(|_, alone| Arc::strong_count(alone) > 1);
        under_way.entry(file.to_owned()).or_default().clone()
    }

    fn refuse(&self, what: &str, problem: Problem) -> Refusal {
        let registry = self.upstream.base();
        match problem {
            Problem::Status(status) if status == StatusCode::NOT_FOUND => {
                Refusal { status, why: format!("{what}: {registry} has no such package") }
            }
            problem => {
                let why = match problem {
                    Problem::Unreachable(why) | Problem::Wrong(why) => why,
                    Problem::Status(status) => status.to_string(),
                };
                let why = format!("{what}: the registry {registry}: {why}");
                tracing::warn!("npm: {why}");
                Refusal { status: StatusCode::BAD_GATEWAY, why }
            }
        }
    }
}

pub(crate) enum Found {
    Nothing,
    Packument(Arc<Packument>),
    Tarball(Bytes),
}

impl Found {
    /// What is sent, and its tag. npm looks for [`CANONICAL`] itself; others go where they are told.
    pub(crate) fn body(&self, is_npm: bool, here: &str) -> (Bytes, Option<&str>) {
        debug_assert!(CANONICAL.ends_with('/') && here.ends_with('/'));
        match self {
            Found::Nothing => (Bytes::from_static(b"{}"), None),
            Found::Packument(packument) if is_npm => (packument.body.clone(), packument.etag.as_deref()),
            Found::Packument(packument) => (packument.body_at(here), packument.etag.as_deref()),
            Found::Tarball(data) => (data.clone(), None),
        }
    }
}
