//! How many connections there may be: of all peers, and of one.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Whose connections are counted together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Whose {
    User(u32),
    Address(IpAddr),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whose::User(uid) => write!(f, "user {uid}"),
            Whose::Address(ip) => ip.fmt(f),
        }
    }
}

pub struct Places {
    most: usize,
    most_of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by: HashMap<Whose, usize>,
}

/// A connection's place; dropping it makes room.
pub struct Place {
    places: Arc<Places>,
    whose: Whose,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug)]
pub enum Full {
    All(usize),
    OfOne(usize, Whose),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Full::All(most) => write!(f, "too many connections: this server serves {most}"),
            Full::OfOne(most, whose) => write!(f, "too many connections: {most} of {whose} are served"),
        }
    }
}

impl Places {
    pub fn new(most: usize, most_of_one: usize) -> Arc<Places> {
        Arc::new(Places { most, most_of_one, taken: Mutex::default() })
    }

    pub fn take(self: &Arc<Places>, whose: Whose) -> Result<Place, Full> {
        let mut taken = self.taken.lock();
        let of_one = taken.by.get(&whose).copied().unwrap_or(0);
        if taken.all >= self.most {
            return Err(Full::All(self.most));
        }
        if of_one >= self.most_of_one {
            return Err(Full::OfOne(self.most_of_one, whose));
        }
        taken.all += 1;
        taken.by.insert(whose, of_one + 1);
        Ok(Place { places: self.clone(), whose })
    }
}

impl Place {
    pub fn whose(&self) -> Whose {
        self.whose
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.all -= 1;
        if let Some(count) = taken.by.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                taken.by.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_can_be_taken_by_others() {
        let places = Places::new(3, 2);
        let (me, you) = (Whose::User(1), Whose::User(2));
        let held = [places.take(me), places.take(me)];
        assert!(matches!(places.take(me), Err(Full::OfOne(2, whose)) if whose == me));
        let _yours = places.take(you).expect("a third place");
        assert!(matches!(places.take(you), Err(Full::All(3))));
        drop(held);
        let _again = places.take(me).expect("there is room");
        assert_eq!(places.taken.lock().by.len(), 2);
    }
}
