//! The connections that are not accepted yet: bounded, and the oldest make room for the newest.
//!
//! Those that have sent nothing are counted apart from those whose handshake is under way: silent
//! ones cost little, so many are borne, and however many there are, they displace only each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The places of connections before their acceptance.
pub(crate) struct Handshakes {
    silent_max: usize,
    speaking_max: usize,
    places: Mutex<Places>,
}

/// The places by number, which grows: the first is the oldest. Dropping a sender takes the place.
#[derive(Default)]
struct Places {
    next_id: u64,
    silent: BTreeMap<u64, oneshot::Sender<()>>,
    speaking: BTreeMap<u64, oneshot::Sender<()>>,
}

impl Handshakes {
    pub(crate) fn new(silent_max: usize, speaking_max: usize) -> Arc<Self> {
        let places = Mutex::default();
        Arc::new(Self {
            silent_max,
            speaking_max,
            places,
        })
    }

    /// Gives a place to a new connection, which has sent nothing. The receiver ends when the place
    /// is lost to a newer one.
    pub(crate) fn arrive(self: &Arc<Self>) -> (Place, oneshot::Receiver<()>) {
        let (kept, lost) = oneshot::channel();
        let mut places = self.places();
        let id = places.next_id;
        places.next_id += 1;
        places.silent.insert(id, kept);
        if places.silent.len() > self.silent_max {
            places.silent.pop_first();
        }
        drop(places);
        let handshakes = Arc::clone(self);
        (Place { handshakes, id }, lost)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        // No code panics while it holds the lock.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among [`Handshakes`]; dropping it gives the place back.
pub(crate) struct Place {
    handshakes: Arc<Handshakes>,
    id: u64,
}

impl Place {
    /// Counts the connection among those that have sent something, from now on.
    pub(crate) fn speak(&self) {
        let mut places = self.handshakes.places();
        if let Some(kept) = places.silent.remove(&self.id) {
            places.speaking.insert(self.id, kept);
            if places.speaking.len() > self.handshakes.speaking_max {
                places.speaking.pop_first();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.handshakes.places();
        places.silent.remove(&self.id);
        places.speaking.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    fn is_lost(lost: &mut oneshot::Receiver<()>) -> bool {
        lost.try_recv() == Err(TryRecvError::Closed)
    }

    #[test]
    fn the_oldest_silent_one_makes_room() {
        let handshakes = Handshakes::new(2, 1);
        let (_first, mut first_lost) = handshakes.arrive();
        let (second, mut second_lost) = handshakes.arrive();
        let (_third, mut third_lost) = handshakes.arrive();
        assert!(is_lost(&mut first_lost));
        second.speak();
        let (_fourth, _) = handshakes.arrive();
        assert!(!is_lost(&mut second_lost) && !is_lost(&mut third_lost));
        let (_fifth, _) = handshakes.arrive();
        assert!(!is_lost(&mut second_lost) && is_lost(&mut third_lost));
    }

    #[test]
    fn the_oldest_handshake_makes_room() {
        let handshakes = Handshakes::new(4, 1);
        let (first, mut first_lost) = handshakes.arrive();
        let (second, mut second_lost) = handshakes.arrive();
        first.speak();
        second.speak();
        assert!(is_lost(&mut first_lost) && !is_lost(&mut second_lost));
        // A lost place cannot be had back by speaking again.
        first.speak();
        assert!(!is_lost(&mut second_lost));
    }

    #[test]
    fn a_dropped_place_is_free() {
        let handshakes = Handshakes::new(1, 1);
        drop(handshakes.arrive());
        let (first, mut first_lost) = handshakes.arrive();
        assert!(!is_lost(&mut first_lost));
        first.speak();
        drop(first);
        let (second, mut second_lost) = handshakes.arrive();
        second.speak();
        assert!(!is_lost(&mut second_lost));
    }
}
