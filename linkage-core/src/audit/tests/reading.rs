use super::*;
use crate::audit::verify::{Batch, EXIT_CODES, Fault, Mismatch, Reading, compare};

const ORIGIN: &str = "linkage/linkage.example/health/owner/0123456789abcdef";

/// Reads entries made from `events`, each changed by `change`.
fn read(events: Vec<Event>, change: impl Fn(u64, &mut Entry)) -> Result<Vec<Batch>, Fault> {
    let mut reading = Reading::new(ORIGIN);
    for (seq, event) in (0..).zip(events) {
        let mut entry = entry(ORIGIN, seq, event);
        change(seq, &mut entry);
        reading.accept(&entry.to_bytes().unwrap())?;
    }
    reading.finish(false)
}

fn told(phase: Phase, intent: Option<u64>, result: Option<Outcome>) -> Event {
    Event {
        action: Action::UploadAccept,
        phase,
        intent,
        result,
        ..event(20)
    }
}

#[test]
fn the_root_is_that_of_the_entries() {
    let log = log(ORIGIN, 300);
    let mut reading = Reading::new(ORIGIN);
    for bytes in &log {
        reading.accept(bytes).unwrap();
    }
    assert_eq!(reading.size(), 300);
    assert_eq!(reading.root(), checkpoint(ORIGIN, &log, 300).root);
    assert!(reading.finish(false).is_ok());
}

#[test]
fn an_entry_stands_in_its_place_and_log() {
    let events = || (0..5).map(event).collect();
    let fault = read(events(), |seq, entry| {
        if seq >= 2 {
            entry.seq += 1;
        }
    });
    assert!(matches!(fault, Err(Fault::Missing { index: 2, found: 3 })));
    let fault = read(events(), |seq, entry| {
        if seq == 3 {
            entry.node = "linkage/other".into();
        }
    });
    assert!(matches!(fault, Err(Fault::Foreign { index: 3 })));
}

#[test]
fn an_intent_needs_its_outcome() {
    let intent = || told(Phase::Intent, None, None);
    let outcome = |intent| told(Phase::Outcome, Some(intent), Some(Outcome::Ok));
    assert!(read(vec![intent(), event(1), outcome(0)], |_, _| {}).is_ok());
    let fault = read(vec![event(0), intent(), event(2)], |_, _| {}).unwrap_err();
    assert!(matches!(fault, Fault::OpenIntent { index: 1, .. }));
    assert_eq!(fault.exit_code(), 14);
    // An outcome needs its intent: one that is open, and of the same act.
    for wrong in [
        vec![intent(), outcome(0), outcome(0)],
        vec![intent(), outcome(1)],
        vec![
            intent(),
            Event {
                action: Action::KeyAgree,
                ..outcome(0)
            },
        ],
    ] {
        let fault = read(wrong, |_, _| {}).unwrap_err();
        assert!(matches!(fault, Fault::NoIntent { .. }));
    }
}

#[test]
fn a_running_node_may_have_begun_something() {
    let mut reading = Reading::new(ORIGIN);
    let intent = entry(ORIGIN, 0, told(Phase::Intent, None, None));
    reading.accept(&intent.to_bytes().unwrap()).unwrap();
    assert_eq!(reading.open(), 1);
    assert!(reading.finish(true).is_ok());
    // A later process has had to tell how it ended.
    let mut reading = Reading::new(ORIGIN);
    reading.accept(&intent.to_bytes().unwrap()).unwrap();
    let mut next = entry(ORIGIN, 1, event(1));
    next.boot = "00000000-6f0e-4f39-9f2e-0a1b2c3d4e5f".into();
    reading.accept(&next.to_bytes().unwrap()).unwrap();
    assert!(matches!(
        reading.finish(true),
        Err(Fault::OpenIntent { index: 0, .. })
    ));
}

#[test]
fn time_runs_forward_but_for_a_tolerance() {
    let at = |second: &str| EventTime::try_from(&*format!("2026-01-31T12:00:{second}Z")).unwrap();
    let times = |times: [&'static str; 3]| {
        read((0..3).map(event).collect(), move |seq, entry| {
            entry.time = at(times[seq as usize]);
        })
    };
    assert!(times(["09.000000", "04.000000", "10.000000"]).is_ok());
    let fault = times(["20.000000", "19.000000", "10.000000"]).unwrap_err();
    assert!(matches!(
        fault,
        Fault::Backwards {
            index: 2,
            seconds: 10
        }
    ));
    assert_eq!(fault.exit_code(), 16);
    // The process's own clock never goes back.
    let fault = read((0..3).map(event).collect(), |seq, entry| {
        entry.mono_ns = 10 - seq;
    });
    assert!(matches!(fault, Err(Fault::Backwards { index: 1, .. })));
}

#[test]
fn what_was_sent_must_have_been_accepted() {
    let sealed = |digest: &str, rows| Batch {
        index: 4,
        project: "p".into(),
        digest: digest.into(),
        rows: Some(Count::Exact(rows)),
    };
    let log = |role: &str, batches| (format!("linkage/d/x/{role}/id"), batches);
    let ok = [
        log("owner", vec![sealed("a", 20)]),
        log("owner", vec![sealed("b", 30)]),
        log("matcher", vec![sealed("a", 20), sealed("b", 30)]),
    ];
    assert!(compare(&ok).is_ok());
    assert!(compare(&ok[..2]).is_ok(), "without the matcher's log");
    for (at_matcher, expected) in [
        (vec![sealed("a", 20)], Mismatch::Absent),
        (vec![sealed("a", 20), sealed("b", 31)], Mismatch::Rows),
    ] {
        let logs = [ok[0].clone(), ok[1].clone(), log("matcher", at_matcher)];
        let fault = compare(&logs).unwrap_err();
        assert_eq!(fault.exit_code(), 15);
        assert!(matches!(fault, Fault::Mismatch { mismatch, .. } if mismatch == expected));
    }
}

#[test]
fn every_exit_code_stands_once() {
    let mut codes = EXIT_CODES.map(|(code, _)| code);
    codes.sort_unstable();
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
}
