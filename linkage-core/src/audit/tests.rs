use std::io::BufReader;

use proptest::prelude::*;
use ring::signature::Ed25519KeyPair;

use super::action::Action;
use super::chain::Chain;
use super::checkpoint::{Checkpoint, CheckpointError, VerifyingKey};
use super::entry::*;
use super::verify::{Fault, verify};

const NODE: &str = "health";

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn event(number: u64) -> Event {
    Event {
        time: EventTime::try_from("2026-01-31T12:00:00.000001Z").unwrap(),
        op: format!("0194b7d2-0000-7000-8000-{number:012x}"),
        actor: Actor {
            kind: ActorKind::Node,
            id: "credit".into(),
            role: "owner".into(),
            cert_sha256: Some("ab".repeat(32)),
        },
        action: Action::ALL[number as usize % Action::ALL.len()],
        object: format!("batch-{number}"),
        project: number.is_multiple_of(2).then(|| "2026-income".into()),
        result: Outcome::Ok,
        reason: None,
        counts: [("rows".into(), number)].into(),
        digests: [("batch".into(), "0f".repeat(32))].into(),
    }
}

/// A log of `entries` entries, line by line, and its checkpoint.
fn log(entries: u64) -> (Vec<Vec<u8>>, Checkpoint) {
    let mut chain = Chain::new(NODE);
    let mut lines = Vec::new();
    for number in 0..entries {
        let (line, next) = chain.next(event(number)).unwrap();
        lines.push(line);
        chain = next;
    }
    (lines, chain.checkpoint())
}

fn fault(bytes: &[u8], checkpoint: &Checkpoint) -> Fault {
    verify(bytes, Some(checkpoint)).unwrap_err()
}

#[test]
fn the_bytes_of_an_entry_are_stable() {
    let (lines, checkpoint) = log(1);
    let line = concat!(
        r#"{"v":1,"seq":0,"node":"health","time":"2026-01-31T12:00:00.000001Z","#,
        r#""op":"0194b7d2-0000-7000-8000-000000000000","#,
        r#""actor":{"kind":"node","id":"credit","role":"owner","cert_sha256":"#,
        r#""abababababababababababababababababababababababababababababababab"},"#,
        r#""action":"node.start","object":"batch-0","project":"2026-income","result":"ok","#,
        r#""counts":{"rows":0},"digests":{"batch":"#,
        r#""0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"},"#,
        r#""prev":"0000000000000000000000000000000000000000000000000000000000000000"}"#,
    );
    assert_eq!(String::from_utf8_lossy(&lines[0]), format!("{line}\n"));
    // (printf '\0linkage/audit-entry/v1\0'; head -c 32 /dev/zero; printf %s "$line") | sha256sum
    assert_eq!(
        checkpoint.head.to_string(),
        "ee81974638450cac30e37b38ea42363008ee9a5e8e2641ac71903a5fda810b00"
    );
}

#[test]
fn a_whole_log_is_summed_up() {
    let (lines, checkpoint) = log(50);
    let bytes = lines.concat();
    let summary = verify(&*bytes, Some(&checkpoint)).unwrap();
    assert_eq!(
        (summary.entries, summary.signed, summary.head),
        (50, 50, checkpoint.head)
    );
    assert_eq!(summary.first_time, summary.last_time);
    assert_eq!(verify(&*bytes, None).unwrap().signed, 0);

    let (_, earlier) = log(20);
    assert_eq!(verify(&*bytes, Some(&earlier)).unwrap().signed, 20);

    let empty = verify(&b""[..], Some(&Chain::new(NODE).checkpoint())).unwrap();
    assert_eq!(
        (empty.entries, empty.head, empty.first_time),
        (0, EntryHash::GENESIS, None)
    );
}

