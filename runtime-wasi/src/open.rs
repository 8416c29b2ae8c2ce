//! What is known of an open file or directory, whichever WASI the guest speaks that has it open.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use vfs::{Aspect, Direct, FileRef, Kind, Nature, NodeRef, Place, Qid};

/// Where what is open was found.
pub(crate) enum Found {
    /// Nowhere in the guest's namespace.
    Stdio,
    At(Place),
    /// A regular file that was opened in one step: of its place this is all that is kept.
    Once(Aspect),
}

/// An open file or directory.
pub(crate) struct Open {
    pub found: Found,
    /// None for a directory that was given, not opened, until it is listed.
    pub file: Option<FileRef>,
    pub kind: Kind,
    nature: Nature,
    /// The file gives and takes bytes at offsets at once.
    pub stores: bool,
    learned: Learned,
}

/// What is asked of a file that is used a second time: most are read or written once.
#[derive(Default)]
struct Learned {
    used: AtomicBool,
    direct: OnceLock<Option<Direct>>,
    /// The qid of its node, once it was told.
    node: OnceLock<Qid>,
}

impl Open {
    #[inline(always)]
    pub fn opened(found: Found, file: FileRef, kind: Kind) -> Open {
        let nature = file.nature();
        let stores = nature == Nature::Storage && !file.is_remote();
        Open { found, file: Some(file), kind, nature, stores, learned: Learned::default() }
    }

    /// A directory that the guest finds open at its start.
    pub fn given(place: Place) -> Open {
        let (kind, nature) = (place.kind(), place.node().nature());
        Open { found: Found::At(place), file: None, kind, nature, stores: false, learned: Learned::default() }
    }

    /// A directory that was given is opened, to be listed.
    pub fn open_as(&mut self, file: FileRef) -> &FileRef {
        self.stores = self.nature == Nature::Storage && !file.is_remote();
        self.file.insert(file)
    }

    /// Whether it is one that the program was started with: it was not opened by a name.
    pub fn is_stdio(&self) -> bool {
        matches!(self.found, Found::Stdio)
    }

    pub fn is_stream(&self) -> bool {
        self.nature == Nature::Stream
    }

    pub fn place(&self) -> Option<&Place> {
        match &self.found {
            Found::At(place) => Some(place),
            Found::Stdio | Found::Once(_) => None,
        }
    }

    pub fn node(&self) -> &NodeRef {
        match (&self.file, &self.found) {
            (Some(file), _) => file.node(),
            (None, Found::At(place)) => place.node(),
            (None, Found::Stdio | Found::Once(_)) => unreachable!("what has no place was opened"),
        }
    }

    /// The identity that the guest is shown, where the node has this qid.
    pub fn identity(&self, node: Qid) -> u64 {
        match &self.found {
            Found::At(place) => place.qid().path,
            Found::Once(aspect) => aspect.identity(node),
            Found::Stdio => node.path,
        }
    }

    /// How to use its `file` without asking that, where that was worth finding out.
    #[inline(always)]
    pub fn direct(&self, file: &FileRef) -> Option<&Direct> {
        match self.learned.direct.get() {
            Some(direct) => direct.as_ref(),
            None => self.find_direct(file),
        }
    }

    #[cold]
    fn find_direct(&self, file: &FileRef) -> Option<&Direct> {
        if !self.learned.used.swap(true, Ordering::Relaxed) {
            return None;
        }
        self.learned.direct.get_or_init(|| file.clone().direct()).as_ref()
    }

    /// The same, and the qid of its node, where both are known already.
    #[inline(always)]
    pub fn direct_node(&self) -> Option<(&Direct, Qid)> {
        Some((self.learned.direct.get()?.as_ref()?, *self.learned.node.get()?))
    }

    /// The qid of its node, where that was told.
    pub fn known_node(&self) -> Option<Qid> {
        self.learned.node.get().copied()
    }

    /// The node of its file has this qid, so it need not be asked again.
    pub fn is_of(&self, node: Qid) {
        if let Some(file) = &self.file
            && self.direct(file).is_some()
        {
            // Nobody else has it at the same time.
            let _known = self.learned.node.set(node);
        }
    }
}
