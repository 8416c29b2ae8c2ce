//! Variables: values that are counted as memory, and a table that a subshell gets a copy of for nothing.

use crate::commands::Env;
use crate::process::{Held, Memory};
use std::collections::BTreeMap;
use std::sync::Arc;
use vfs::{Errno, Error, Result};

/// A value. Clones are the same bytes, counted once.
#[derive(Clone)]
pub(crate) struct Value(Arc<(Vec<u8>, Held)>);

/// What a value costs beyond its bytes.
const OVERHEAD: usize = 96;

impl Value {
    pub fn new(memory: &Memory, bytes: Vec<u8>) -> Result<Value> {
        let held = memory.hold(bytes.len() + OVERHEAD)?;
        Ok(Value(Arc::new((bytes, held))))
    }
    pub fn bytes(&self) -> &[u8] {
        &self.0.0
    }
}

#[derive(Clone, Default)]
pub(crate) struct Variable {
    /// None where it is only marked.
    pub value: Option<Value>,
    pub exported: bool,
    pub readonly: bool,
}

/// What a variable was before a `local` or an assignment before a command.
pub(crate) type Saved = (Vec<u8>, Option<Variable>);

#[derive(Clone)]
pub(crate) struct Variables {
    table: Arc<BTreeMap<Vec<u8>, Variable>>,
    memory: Memory,
}

impl Variables {
    pub fn new(memory: Memory) -> Variables {
        Variables { table: Arc::default(), memory }
    }
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.table.get(name)?.value.as_ref().map(Value::bytes)
    }
    pub fn is_readonly(&self, name: &[u8]) -> bool {
        self.table.get(name).is_some_and(|variable| variable.readonly)
    }
    /// Fails (EPERM) where it is read-only, or where there is no room.
    pub fn set(&mut self, name: &[u8], value: Vec<u8>, export: bool) -> Result<()> {
        if self.is_readonly(name) {
            return Err(Error::new(Errno::EPERM, "is read only"));
        }
        let value = Value::new(&self.memory, value)?;
        let variable = self.slot(name);
        variable.value = Some(value);
        variable.exported |= export;
        Ok(())
    }
    fn slot(&mut self, name: &[u8]) -> &mut Variable {
        let table = Arc::make_mut(&mut self.table);
        table.entry(name.to_vec()).or_default()
    }
    pub fn export(&mut self, name: &[u8]) {
        self.slot(name).exported = true;
    }
    pub fn protect(&mut self, name: &[u8]) {
        self.slot(name).readonly = true;
    }
    pub fn unset(&mut self, name: &[u8]) -> Result<()> {
        if self.is_readonly(name) {
            return Err(Error::new(Errno::EPERM, "is read only"));
        }
        Arc::make_mut(&mut self.table).remove(name);
        Ok(())
    }
    pub fn save(&self, name: &[u8]) -> Saved {
        (name.to_vec(), self.table.get(name).cloned())
    }
    pub fn restore(&mut self, saved: Vec<Saved>) {
        let table = Arc::make_mut(&mut self.table);
        for (name, variable) in saved.into_iter().rev() {
            match variable {
                Some(variable) => table.insert(name, variable),
                None => table.remove(&name),
            };
        }
    }
    /// By name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Variable)> {
        self.table.iter().map(|(name, variable)| (name.as_slice(), variable))
    }
    pub fn environment(&self) -> Env {
        let exported = self.table.iter().filter(|(_, variable)| variable.exported);
        exported
            .filter_map(|(name, variable)| Some((name.clone(), variable.value.as_ref()?.bytes().to_vec())))
            .collect()
    }
}