#[test]
fn every_kind_of_fault_is_named_and_has_its_code() {
    let (lines, checkpoint) = log(5);
    let joined = |lines: &[&[u8]]| lines.concat();
    let l: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let changed = |at: usize| {
        let text = String::from_utf8(lines[at].clone()).unwrap();
        text.replace("\"rows\":", "\"rows\":9").into_bytes()
    };

    let f = fault(&joined(&[l[0], l[1], &changed(2), l[3], l[4]]), &checkpoint);
    assert!(
        matches!(f, Fault::Changed { seq: 2 }) && f.exit_code() == 11,
        "{f}"
    );
    let f = fault(&joined(&[l[0], l[1], l[2], l[3], &changed(4)]), &checkpoint);
    assert!(
        matches!(f, Fault::Changed { seq: 4 }) && f.exit_code() == 11,
        "{f}"
    );
    let f = fault(&joined(&[l[0], l[2], l[3], l[4]]), &checkpoint);
    assert!(
        matches!(
            f,
            Fault::OutOfOrder {
                expected: 1,
                found: 2
            }
        ) && f.exit_code() == 11,
        "{f}"
    );
    let f = fault(&joined(&[l[0], l[1], l[1], l[2]]), &checkpoint);
    assert!(
        matches!(
            f,
            Fault::OutOfOrder {
                expected: 2,
                found: 1
            }
        ),
        "{f}"
    );
    let f = fault(&joined(&[l[0], b"{}\n", l[2]]), &checkpoint);
    assert!(
        matches!(f, Fault::Malformed { seq: 1, .. }) && f.exit_code() == 11,
        "{f}"
    );
    let f = fault(&joined(&[l[0], l[1], l[2]]), &checkpoint);
    assert!(
        matches!(
            f,
            Fault::Truncated {
                signed: 5,
                found: 3
            }
        ) && f.exit_code() == 12,
        "{f}"
    );
    let f = fault(&joined(&[l[0], &l[1][..40]]), &checkpoint);
    assert!(
        matches!(
            f,
            Fault::Truncated {
                signed: 5,
                found: 1
            }
        ),
        "{f}"
    );

    let (_, earlier) = log(2);
    let f = fault(&joined(&[l[0], l[1], &l[2][..40]]), &earlier);
    assert!(
        matches!(f, Fault::Torn { seq: 2 }) && f.exit_code() == 12,
        "{f}"
    );
    let f = fault(
        &joined(&l),
        &Checkpoint {
            head: EntryHash([1; 32]),
            ..earlier.clone()
        },
    );
    assert!(
        matches!(f, Fault::Fork { seq: 1 }) && f.exit_code() == 12,
        "{f}"
    );
    let f = fault(
        &joined(&l),
        &Checkpoint {
            head: EntryHash([1; 32]),
            size: 0,
            ..earlier
        },
    );
    assert!(matches!(f, Fault::Fork { seq: 0 }), "{f}");
    let f = fault(
        &joined(&l),
        &Checkpoint {
            origin: "other".into(),
            ..checkpoint
        },
    );
    assert!(
        matches!(f, Fault::Foreign { seq: 0 }) && f.exit_code() == 11,
        "{f}"
    );

    let directory = BufReader::new(std::fs::File::open(env!("CARGO_MANIFEST_DIR")).unwrap());
    let f = verify(directory, None).unwrap_err();
    assert!(
        matches!(f, Fault::Unreadable(_)) && f.exit_code() == 20,
        "{f}"
    );
    let f = Fault::from(CheckpointError::Signature);
    assert_eq!(
        (f.exit_code(), Fault::Unsigned { entries: 2 }.exit_code()),
        (10, 10)
    );
}

#[test]
fn a_rewritten_history_is_no_longer_the_signed_one() {
    let (_, checkpoint) = log(6);
    let mut chain = Chain::new(NODE);
    let mut forged = Vec::new();
    for number in 0..8 {
        let (line, next) = chain
            .next(event(if number == 3 { 99 } else { number }))
            .unwrap();
        forged.extend(line);
        chain = next;
    }
    assert!(verify(&*forged, None).is_ok());
    assert!(matches!(
        fault(&forged, &checkpoint),
        Fault::Fork { seq: 5 }
    ));
}

#[test]
fn an_endless_line_is_refused_in_bounded_memory() {
    let endless = std::io::repeat(b'x');
    let f = verify(BufReader::new(endless), None).unwrap_err();
    assert!(
        matches!(
            f,
            Fault::Malformed {
                seq: 0,
                source: EntryError::TooLong(_)
            }
        ),
        "{f}"
    );
}

