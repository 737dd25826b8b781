use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;
use crate::project::persons::{Consent, Person};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/project-states.md");

const KEY: KeyId = KeyId([1; 8]);
const OTHER_KEY: KeyId = KeyId([2; 8]);

fn party(name: &str) -> PartyId {
    name.parse().unwrap()
}

fn person(name: &str, mark: u8) -> FirstPerson {
    FirstPerson::new(Person::new(name, [mark; 32]))
}

fn signatures(missing: &[&str]) -> Signatures {
    Signatures {
        by_party: BTreeMap::from([(party("credit"), Consent::new([1; 32], [2; 32]).unwrap())]),
        missing: missing.iter().map(|name| party(name)).collect(),
    }
}

/// One state of each kind, and of one that matters in two ways both.
fn states() -> Vec<(&'static str, State)> {
    let active = |active| State::Active(active);
    let suspended = |was| {
        let by = BTreeSet::from([party("credit")]);
        State::Suspended(Suspended { by, was })
    };
    vec![
        ("draft", State::draft(person("li", 1))),
        ("proposed", State::proposed()),
        (
            "proposed, approved",
            active(Active::Proposed(Proposed {
                first: Some(person("li", 1)),
            })),
        ),
        ("agreed", active(Active::Agreed(Agreed {}))),
        ("keyed", active(Active::Keyed(Keyed { key: KEY }))),
        (
            "collecting",
            active(Active::Collecting(Collecting { key: KEY })),
        ),
        ("linked", active(Active::Linked(Linked { key: KEY }))),
        ("open", active(Active::Open(Open { key: KEY }))),
        (
            "suspended",
            suspended(Active::Collecting(Collecting { key: KEY })),
        ),
        (
            "closing",
            State::Closing(Closing {
                by: party("credit"),
            }),
        ),
        (
            "closed",
            State::Closed(Closed {
                by: party("credit"),
            }),
        ),
    ]
}

/// Every kind of event, with nothing and with something missing.
fn events() -> Vec<(&'static str, Event)> {
    let health = || vec![party("health")];
    let by = party;
    vec![
        ("propose", Event::Propose),
        ("approve", Event::Approve(person("wang", 2))),
        ("sign, some missing", Event::Sign(signatures(&["health"]))),
        ("sign, all", Event::Sign(signatures(&[]))),
        ("contribute", Event::Contribute),
        (
            "show key, some missing",
            Event::ShowKey {
                key: KEY,
                missing: health(),
            },
        ),
        (
            "show key, all",
            Event::ShowKey {
                key: KEY,
                missing: vec![],
            },
        ),
        (
            "show another key",
            Event::ShowKey {
                key: OTHER_KEY,
                missing: vec![],
            },
        ),
        ("upload", Event::Upload { key: KEY }),
        ("upload, another key", Event::Upload { key: OTHER_KEY }),
        ("link, some missing", Event::Link { missing: health() }),
        ("link, all", Event::Link { missing: vec![] }),
        (
            "deliver, some missing",
            Event::Deliver { missing: health() },
        ),
        ("deliver, all", Event::Deliver { missing: vec![] }),
        ("extract", Event::Extract),
        ("suspend", Event::Suspend { by: by("health") }),
        (
            "resume by who suspended",
            Event::Resume { by: by("credit") },
        ),
        ("resume by another", Event::Resume { by: by("health") }),
        ("close", Event::Close { by: by("health") }),
        ("destroyed", Event::Destroyed),
    ]
}

/// Outcomes of every event in every state: a name of a state in bold, or a reason.
fn table(term: Term) -> String {
    let mut table = String::from("| event |");
    for (name, _) in states() {
        write!(table, " {name} |").unwrap();
    }
    write!(table, "\n|---|{}", "---|".repeat(states().len())).unwrap();
    for (name, event) in events() {
        write!(table, "\n| {name} |").unwrap();
        for (_, state) in states() {
            match state.apply(event.clone(), term) {
                Ok(next) => write!(table, " **{}** |", next.name()),
                Err(refused) => write!(table, " `{}` |", refused.code()),
            }
            .unwrap();
        }
    }
    table + "\n"
}

