//! Modules: which file a specifier means, and its source as the engine takes it.
//!
//! Resolution is crate `node_resolver`'s over the task's namespace; loading (types stripped, CommonJS wrapped for
//! `import`) is here. Every part of it works without waiting, because `require` cannot wait.

mod listed;
mod loader;
pub mod package;
mod require;
mod seen;
mod transpile;

pub use loader::Slot;
pub use seen::{Kind, Seen};

use crate::files::Tree;
use deno_media_type::MediaType;
use deno_node::NodeExtInitServices;
use deno_resolver::cjs::analyzer::{DenoAstModuleExportAnalyzer, DenoCjsCodeAnalyzer, NullNodeAnalysisCache};
use deno_resolver::cjs::{CjsTracker, IsCjsResolutionMode};
use deno_resolver::loader::NpmModuleLoader;
use deno_resolver::npm::{
    ByonmNpmResolver, ByonmNpmResolverCreateOptions, CreateInNpmPkgCheckerOptions, DenoInNpmPackageChecker,
};
use listed::Listed;
use node_resolver::analyze::{CjsModuleExportAnalyzer, NodeCodeTranslator, NodeCodeTranslatorMode};
use node_resolver::cache::NodeResolutionSys;
use node_resolver::{
    DenoIsBuiltInNodeModuleChecker, NodeConditionOptions, NodeResolver, NodeResolverOptions,
    PackageJsonResolver,
};
use seen::PackageJsons;
use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use url::Url;

pub type Packages = ByonmNpmResolver<Tree>;
pub type Checker = DenoInNpmPackageChecker;
pub type Services = NodeExtInitServices<Checker, Packages, Tree>;
type Resolver = NodeResolver<Checker, DenoIsBuiltInNodeModuleChecker, Packages, Tree>;
type Tracker = CjsTracker<Checker, Tree>;
type Loader =
    NpmModuleLoader<DenoCjsCodeAnalyzer<Tree>, Checker, DenoIsBuiltInNodeModuleChecker, Packages, Tree>;

/// Everything that finds and loads modules for one task.
#[derive(Clone)]
pub struct Modules {
    tree: Tree,
    resolver: Arc<Resolver>,
    tracker: Arc<Tracker>,
    loader: Rc<Loader>,
    packages: Arc<PackageJsonResolver<Tree>>,
    seen: Arc<Seen>,
    /// How many are on their way.
    loading: Rc<Cell<usize>>,
}

impl Modules {
    /// `conditions` are those of the command line.
    pub fn new(tree: &Tree, conditions: &[String]) -> Modules {
        let listed = Arc::new(Listed::new(tree));
        let jsons = PackageJsons::new(tree, listed.clone());
        let packages = Arc::new(PackageJsonResolver::new(tree.clone(), Some(Arc::new(jsons))));
        let checker = DenoInNpmPackageChecker::new(CreateInNpmPkgCheckerOptions::Byonm);
        let sys = NodeResolutionSys::new(tree.clone(), None);
        let folders = ByonmNpmResolver::new(ByonmNpmResolverCreateOptions {
            root_node_modules_dir: None,
            search_stop_dir: None,
            sys: sys.clone(),
            pkg_json_resolver: packages.clone(),
        });
        let resolver = Arc::new(NodeResolver::new(
            checker.clone(),
            DenoIsBuiltInNodeModuleChecker,
            folders.clone(),
            packages.clone(),
            sys,
            NodeResolverOptions {
                conditions: NodeConditionOptions {
                    conditions: conditions.iter().cloned().map(Cow::Owned).collect(),
                    ..Default::default()
                },
                ..Default::default()
            },
        ));
        let mode = IsCjsResolutionMode::ImplicitTypeCommonJs;
        let tracker = Arc::new(CjsTracker::new(checker.clone(), packages.clone(), mode, Vec::new()));
        let analyzer = DenoCjsCodeAnalyzer::new(
            Arc::new(NullNodeAnalysisCache),
            tracker.clone(),
            Arc::new(DenoAstModuleExportAnalyzer::new(Default::default())),
        );
        let exports = Arc::new(CjsModuleExportAnalyzer::new(
            analyzer,
            checker.clone(),
            resolver.clone(),
            folders,
            packages.clone(),
            tree.clone(),
        ));
        let translator = Arc::new(NodeCodeTranslator::new(exports, NodeCodeTranslatorMode::ModuleLoader));
        let loader = Rc::new(NpmModuleLoader::new(tracker.clone(), checker, translator, tree.clone()));
        Modules {
            tree: tree.clone(),
            resolver,
            tracker,
            loader,
            packages,
            seen: Arc::new(Seen::new(listed)),
            loading: Rc::default(),
        }
    }

    /// What Node's own modules need for `require`.
    pub fn services(&self) -> Services {
        NodeExtInitServices {
            node_require_loader: Rc::new(self.clone()),
            node_resolver: self.resolver.clone(),
            pkg_json_resolver: self.packages.clone(),
            sys: self.tree.clone(),
        }
    }

    /// What the loader has looked at.
    pub fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// Whether a main module runs as CommonJS. One that turns out to be an ES module is loaded as such by `require`.
    pub fn is_common_js(&self, main: &Url) -> bool {
        let kind = MediaType::from_specifier(main);
        kind == MediaType::Json || self.tracker.is_maybe_cjs(main, kind).unwrap_or(true)
    }
}
