//! Where an uncaught error came from: the line that Node shows above it.

use deno_core::{op2, v8};
use serde::Serialize;

/// A line of source, and carets under what is wrong with it.
#[derive(Serialize)]
pub struct Place {
    file: String,
    line: usize,
    source: String,
    mark: String,
}

#[op2]
#[serde]
pub fn op_fault_place(scope: &mut v8::PinScope<'_, '_>, error: v8::Local<'_, v8::Value>) -> Option<Place> {
    let message = v8::Exception::create_message(scope, error);
    let line = message.get_line_number(scope)?;
    let source = message.get_source_line(scope)?.to_rust_string_lossy(scope);
    let name = message.get_script_resource_name(scope)?.to_rust_string_lossy(scope);
    if name.starts_with("ext:") || name.starts_with("node:") || name.is_empty() {
        return None;
    }
    // A line of a bundle says nothing, and Node leaves it out too.
    if source.len() > 1000 {
        return None;
    }
    let (start, end) = (message.get_start_column(), message.get_end_column());
    let before: String = source.chars().take(start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let mark = format!("{before}{}", "^".repeat(end.saturating_sub(start).max(1)));
    Some(Place { file: path_of(name), line, source, mark })
}

/// Node names CommonJS files by path; so do we for files altogether.
fn path_of(name: String) -> String {
    match url::Url::parse(&name).ok().filter(|url| url.scheme() == "file").map(|url| url.to_file_path()) {
        Some(Ok(path)) => path.to_string_lossy().into_owned(),
        _ => name,
    }
}
