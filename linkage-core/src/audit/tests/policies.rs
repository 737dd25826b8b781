use super::*;
use crate::audit::policy::{Policy, PolicyFault, Unaccepted};

/// A policy of the log of `health` under three witnesses, and what `more` defines.
fn policy(more: &str) -> String {
    let mut text = format!(
        "# who is believed\n\nlog {}\n",
        keys("health").log.verifying()
    );
    for party in ["tax", "credit", "pension"] {
        text += &format!(
            "witness {party}\t{} https://{party}.example\n",
            keys(party).witness.verifying()
        );
    }
    text + more
}

/// A checkpoint of `health`, cosigned by these at these times.
fn note(by: &[(&str, u64)]) -> Note {
    let health = keys("health");
    let log = log(health.log.verifying().name(), 7);
    let mut note = signed(&health, &log, 7);
    for (party, time) in by {
        note.add(keys(party).witness.sign(note.text(), *time));
    }
    note
}

fn fault(text: &str) -> (usize, PolicyFault) {
    let error = text.parse::<Policy>().unwrap_err();
    (error.line, error.fault)
}

#[test]
fn a_quorum_of_a_group_is_counted() {
    let policy: Policy = policy("group two 2 tax credit pension\nquorum two\n")
        .parse()
        .unwrap();
    assert_eq!(policy.accept(&note(&[("tax", 5)])), Err(Unaccepted::Quorum));
    let accepted = policy.accept(&note(&[("tax", 5), ("pension", 9)])).unwrap();
    assert_eq!(accepted.checkpoint.size, 7);
    assert_eq!(accepted.since, Some(5));
    let all = note(&[("tax", 5), ("pension", 9), ("credit", 7)]);
    assert_eq!(policy.accept(&all).unwrap().since, Some(7));
}

#[test]
fn groups_of_groups_are_counted() {
    let text = policy("group one any tax credit\ngroup both all one pension\nquorum both\n");
    let policy: Policy = text.parse().unwrap();
    for (by, is_met) in [
        (&["tax", "credit"][..], false),
        (&["pension"], false),
        (&["credit", "pension"], true),
    ] {
        let by: Vec<_> = by.iter().map(|party| (*party, 1)).collect();
        assert_eq!(policy.accept(&note(&by)).is_ok(), is_met, "{by:?}");
    }
}

#[test]
fn without_a_quorum_the_log_alone_is_believed() {
    let policy: Policy = policy("quorum none").parse().unwrap();
    assert!(!policy.has_quorum());
    assert_eq!(policy.accept(&note(&[])).unwrap().since, None);
    let tax = keys("tax");
    let other = signed(&tax, &[], 0);
    assert_eq!(policy.accept(&other), Err(Unaccepted::Log));
}

#[test]
fn a_forged_cosignature_counts_as_absent() {
    let policy: Policy = policy("quorum tax").parse().unwrap();
    let mut forged = note(&[]);
    // Made by the right key over another text.
    forged.add(keys("tax").witness.sign("another\n", 5));
    assert_eq!(policy.accept(&forged), Err(Unaccepted::Quorum));
    let mut unsigned = Note::new(forged.text().to_owned()).unwrap();
    unsigned.add(keys("tax").witness.sign(forged.text(), 5));
    assert!(matches!(
        policy.accept(&unsigned),
        Err(Unaccepted::Checkpoint(_))
    ));
}

#[test]
fn faults_name_their_line() {
    let unknown = |name: &str| PolicyFault::Unknown(name.into());
    let twice = |name: &str| PolicyFault::NameTwice(name.into());
    let line = 7;
    for (more, at, expected) in [
        ("", line, PolicyFault::Quorum),
        ("quorum none\nquorum none", line + 1, PolicyFault::Quorum),
        ("quorum nobody", line, unknown("nobody")),
        ("group g 1 none\nquorum g", line, unknown("none")),
        ("group g 0 tax\nquorum g", line, PolicyFault::Threshold),
        ("group g 2 tax\nquorum g", line, PolicyFault::Threshold),
        ("group g -1 tax\nquorum g", line, PolicyFault::Threshold),
        ("group g any\nquorum g", line, PolicyFault::Line),
        ("group tax any credit\nquorum tax", line, twice("tax")),
        ("group none any credit\nquorum none", line, twice("none")),
        (
            "group g 1 tax tax",
            line,
            PolicyFault::MemberTwice("tax".into()),
        ),
        (
            "group g any tax\ngroup h any tax",
            line + 1,
            PolicyFault::MemberTwice("tax".into()),
        ),
        ("colour blue", line, PolicyFault::Line),
        ("quorum\u{7f} none", line, PolicyFault::Text),
        ("quorum none\r", line, PolicyFault::Text),
    ] {
        assert_eq!(fault(&policy(more)), (at, expected), "{more}");
    }
}

#[test]
fn keys_are_of_their_type_and_stand_once() {
    let (log, witness) = (keys("health").log, keys("health").witness);
    let log = log.verifying();
    let witness = witness.verifying();
    for (text, at, expected) in [
        (format!("log {witness}"), 1, PolicyFault::KeyType),
        (format!("witness a {log}"), 1, PolicyFault::KeyType),
        (format!("log {log}\nlog {log}"), 2, PolicyFault::KeyTwice),
        (
            format!("witness a {witness}\nwitness b {witness}"),
            2,
            PolicyFault::KeyTwice,
        ),
    ] {
        assert_eq!(fault(&text), (at, expected), "{text}");
    }
    assert!(matches!(fault("log abc").1, PolicyFault::Key(_)));
}
