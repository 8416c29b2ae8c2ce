//! Where an uncaught error came from: the line that Node shows above it.

use crate::files::Tree;
use crate::link::now;
use deno_core::error::JsError;
use deno_core::{OpState, op2, v8};
use serde::Serialize;

/// A line of source, and carets under what is wrong with it.
#[derive(Serialize)]
pub struct Place {
    file: String,
    line: usize,
    source: String,
    mark: String,
}

impl Place {
    /// Of a line of source, and the columns of what is wrong in it.
    fn new(name: String, line: usize, source: String, columns: std::ops::Range<usize>) -> Option<Place> {
        // What is the engine's own says nothing to a program's author, and a line of a bundle neither: Node leaves both out.
        if name.is_empty() || name.starts_with("ext:") || name.starts_with("node:") || source.len() > 1000 {
            return None;
        }
        let before = source.chars().take(columns.start).map(|c| if c == '\t' { '\t' } else { ' ' });
        let mut mark: String = before.collect();
        mark.extend(std::iter::repeat_n('^', columns.len().max(1)));
        Some(Place { file: path_of(name), line, source, mark })
    }

    /// What the engine remembers of an error.
    pub fn of_error(error: &JsError) -> Option<Place> {
        let frame = error.frames.get(error.source_line_frame_index?)?;
        let (line, column) = (frame.line_number? as usize, (frame.column_number? as usize).saturating_sub(1));
        Place::new(frame.file_name.clone()?, line, error.source_line.clone()?, column..column + 1)
    }
}

#[op2]
#[serde]
pub fn op_fault_place(scope: &mut v8::PinScope<'_, '_>, error: v8::Local<'_, v8::Value>) -> Option<Place> {
    let message = v8::Exception::create_message(scope, error);
    let line = message.get_line_number(scope)?;
    let source = message.get_source_line(scope)?.to_rust_string_lossy(scope);
    let name = message.get_script_resource_name(scope)?.to_rust_string_lossy(scope);
    Place::new(name, line, source, message.get_start_column()..message.get_end_column())
}

/// The same where the engine knows only file, line and column: the line is read.
#[op2]
#[serde]
pub fn op_fault_line(
    state: &mut OpState,
    #[string] file: &str,
    #[smi] line: u32,
    #[smi] column: u32,
) -> Option<Place> {
    let path = url::Url::parse(file).ok()?.to_file_path().ok()?;
    let text = now(state.borrow::<Tree>().read_file(&path)).ok()?;
    let (line, column) = (line as usize, (column as usize).saturating_sub(1));
    let source = String::from_utf8_lossy(&text).lines().nth(line.checked_sub(1)?)?.to_owned();
    Place::new(file.to_owned(), line, source, column..column + 1)
}

/// Node names CommonJS files by path; so do we for files altogether.
fn path_of(name: String) -> String {
    match url::Url::parse(&name).ok().filter(|url| url.scheme() == "file").map(|url| url.to_file_path()) {
        Some(Ok(path)) => path.to_string_lossy().into_owned(),
        _ => name,
    }
}
