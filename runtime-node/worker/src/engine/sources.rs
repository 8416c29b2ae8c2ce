//! The extensions' own JavaScript and TypeScript, as the engine takes it.

use deno_ast::{EmitOptions, ImportsNotUsedAsValues, ParseParams, SourceMapOption, TranspileOptions};
use deno_core::{ModuleCodeString, ModuleName, SourceMapData};
use deno_error::JsErrorBox;
use deno_media_type::MediaType;
use std::path::Path;

/// What Deno's modules call `Deno`: programs take that name as a sign that they run in Deno. js/scope.js makes it.
const DENO: &str = "__taskfsDeno";

/// The source with `Deno`, where it is a name of its own and asked for something, called [`DENO`].
fn renamed(source: &str) -> String {
    let mut renamed = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("Deno") {
        let (before, after) = (&rest[..at], &rest[at + 4..]);
        let is_global = before.ends_with("globalThis.");
        let is_named = is_global
            || before.ends_with("...")
            || !before.ends_with(|c: char| c.is_alphanumeric() || "_$.\"'`/#@-".contains(c));
        renamed.push_str(before);
        renamed.push_str(if is_named && after.starts_with(['.', '[', '?']) { DENO } else { "Deno" });
        rest = after;
    }
    renamed.push_str(rest);
    renamed
}

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
    let is_denos = !name.starts_with("ext:runtime/") && !name.starts_with("ext:core/");
    let named = |text: String| if is_denos { renamed(&text) } else { text };
    if media_type != MediaType::TypeScript {
        return Ok((named(source.as_str().to_owned()).into(), None));
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
    Ok((named(emitted.into_source().text).into(), None))
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn denos_own_name_is_another_where_it_is_a_name() {
        for (source, wanted) in [
            ("Deno.cwd()", "__taskfsDeno.cwd()"),
            ("f(Deno.errors, globalThis.Deno?.env)", "f(__taskfsDeno.errors, globalThis.__taskfsDeno?.env)"),
            ("{ ...Deno.memoryUsage() }", "{ ...__taskfsDeno.memoryUsage() }"),
            (
                "\"Deno.open()\" killedByDeno.x a.Deno.b Deno's",
                "\"Deno.open()\" killedByDeno.x a.Deno.b Deno's",
            ),
        ] {
            assert_eq!(renamed(source), wanted);
        }
    }
}