fn page() -> String {
    format!(
        "# States of a project\n\n\
         What each event does in each state, at the matcher and at owners: the state that follows in bold,\n\
         or the stable reason for which it is refused. What the states mean is in the documentation of\n\
         `linkage_core::project::state`. This page is written from that module:\n\
         `BLESS=1 cargo test -p linkage-core project_states_page` renews it.\n\n\
         {}\n\
         A suspended project, here one that was collecting, goes back to the state that it came from.\n\n\
         ## After the last day\n\n\
         An expired project, and one of which a later epoch is agreed (`project.superseded` instead of\n\
         `project.expired`):\n\n\
         {}",
        table(Term::Running),
        table(Term::Expired)
    )
}

#[test]
fn project_states_page_is_up_to_date() {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page());
    assert_eq!(
        table(Term::Superseded),
        table(Term::Expired).replace("project.expired", "project.superseded")
    );
}

#[test]
fn a_project_goes_its_way() {
    let health = || vec![party("health")];
    let steps = [
        (Event::Propose, "proposed"),
        (Event::Sign(signatures(&["health"])), "proposed"),
        (Event::Sign(signatures(&[])), "agreed"),
        (Event::Contribute, "agreed"),
        (
            Event::ShowKey {
                key: KEY,
                missing: health(),
            },
            "agreed",
        ),
        (
            Event::ShowKey {
                key: KEY,
                missing: vec![],
            },
            "keyed",
        ),
        (Event::Upload { key: KEY }, "collecting"),
        (Event::Link { missing: vec![] }, "linked"),
        (Event::Deliver { missing: health() }, "linked"),
        (Event::Deliver { missing: vec![] }, "open"),
        (Event::Extract, "open"),
        (
            Event::Close {
                by: party("credit"),
            },
            "closing",
        ),
        (Event::Destroyed, "closed"),
    ];
    let mut state = State::draft(person("li", 1));
    for (event, expected) in steps {
        // A suspension in between changes nothing.
        if !matches!(event, Event::Destroyed) {
            let by = party("health");
            let rest = state
                .clone()
                .apply(Event::Suspend { by: by.clone() }, Term::Running);
            let back = rest.unwrap().apply(Event::Resume { by }, Term::Running);
            assert_eq!(back.unwrap(), state);
        }
        state = state.apply(event, Term::Running).unwrap();
        assert_eq!(state.name(), expected);
        // As it is kept between two acts.
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }
}

#[test]
fn whoever_suspended_must_resume() {
    let mut state = State::proposed();
    for by in ["credit", "health", "credit"] {
        let by = party(by);
        state = state.apply(Event::Suspend { by }, Term::Running).unwrap();
    }
    let names: Vec<_> = state.suspended_by().map(PartyId::as_str).collect();
    assert_eq!(names, ["credit", "health"]);
    for (by, expected) in [("credit", "suspended"), ("health", "proposed")] {
        let by = party(by);
        state = state.apply(Event::Resume { by }, Term::Running).unwrap();
        assert_eq!(state.name(), expected);
    }
}

#[test]
fn one_person_answers_for_a_manifest() {
    let approve = |state: State, first| state.apply(Event::Approve(first), Term::Running);
    let state = approve(State::proposed(), person("li", 1)).unwrap();
    assert_eq!(state.first_person(), Some(&person("li", 1)));
    let again = approve(state.clone(), person("li", 1)).unwrap();
    assert_eq!(again, state);
    assert_eq!(
        approve(state, person("wang", 2)).unwrap_err(),
        Refused::Approved
    );
}

#[test]
fn reasons_are_distinct() {
    let reasons = [
        Refused::Draft,
        Refused::Proposed,
        Refused::Approved,
        Refused::Unsigned,
        Refused::NoKey,
        Refused::KeyDiffers,
        Refused::OtherKey {
            expected: KEY,
            found: OTHER_KEY,
        },
        Refused::NotCollected(vec![]),
        Refused::NotLinked,
        Refused::Linked,
        Refused::Suspended(vec![]),
        Refused::NotSuspended,
        Refused::Closing,
        Refused::Closed,
        Refused::NotClosing,
        Refused::Expired,
        Refused::Superseded,
    ];
    let codes: BTreeSet<_> = reasons.iter().map(Refused::code).collect();
    assert_eq!(codes.len(), reasons.len());
}