#[test]
fn fields_that_are_not_well_formed_are_refused_by_name() {
    type Change = fn(&mut Event);
    let changes: [(&str, Change); 9] = [
        ("op", |e| {
            e.op = "0194B7D2-0000-7000-8000-000000000000".into()
        }),
        ("op", |e| {
            e.op = "0194b7d2x0000-7000-8000-000000000000".into()
        }),
        ("actor.id", |e| e.actor.id = String::new()),
        ("actor.role", |e| e.actor.role = "two words".into()),
        ("actor.cert_sha256", |e| {
            e.actor.cert_sha256 = Some("ab".into())
        }),
        ("object", |e| e.object = "a\nb".into()),
        ("project", |e| e.project = Some("x".repeat(257))),
        ("reason", |e| e.reason = Some("no free text!".into())),
        ("digests", |e| {
            e.digests = [("batch".into(), "AB".repeat(32))].into()
        }),
    ];
    for (field, change) in changes {
        let mut event = event(0);
        change(&mut event);
        assert_eq!(Chain::new(NODE).next(event), Err(EntryError::Field(field)));
    }
    let mut long = event(0);
    long.counts = (0..2000).map(|i| (format!("{i:060}"), i)).collect();
    assert!(matches!(
        Chain::new(NODE).next(long),
        Err(EntryError::TooLong(_))
    ));
}

#[test]
fn other_spellings_of_an_entry_are_refused() {
    let (lines, _) = log(1);
    let line = String::from_utf8(lines[0].clone()).unwrap();
    let line = line.trim_end();
    assert!(Entry::from_line(line.as_bytes()).is_ok());
    for (from, to) in [
        ("\"v\":1", "\"v\": 1"),
        ("\"v\":1,\"seq\":0", "\"seq\":0,\"v\":1"),
        ("\"v\":1", "\"extra\":1,\"v\":1"),
        ("\"result\":\"ok\"", "\"result\":\"ok\",\"reason\":null"),
        ("\"prev\":\"0000", "\"prev\":\"\\u0030000"),
        ("\"result\":\"ok\"", "\"result\":\"ok\",\"result\":\"ok\""),
    ] {
        assert!(line.contains(from));
        let error = Entry::from_line(line.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(
            matches!(error, EntryError::Spelling | EntryError::Json(_)),
            "{to}: {error}"
        );
    }
    let newer = line.replacen("\"v\":1", "\"v\":2", 1);
    assert_eq!(
        Entry::from_line(newer.as_bytes()),
        Err(EntryError::Version(2))
    );
}

#[test]
fn times_have_one_spelling() {
    for text in [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000Z",
        "2026-01-31 12:00:00.000000Z",
        "2026-01-31t12:00:00.000000z",
        "2026-01-31T12:00:00.000000+00:00",
        "2026-02-30T12:00:00.000000Z",
        "2026-01-31T12:00:00.000000Z ",
        "",
    ] {
        assert_eq!(EventTime::try_from(text), Err(EventTimeError), "{text}");
    }
    let time = jiff::Timestamp::from_microsecond(1_769_860_800_000_001).unwrap();
    assert_eq!(
        EventTime::from(time).as_str(),
        "2026-01-31T12:00:00.000001Z"
    );
}

#[test]
fn checkpoints_verify_with_their_key_only() {
    let (_, checkpoint) = log(3);
    let verifying = VerifyingKey::of(&key(), NODE).unwrap();
    let note = checkpoint.sign(&key(), &verifying);
    assert!(note.starts_with("linkage/audit-chain/health\n3\n"));
    assert_eq!(Checkpoint::open(&note, &verifying), Ok(checkpoint.clone()));

    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let other = VerifyingKey::of(&other, NODE).unwrap();
    assert_eq!(
        Checkpoint::open(&note, &other),
        Err(CheckpointError::Unsigned)
    );
    let renamed = VerifyingKey::of(&key(), "credit").unwrap();
    assert_eq!(
        Checkpoint::open(&note, &renamed),
        Err(CheckpointError::Origin)
    );
    let longer = note.replacen("\n3\n", "\n4\n", 1);
    assert_eq!(
        Checkpoint::open(&longer, &verifying),
        Err(CheckpointError::Signature)
    );

    let witness = "\u{2014} witness AAAAAQIDBA==\n";
    assert_eq!(
        Checkpoint::open(&format!("{note}{witness}"), &verifying),
        Ok(checkpoint.clone())
    );
    let (body, _) = note.split_once("\n\n").unwrap();
    assert_eq!(
        Checkpoint::open(&format!("{body}\n\n{witness}"), &verifying),
        Err(CheckpointError::Unsigned)
    );
    for broken in [
        note.replacen("\n3\n", "\n03\n", 1),
        note.replacen("\n3\n", "\n+3\n", 1),
        note.replacen("\n\n", "\nextension\n\n", 1),
        note.trim_end().to_owned(),
        note.replacen("\n\n", "\n", 1),
        format!("{note}{}", "x".repeat(20_000)),
    ] {
        assert_eq!(
            Checkpoint::open(&broken, &verifying),
            Err(CheckpointError::Form),
            "{broken}"
        );
    }
}

#[test]
fn verifier_keys_read_back_and_refuse_damage() {
    // The example key of c2sp.org/signed-note.
    let example = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(
        example.parse::<VerifyingKey>().unwrap().to_string(),
        example
    );
    let text = VerifyingKey::of(&key(), NODE).unwrap().to_string();
    assert_eq!(text.parse::<VerifyingKey>().unwrap().to_string(), text);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(
            String::from_utf8(bytes)
                .unwrap()
                .parse::<VerifyingKey>()
                .is_err(),
            "{at}"
        );
        assert!(text[..at].parse::<VerifyingKey>().is_err());
    }
    for name in ["", "a b", "a+b", "a\nb"] {
        assert_eq!(VerifyingKey::of(&key(), name), Err(CheckpointError::Name));
    }
}

