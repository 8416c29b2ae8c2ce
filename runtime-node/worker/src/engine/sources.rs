//! The extensions' own JavaScript and TypeScript, as the engine takes it.

use deno_ast::{EmitOptions, ImportsNotUsedAsValues, ParseParams, SourceMapOption, TranspileOptions};
use deno_core::{ModuleCodeString, ModuleName, SourceMapData};
use deno_error::JsErrorBox;
use deno_media_type::MediaType;
use std::path::Path;

/// TypeScript without its types; everything else as it is.
///
/// # Errors
/// A source that cannot be parsed.
pub fn transpile(
    name: ModuleName,
    source: ModuleCodeString,
) -> Result<(ModuleCodeString, Option<SourceMapData>), JsErrorBox> {
    // A database in a file of the host's is left out, and says so.
    if name.ends_with("deno_node/sqlite.ts") {
        let absent = "(function () { throw new Error('node:sqlite is not available in a task') })()";
        return Ok((absent.to_owned().into(), None));
    }
    // Deno's polyfill of `process` leaves a blank for Node's version.
    let source = if name.ends_with("deno_node/_process/process.ts") {
        source.as_str().replace("__NODE_VERSION__", deno_node::NODE_VERSION).into()
    } else {
        source
    };
    let source: ModuleCodeString =
        super::mends::mend(&name, source.as_str().to_owned()).map_err(JsErrorBox::generic)?.into();
    // Node's built-in modules have names without an extension.
    let media_type = if name.starts_with("node:") {
        MediaType::TypeScript
    } else {
        MediaType::from_path(Path::new(&*name))
    };
    if media_type != MediaType::TypeScript {
        return Ok((source, None));
    }
    let fault = |e: String| JsErrorBox::generic(format!("{name}: {e}"));
    let parsed = deno_ast::parse_module(ParseParams {
        specifier: url::Url::parse(&name).map_err(|e| fault(e.to_string()))?,
        text: source.as_str().into(),
        media_type,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    })
    .map_err(|e| fault(e.to_string()))?;
    let options =
        TranspileOptions { imports_not_used_as_values: ImportsNotUsedAsValues::Remove, ..Default::default() };
    let emit = EmitOptions { source_map: SourceMapOption::None, ..Default::default() };
    let emitted = parsed.transpile(&options, &Default::default(), &emit).map_err(|e| fault(e.to_string()))?;
    Ok((emitted.into_source().text.into(), None))
}
