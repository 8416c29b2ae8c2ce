//! Which of the open files that Deno's table of descriptors has are ours. It keeps them as its own trait, which says less of
//! a file than there is to say.

use super::OpenFile;
use deno_io::fs::File;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

thread_local! {
    /// By where they are: what a weak reference holds on to is nobody else's place.
    static OURS: RefCell<HashMap<*const OpenFile, Weak<OpenFile>>> = RefCell::default();
}

impl OpenFile {
    /// The file as Deno keeps it.
    pub fn into_denos(self) -> Rc<dyn File> {
        let file = Rc::new(self);
        OURS.with_borrow_mut(|ours| {
            if ours.len() == ours.capacity() {
                ours.retain(|_, file| file.strong_count() > 0);
            }
            ours.insert(Rc::as_ptr(&file), Rc::downgrade(&file));
        });
        file
    }

    /// What Deno keeps, if it came from [`OpenFile::into_denos`].
    pub fn of_denos(file: &Rc<dyn File>) -> Option<Rc<OpenFile>> {
        OURS.with_borrow(|ours| ours.get(&Rc::as_ptr(file).cast::<OpenFile>())?.upgrade())
    }
}