#[test]
fn every_byte_of_a_log_and_its_note_counts() {
    let (lines, checkpoint) = log(3);
    let bytes = lines.concat();
    let verifying = VerifyingKey::of(&key(), NODE).unwrap();
    let note = checkpoint.sign(&key(), &verifying).into_bytes();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x01;
        fault(&damaged, &checkpoint);
        fault(&bytes[..at], &checkpoint);
    }
    for at in 0..note.len() {
        let mut damaged = note.clone();
        damaged[at] ^= 0x01;
        let is_refused = match String::from_utf8(damaged) {
            Ok(damaged) => Checkpoint::open(&damaged, &verifying).is_err(),
            Err(_) => true,
        };
        assert!(is_refused, "{at}");
    }
}

/// The demand on verification: at least 1 M entries a minute.
#[test]
#[ignore = "a measurement: cargo test --release -p linkage-core verification_rate -- --ignored --nocapture"]
fn verification_rate() {
    let (lines, checkpoint) = log(200_000);
    let bytes = lines.concat();
    let start = std::time::Instant::now();
    verify(&*bytes, Some(&checkpoint)).unwrap();
    let rate = 200_000.0 / start.elapsed().as_secs_f64();
    println!(
        "{:.2} M entries a minute, {} bytes each",
        rate * 60.0 / 1e6,
        bytes.len() / 200_000
    );
    assert!(rate * 60.0 > 1e6);
}

proptest! {
    #[test]
    fn any_changed_byte_is_detected(at in any::<prop::sample::Index>(), change in 1u8..) {
        let (lines, checkpoint) = log(8);
        let mut bytes = lines.concat();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(verify(&*bytes, Some(&checkpoint)).is_err());
    }

    #[test]
    fn dropped_doubled_and_swapped_lines_are_detected(first in 0usize..8, second in 0usize..8) {
        let (lines, checkpoint) = log(8);
        let mut dropped = lines.clone();
        dropped.remove(first);
        prop_assert!(verify(&*dropped.concat(), Some(&checkpoint)).is_err());
        let mut doubled = lines.clone();
        doubled.insert(second, lines[first].clone());
        prop_assert!(verify(&*doubled.concat(), Some(&checkpoint)).is_err());
        let mut swapped = lines.clone();
        swapped.swap(first, second);
        prop_assert_eq!(verify(&*swapped.concat(), Some(&checkpoint)).is_err(), first != second);
    }

    #[test]
    fn truncation_is_detected(at in any::<prop::sample::Index>()) {
        let (lines, checkpoint) = log(8);
        let bytes = lines.concat();
        let is_code_12 = fault(&bytes[..at.index(bytes.len())], &checkpoint).exit_code() == 12;
        prop_assert!(is_code_12);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in any::<String>()) {
        let _ = verify(&*bytes, None);
        let _ = Entry::from_line(&bytes);
        let _ = text.parse::<VerifyingKey>();
        let verifying = VerifyingKey::of(&key(), NODE).unwrap();
        prop_assert!(Checkpoint::open(&text, &verifying).is_err());
    }
}
