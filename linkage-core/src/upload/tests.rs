use proptest::prelude::*;

use super::state::{Reason, State};
use super::*;

#[derive(Debug, Clone, Copy)]
enum Event {
    Seal,
    Accept,
    Refuse,
    Abort,
    Expire,
}

/// What an event makes of a state, if the state has a method for it: whatever else is written here
/// does not compile.
fn next(state: State, event: Event) -> Option<State> {
    match (state, event) {
        (State::Open(open), Event::Seal) => Some(open.seal().into()),
        (State::Open(open), Event::Abort) => Some(open.abort().into()),
        (State::Open(open), Event::Expire) => Some(open.expire().into()),
        (State::Sealed(sealed), Event::Accept) => Some(sealed.accept().into()),
        (State::Sealed(sealed), Event::Refuse) => Some(sealed.refuse(Reason::Root).into()),
        _ => None,
    }
}

#[test]
fn every_state_answers_every_event_as_the_diagram_says() {
    use Event::{Abort, Accept, Expire, Refuse, Seal};
    let table = [
        ("open", Seal, Some("sealed")),
        ("open", Accept, None),
        ("open", Refuse, None),
        ("open", Abort, Some("refused")),
        ("open", Expire, Some("expired")),
        ("sealed", Seal, None),
        ("sealed", Accept, Some("accepted")),
        ("sealed", Refuse, Some("refused")),
        ("sealed", Abort, None),
        ("sealed", Expire, None),
    ];
    for (from, event, to) in table {
        let state = State::stored(from, None).unwrap();
        let found = next(state, event);
        assert_eq!(found.map(|state| state.name()), to, "{from} {event:?}");
    }
    let finals = [
        ("accepted", None),
        ("refused", Some("upload.root")),
        ("expired", None),
    ];
    for (name, reason) in finals {
        let state = State::stored(name, reason).unwrap();
        for event in [Seal, Accept, Refuse, Abort, Expire] {
            assert_eq!(next(state, event), None, "{name} {event:?}");
        }
    }
}

#[test]
fn a_state_is_stored_and_read_back() {
    let open = State::NEW;
    let State::Open(taking) = open else { panic!() };
    let sealed = taking.seal();
    let mut all = vec![
        open,
        sealed.into(),
        sealed.accept().into(),
        taking.expire().into(),
    ];
    all.extend(Reason::ALL.map(|reason| State::from(sealed.refuse(reason))));
    for state in all {
        let reason = state.reason().map(Reason::code);
        assert_eq!(State::stored(state.name(), reason), Some(state));
        assert_eq!(State::stored(state.name(), Some("upload.other")), None);
        let live = ["open", "sealed", "accepted"].contains(&state.name());
        assert_eq!(state.is_live(), live);
    }
    assert_eq!(State::stored("refused", None), None);
    assert_eq!(State::stored("open", Some("upload.root")), None);
    assert_eq!(State::stored("done", None), None);
}

#[test]
fn the_digest_names_every_part_of_an_announcement() {
    let (project, other_project) = (ProjectId::from([1; 32]), ProjectId::from([2; 32]));
    let (party, other_party): (PartyId, PartyId) =
        ("health".parse().unwrap(), "credit".parse().unwrap());
    let root = Hash([3; 32]);
    let whole = Announcement {
        operation: &[4; 16],
        project: &project,
        party: &party,
        header: b"header",
        chunk_bytes: 65_536,
        digest: &[5; 32],
        root: &root,
    };
    // Worked out apart, from the layout that the documentation gives.
    assert_eq!(
        hex::encode(whole.digest()),
        "206a43bee17e4e29f3f21df27b94ce149fc240ce6f734ae9f374abc6e2ee40d0"
    );
    let changed = [
        Announcement {
            operation: &[9; 16],
            ..whole
        },
        Announcement {
            project: &other_project,
            ..whole
        },
        Announcement {
            party: &other_party,
            ..whole
        },
        Announcement {
            header: b"headex",
            ..whole
        },
        Announcement {
            chunk_bytes: 65_537,
            ..whole
        },
        Announcement {
            digest: &[9; 32],
            ..whole
        },
        Announcement {
            root: &Hash([9; 32]),
            ..whole
        },
    ];
    for other in changed {
        assert_ne!(other.digest(), whole.digest(), "{other:?}");
    }
}

#[test]
fn a_part_is_stored_and_read_back() {
    for part in Part::ALL {
        assert_eq!(Part::stored(part.name()), Some(part));
    }
    assert_eq!(Part::stored("half"), None);
}

#[test]
fn chunks_are_counted() {
    assert_eq!(chunks(0, 4), 0);
    assert_eq!(chunks(1, 4), 1);
    assert_eq!(chunks(8, 4), 2);
    assert_eq!(chunks(9, 4), 3);
}

proptest! {
    #[test]
    fn the_root_does_not_depend_on_how_the_body_comes(
        body in prop::collection::vec(any::<u8>(), 0..300),
        chunk_bytes in 1_u32..40,
        cuts in prop::collection::vec(0_usize..300, 0..8),
    ) {
        let mut tree = ChunkTree::new(chunk_bytes);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        for ends in cuts.windows(2) {
            tree.update(&body[ends[0]..ends[1]]);
        }
        prop_assert_eq!(tree.finish(), root(&body, chunk_bytes));
    }

    #[test]
    fn any_changed_moved_or_missing_byte_gives_another_root(
        body in prop::collection::vec(any::<u8>(), 1..300),
        chunk_bytes in 1_u32..40,
        at in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let whole = root(&body, chunk_bytes);
        let mut other = body.clone();
        other[at.index(body.len())] ^= 1 << bit;
        prop_assert_ne!(root(&other, chunk_bytes), whole);
        prop_assert_ne!(root(&body[..body.len() - 1], chunk_bytes), whole);
        let mut longer = body.clone();
        longer.push(0);
        prop_assert_ne!(root(&longer, chunk_bytes), whole);
    }
}
