//! TypeScript as JavaScript: its types are dropped, nothing is checked.

use deno_ast::{EmitOptions, ParseParams, SourceMapOption};
use deno_error::JsErrorBox;
use deno_media_type::MediaType;
use url::Url;

/// The source as the engine takes it; what is no TypeScript or JSX stays as it is.
///
/// # Errors
/// A syntax error, with file, line and caret.
pub fn strip_types(specifier: &Url, text: String) -> Result<String, JsErrorBox> {
    let media_type = MediaType::from_specifier(specifier);
    if !media_type.is_emittable() {
        return Ok(text);
    }
    let syntax_error = |e: deno_ast::ParseDiagnostic| JsErrorBox::new("SyntaxError", e.to_string());
    let parsed = deno_ast::parse_program(ParseParams {
        specifier: specifier.clone(),
        text: text.into(),
        media_type,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    })
    .map_err(syntax_error)?;
    let emit = EmitOptions { source_map: SourceMapOption::Inline, ..Default::default() };
    let emitted = parsed
        .transpile(&Default::default(), &Default::default(), &emit)
        .map_err(|e| JsErrorBox::new("SyntaxError", e.to_string()))?;
    Ok(emitted.into_source().text)
}
