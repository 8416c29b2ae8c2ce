//! `import`: resolving and loading for the engine.

use super::{Modules, transpile};
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleResolveResponse,
    ModuleSource, ModuleSourceCode, ModuleSpecifier, ModuleType, ResolutionKind,
};
use deno_error::JsErrorBox;
use deno_media_type::MediaType;
use deno_resolver::loader::{LoadedModuleSource, RequestedModuleType};
use node_resolver::{NodeResolutionKind, ResolutionMode};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use url::Url;

/// Stands in for the loader until the task is known.
#[derive(Default)]
pub struct Slot(RefCell<Option<Rc<Modules>>>);

impl Slot {
    pub fn fill(&self, modules: Modules) {
        *self.0.borrow_mut() = Some(Rc::new(modules));
    }

    fn get(&self) -> Result<Rc<Modules>, JsErrorBox> {
        self.0
            .borrow()
            .clone()
            .ok_or_else(|| JsErrorBox::generic("no module can be loaded before there is a task"))
    }
}

impl ModuleLoader for Slot {
    fn resolve(&self, specifier: &str, referrer: &str, kind: ResolutionKind) -> ModuleResolveResponse {
        self.get()?.resolve(specifier, referrer, kind)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        let modules = match self.get() {
            Ok(modules) => modules,
            Err(e) => return ModuleLoadResponse::Sync(Err(e)),
        };
        let (specifier, referrer) = (specifier.clone(), referrer.map(|r| r.specifier.clone()));
        let under_way = UnderWay::begin(&modules.loading);
        let load = async move {
            let _under_way = under_way;
            modules.source(&specifier, referrer.as_ref()).await
        };
        if options.is_synchronous {
            ModuleLoadResponse::Sync(crate::link::now(load))
        } else {
            ModuleLoadResponse::Async(Box::pin(load))
        }
    }
}

/// A module that is being loaded, among those that are.
struct UnderWay(Rc<Cell<usize>>);

impl UnderWay {
    fn begin(loading: &Rc<Cell<usize>>) -> UnderWay {
        loading.set(loading.get() + 1);
        UnderWay(loading.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Modules {
    /// Whether a module is on its way.
    pub fn are_loading(&self) -> bool {
        self.loading.get() > 0
    }

    /// What `name` means in a module of the address `from`.
    ///
    /// # Errors
    /// That of finding it.
    pub fn find(&self, name: &str, from: &str) -> Result<Url, JsErrorBox> {
        self.resolve(name, from, ResolutionKind::Import)
    }

    fn resolve(&self, specifier: &str, referrer: &str, kind: ResolutionKind) -> Result<Url, JsErrorBox> {
        let absolute = || Url::parse(specifier).map_err(JsErrorBox::from_err);
        let is_absolute =
            ["data:", "node:", "ext:", "file:", "blob:"].iter().any(|scheme| specifier.starts_with(scheme));
        if is_absolute || kind == ResolutionKind::MainModule {
            return absolute();
        }
        // A script's own name is no address where it was not made of a file: it is where the program is.
        let referrer = match Url::parse(referrer) {
            Ok(referrer) => referrer,
            Err(error) => Url::from_file_path(self.tree.cwd().join(referrer))
                .map_err(|()| JsErrorBox::from_err(error))?,
        };
        self.resolver
            .resolve(specifier, &referrer, ResolutionMode::Import, NodeResolutionKind::Execution)
            .and_then(|found| found.into_url())
            .map_err(|error| JsErrorBox::from_err(Unfound::new(&error.to_string())))
    }

    async fn source(&self, specifier: &Url, referrer: Option<&Url>) -> Result<ModuleSource, JsErrorBox> {
        if specifier.scheme() == "data" {
            return data(specifier);
        }
        let kind = MediaType::from_specifier(specifier);
        if kind.is_emittable() {
            let path = deno_path_util::url_to_file_path(specifier).map_err(JsErrorBox::from_err)?;
            let text = self.tree.read_file(&path).await.map_err(JsErrorBox::from_err)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            return Ok(module(ModuleType::JavaScript, transpile::strip_types(specifier, text)?, specifier));
        }
        let wanted =
            if kind == MediaType::Json { RequestedModuleType::Json } else { RequestedModuleType::None };
        let loaded = self
            .loader
            .load(Cow::Borrowed(specifier), referrer, &wanted, None)
            .await
            .map_err(JsErrorBox::from_err)?;
        if kind == MediaType::Wasm {
            let bytes = loaded.source.as_bytes().to_vec().into_boxed_slice();
            let code = ModuleSourceCode::Bytes(bytes.into());
            return Ok(ModuleSource::new(ModuleType::Wasm, code, specifier, None));
        }
        let text = match loaded.source {
            LoadedModuleSource::String(text) => text.into_owned(),
            other => String::from_utf8_lossy(other.as_bytes()).into_owned(),
        };
        let kind = if kind == MediaType::Json { ModuleType::Json } else { ModuleType::JavaScript };
        Ok(module(kind, text, specifier))
    }
}

/// What a resolver says, as Node says it: `[CODE] text` is a code and a text, in which files are paths.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(generic)]
#[error("{text}")]
#[property("code" = self.code.clone())]
struct Unfound {
    code: String,
    text: String,
}

impl Unfound {
    fn new(said: &str) -> Unfound {
        let (code, text) = said
            .strip_prefix('[')
            .and_then(|said| said.split_once("] "))
            .unwrap_or(("ERR_MODULE_NOT_FOUND", said));
        let text = match text.rsplit_once(" imported from 'file://") {
            Some((what, from)) => format!("{what} imported from {}", from.trim_end_matches('\'')),
            None => text.to_owned(),
        };
        Unfound { code: code.to_owned(), text: text.replace("'file://", "'") }
    }
}

/// A module that is its own address (RFC 2397).
fn data(specifier: &Url) -> Result<ModuleSource, JsErrorBox> {
    let wrong = || JsErrorBox::new("TypeError", format!("Invalid data URL: {specifier}"));
    let (kind, text) = specifier.path().split_once(',').ok_or_else(wrong)?;
    let text = match specifier.query() {
        Some(query) => format!("{text}?{query}"),
        None => text.to_owned(),
    };
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(&text).collect();
    let (kind, bytes) = match kind.strip_suffix(";base64") {
        Some(kind) => (kind, base64_simd::forgiving_decode_to_vec(&bytes).map_err(|_| wrong())?),
        None => (kind, bytes),
    };
    let kind = match kind.split(';').next().unwrap_or_default().trim() {
        "text/javascript" | "application/javascript" => ModuleType::JavaScript,
        "application/json" => ModuleType::Json,
        "application/wasm" => {
            let code = ModuleSourceCode::Bytes(bytes.into_boxed_slice().into());
            return Ok(ModuleSource::new(ModuleType::Wasm, code, specifier, None));
        }
        other => {
            return Err(JsErrorBox::new(
                "TypeError",
                format!("Unknown module format: {other} for URL {specifier}"),
            ));
        }
    };
    Ok(module(kind, String::from_utf8_lossy(&bytes).into_owned(), specifier))
}

fn module(kind: ModuleType, text: String, specifier: &Url) -> ModuleSource {
    ModuleSource::new(kind, ModuleSourceCode::String(text.into()), specifier, None)
}
