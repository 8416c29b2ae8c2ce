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
        if name.is_empty()
            || name == "undefined"
            || name.starts_with("ext:")
            || name.starts_with("node:")
            || source.len() > 1000
        {
            return None;
        }
        let before = source.chars().take(columns.start).map(|c| if c == '\t' { '\t' } else { ' ' });
        let mut mark: String = before.collect();
        mark.extend(std::iter::repeat_n('^', columns.len().max(1)));
        Some(Place { file: name, line, source, mark })
    }

    /// Node shows where an error was thrown, and not where it was made, which is what an engine remembers of it.
    fn at_throw(mut self) -> Place {
        let columns = thrown_at(&self.source, self.mark.find('^').unwrap_or_default()..self.mark.len());
        if columns.len() == 1 {
            self.mark.truncate(columns.start);
            self.mark.push('^');
        }
        self
    }

    /// What the engine remembers of an error. Of a module that it could not even read it has no source.
    pub fn of_error(error: &JsError, thrown: bool, tree: &Tree) -> Option<Place> {
        let frame = error.frames.get(error.source_line_frame_index?)?;
        let (line, column) = (frame.line_number? as usize, (frame.column_number? as usize).saturating_sub(1));
        let source = match &error.source_line {
            Some(source) => source.clone(),
            None => line_of(frame.file_name.as_ref()?, line, tree)?,
        };
        let made = column..column + 1;
        let columns = if thrown { thrown_at(&source, made) } else { made };
        Place::new(frame.file_name.clone()?, line, source, columns)
    }

    /// Where something was thrown.
    pub fn of_message(scope: &v8::PinScope<'_, '_>, message: v8::Local<'_, v8::Message>) -> Option<Place> {
        let line = message.get_line_number(scope)?;
        let source = message.get_source_line(scope)?.to_rust_string_lossy(scope);
        let name = message.get_script_resource_name(scope)?.to_rust_string_lossy(scope);
        Place::new(name, line, source, message.get_start_column()..message.get_end_column())
    }
}

/// A line of a program's file.
fn line_of(name: &str, line: usize, tree: &Tree) -> Option<String> {
    let path = url::Url::parse(name).ok()?.to_file_path().ok()?;
    let text = now(tree.read_file(&path)).ok()?;
    String::from_utf8_lossy(&text).lines().nth(line.checked_sub(1)?).map(str::to_owned)
}

/// The `throw` before what is at these columns, where there is one.
fn thrown_at(source: &str, columns: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let before: String = source.chars().take(columns.start).collect();
    match before.trim_end().strip_suffix("throw") {
        Some(rest) if !rest.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') => {
            let at = rest.chars().count();
            at..at + 1
        }
        _ => columns,
    }
}

#[op2]
#[serde]
pub fn op_fault_place(
    scope: &mut v8::PinScope<'_, '_>,
    error: v8::Local<'_, v8::Value>,
    was_thrown: bool,
) -> Option<Place> {
    let message = v8::Exception::create_message(scope, error);
    let place = Place::of_message(scope, message)?;
    Some(if was_thrown { place.at_throw() } else { place })
}

/// The same where the engine knows only file, line and column.
#[op2]
#[serde]
pub fn op_fault_line(
    state: &mut OpState,
    #[string] file: &str,
    #[smi] line: u32,
    #[smi] column: u32,
    was_thrown: bool,
) -> Option<Place> {
    let path = url::Url::parse(file).ok()?.to_file_path().ok()?;
    let text = now(state.borrow::<Tree>().read_file(&path)).ok()?;
    let (line, column) = (line as usize, (column as usize).saturating_sub(1));
    let source = String::from_utf8_lossy(&text).lines().nth(line.checked_sub(1)?)?.to_owned();
    let made = column..column + 1;
    let columns = if was_thrown { thrown_at(&source, made) } else { made };
    Place::new(file.to_owned(), line, source, columns)
}
