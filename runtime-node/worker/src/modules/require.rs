//! `require`: what Node's module loader asks of its host.

use super::{Modules, transpile};
use deno_core::FastString;
use deno_error::JsErrorBox;
use deno_media_type::MediaType;
use deno_node::NodeRequireLoader;
use deno_permissions::PermissionsContainer;
use node_resolver::errors::PackageJsonLoadError;
use std::borrow::Cow;
use std::path::Path;
use url::Url;

impl NodeRequireLoader for Modules {
    /// Which files may be read is the server's to decide.
    fn ensure_read_permission<'a>(
        &self,
        _: &mut PermissionsContainer,
        path: Cow<'a, Path>,
    ) -> Result<Cow<'a, Path>, JsErrorBox> {
        Ok(path)
    }

    fn load_text_file_lossy(&self, path: &Path) -> Result<FastString, JsErrorBox> {
        let bytes = self.seen().read(&self.tree, path).map_err(JsErrorBox::from_err)?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        };
        let url = deno_path_util::url_from_file_path(path).map_err(JsErrorBox::from_err)?;
        Ok(transpile::strip_types(&url, text)?.into())
    }

    fn is_maybe_cjs(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        self.tracker.is_maybe_cjs(specifier, MediaType::from_specifier(specifier))
    }

    fn is_maybe_cjs_from_require(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        self.tracker.is_maybe_cjs_from_require(specifier, MediaType::from_specifier(specifier))
    }
}
