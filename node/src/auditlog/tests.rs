use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::{Checkpoint, NodeKeys};
use linkage_core::audit::entry::{Actor, ActorKind, Count, Entry, Event, Outcome, Phase};
use linkage_core::audit::note::Note;
use linkage_core::audit::policy::Policy;
use linkage_core::audit::verify::Fault;
use tempfile::TempDir;

use super::segments::{Frame, Frames, push_frame};
use super::verify::{Against, exit_code, verify_all, verify_dir};
use super::*;

pub(super) fn keys() -> NodeKeys {
    NodeKeys::derive(&[7; 32], "linkage.test", "owner", "health").unwrap()
}

pub(super) fn event(number: u64) -> Event {
    Event {
        op: Uuid::now_v7().to_string(),
        phase: Phase::Event,
        intent: None,
        actor: Actor {
            kind: ActorKind::Node,
            id: "health".into(),
            role: "owner".into(),
            cert_sha256: None,
        },
        action: Action::RunStart,
        object: format!("run-{number}"),
        project: None,
        result: Some(Outcome::Ok),
        reason: None,
        counts: [("number".into(), Count::Exact(number))].into(),
        digests: [].into(),
        detail_commit: None,
    }
}

fn intent(number: u64) -> Event {
    Event {
        phase: Phase::Intent,
        result: None,
        ..event(number)
    }
}

/// A closed log of this many entries.
pub(super) fn log_of(entries: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    for number in 0..entries {
        assert_eq!(log.append(event(number)).unwrap(), number);
    }
    dir
}

fn journal(dir: &Path) -> PathBuf {
    segments::list(dir).unwrap().pop().unwrap().path
}

fn read(dir: &Path) -> Vec<Vec<u8>> {
    let mut entries = segments::entries(dir, 0).unwrap();
    let mut read = vec![];
    while let Some((seq, bytes)) = entries.next_entry().unwrap() {
        assert_eq!(seq, read.len() as u64);
        read.push(bytes.to_vec());
    }
    read
}

/// Rewrites the journal with these entries, framed as they should be.
fn rewrite(dir: &Path, entries: &[Vec<u8>]) {
    let mut bytes = vec![];
    for entry in entries {
        push_frame(&mut bytes, entry);
    }
    fs::write(journal(dir), bytes).unwrap();
}

fn fault(dir: &Path) -> Fault {
    verify_dir(dir).unwrap_err()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

#[test]
fn what_is_appended_is_there_after_reopening() {
    let dir = log_of(300);
    let summary = verify_dir(dir.path()).unwrap();
    assert_eq!((summary.entries, summary.signed), (300, 300));
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    assert_eq!(log.end(), (300, summary.root));
    assert_eq!(log.append(event(300)).unwrap(), 300);
    // A running log verifies too, with an entry that is not signed yet.
    let running = verify_dir(dir.path()).unwrap();
    assert_eq!((running.entries, running.signed), (301, 300));
    log.checkpoint().unwrap();
    assert_eq!(verify_dir(dir.path()).unwrap().signed, 301);
    assert!(matches!(
        AuditLog::open(dir.path(), keys()),
        Err(Error::InUse { .. })
    ));
    drop(log);
    let other = NodeKeys::derive(&[8; 32], "linkage.test", "owner", "health").unwrap();
    assert!(matches!(
        AuditLog::open(dir.path(), other),
        Err(Error::OtherKey { .. })
    ));
    for entry in read(dir.path()) {
        Entry::from_bytes(&entry).unwrap();
    }
    let private = [
        journal(dir.path()),
        dir.path().join("tile/entries/001.p/45"),
    ];
    for path in private {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o177, 0, "{}", path.display());
    }
}

#[test]
fn entries_of_many_threads_are_all_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    let append = |thread: u64| -> Vec<u64> {
        let numbers = (0..50).map(|number| thread * 50 + number);
        numbers
            .map(|number| log.append(event(number)).unwrap())
            .collect()
    };
    let places: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|t| scope.spawn(move || append(t))).collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    assert_eq!(places.iter().collect::<HashSet<_>>().len(), 400);
    drop(log);
    assert_eq!(verify_dir(dir.path()).unwrap().entries, 400);
    let objects: HashSet<String> = read(dir.path())
        .iter()
        .map(|bytes| Entry::from_bytes(bytes).unwrap().event.object)
        .collect();
    assert_eq!(objects.len(), 400);
}

#[test]
fn a_crash_within_a_write_costs_what_was_not_acknowledged() {
    for torn in [&b"x"[..], &[0; 8], &[9, 0, 0, 0, 1, 2, 3, 4, 5]] {
        let dir = log_of(5);
        let path = journal(dir.path());
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole, torn].concat()).unwrap();
        verify_dir(dir.path()).unwrap();
        drop(AuditLog::open(dir.path(), keys()).unwrap());
        let summary = verify_dir(dir.path()).unwrap();
        assert_eq!((summary.entries, summary.signed), (6, 6));
        let last = read(dir.path()).pop().unwrap();
        let last = Entry::from_bytes(&last).unwrap();
        assert_eq!(last.event.action, Action::AuditRecovered);
        assert_eq!(last.event.counts["bytes_cut"], torn.len() as u64);
    }
}

#[test]
fn an_intent_that_a_crash_left_gets_an_unknown_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    log.append(intent(0)).unwrap();
    log.append(intent(1)).unwrap();
    let done = Event {
        phase: Phase::Outcome,
        intent: Some(0),
        ..event(0)
    };
    log.append(done).unwrap();
    let running = verify_dir(dir.path()).unwrap();
    assert_eq!(running.open, 1);
    drop(log);
    assert!(matches!(
        fault(dir.path()),
        Fault::OpenIntent { index: 1, .. }
    ));
    drop(AuditLog::open(dir.path(), keys()).unwrap());
    assert_eq!(verify_dir(dir.path()).unwrap().entries, 4);
    let last = Entry::from_bytes(&read(dir.path())[3]).unwrap().event;
    assert_eq!(
        (last.intent, last.result),
        (Some(1), Some(Outcome::Unknown))
    );
    assert_eq!(last.object, "run-1");
}

#[test]
fn receipts_and_consistency_hold() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    let mut notes = vec![];
    for number in 0..600 {
        log.append(event(number)).unwrap();
        if [1, 255, 256, 257, 599].contains(&number) {
            notes.push(log.checkpoint().unwrap());
        }
    }
    let policy: Policy = format!("log {}\nquorum none\n", log.verifying_key())
        .parse()
        .unwrap();
    for index in [0, 255, 256, 599] {
        let receipt = log.receipt(index).unwrap();
        receipt.accept(&policy).unwrap();
        let entry = Entry::from_bytes(&receipt.entry).unwrap();
        assert_eq!(
            (entry.seq, entry.event.object),
            (index, format!("run-{index}"))
        );
    }
    assert!(matches!(log.receipt(600), Err(Error::Absent(600))));
    log.receipt_under(1, notes[0].clone())
        .unwrap()
        .accept(&policy)
        .unwrap();
    assert!(matches!(
        log.receipt_under(2, notes[0].clone()),
        Err(Error::Absent(2))
    ));
    let checkpoints: Vec<Checkpoint> = notes
        .iter()
        .map(|note| Checkpoint::open(note, log.verifying_key()).unwrap())
        .collect();
    for old in &checkpoints {
        for new in checkpoints.iter().filter(|new| new.size >= old.size) {
            let proof = log.consistency(old.size, new.size).unwrap();
            linkage_core::audit::tree::proof::verify_consistency(
                (old.size, old.root),
                (new.size, new.root),
                &proof,
            )
            .unwrap();
        }
    }
    drop(log);
    let offline = receipt::from_dir(dir.path(), 300).unwrap();
    offline.accept(&policy).unwrap();
}

#[test]
fn a_changed_missing_or_moved_entry_is_found_and_named() {
    let dir = log_of(300);
    let entries = read(dir.path());
    let whole = fs::read(journal(dir.path())).unwrap();

    // Flipped on the disk: the checksum tells.
    let mut flipped = whole.clone();
    let at = flipped.len() / 2;
    flipped[at] ^= 1;
    fs::write(journal(dir.path()), flipped).unwrap();
    assert_eq!(fault(dir.path()).exit_code(), 11);

    // Changed with care: the tile of its hash tells, or without tiles the signed root.
    let mut changed = entries.clone();
    let text = String::from_utf8(changed[7].clone()).unwrap();
    changed[7] = text.replace("run-7", "run-8").into_bytes();
    rewrite(dir.path(), &changed);
    assert!(matches!(fault(dir.path()), Fault::Changed { index: 7 }));
    let tiles = dir.path().join("tile");
    let aside = dir.path().join("aside");
    fs::rename(&tiles, &aside).unwrap();
    let without = fault(dir.path());
    assert!(matches!(without, Fault::Tile { .. }), "{without}");
    fs::rename(&aside, &tiles).unwrap();

    let mut deleted = entries.clone();
    deleted.remove(7);
    rewrite(dir.path(), &deleted);
    let missing = fault(dir.path());
    assert!(matches!(missing, Fault::Missing { index: 7, found: 8 }));
    assert_eq!(missing.exit_code(), 17);

    let mut swapped = entries.clone();
    swapped.swap(7, 9);
    rewrite(dir.path(), &swapped);
    let moved = fault(dir.path());
    assert!(matches!(moved, Fault::Order { index: 7, found: 9 }));
    assert_eq!(moved.exit_code(), 18);

    rewrite(dir.path(), &entries[..290]);
    let truncated = fault(dir.path());
    assert!(matches!(
        truncated,
        Fault::Truncated {
            signed: 300,
            found: 290
        }
    ));
    assert_eq!(truncated.exit_code(), 19);
    assert!(matches!(
        AuditLog::open(dir.path(), keys()),
        Err(Error::Damaged { .. })
    ));

    fs::write(journal(dir.path()), &whole).unwrap();
    verify_dir(dir.path()).unwrap();
    let tile = tiles.join("0/000");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[32 * 41] ^= 1;
    fs::write(&tile, bytes).unwrap();
    assert!(matches!(fault(dir.path()), Fault::Changed { index: 41 }));
}

#[test]
fn a_rewound_and_a_forked_log_are_found() {
    let dir = log_of(20);
    let early = tempfile::tempdir().unwrap();
    copy(dir.path(), early.path());
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    for number in 20..40 {
        log.append(event(number)).unwrap();
    }
    let kept = log.checkpoint().unwrap();
    drop(log);
    let since = || Against {
        policy: None,
        since: Some(kept.clone()),
    };
    let verify = |dir: &Path| {
        let reports = verify_all(&[dir.to_owned()], &since(), &mut |_, _| {});
        exit_code(&reports)
    };
    assert_eq!(verify(dir.path()), 0);
    // The copy is in order by itself; only the checkpoint that was kept shows what it is.
    assert_eq!(verify_dir(early.path()).unwrap().entries, 20);
    assert_eq!(verify(early.path()), 21);
    // It goes on in another way than the log did.
    let log = AuditLog::open(early.path(), keys()).unwrap();
    for number in 100..150 {
        log.append(event(number)).unwrap();
    }
    drop(log);
    verify_dir(early.path()).unwrap();
    assert_eq!(verify(early.path()), 12);
}

#[test]
fn a_checkpoint_must_be_signed_and_witnessed() {
    let dir = log_of(20);
    let path = dir.path().join(CHECKPOINT_FILE);
    let note = fs::read_to_string(&path).unwrap();
    let witness = NodeKeys::derive(&[9; 32], "linkage.test", "owner", "tax").unwrap();
    let witness = witness.witness;
    let policy = |quorum: &str| Against {
        policy: Some(
            format!(
                "log {}\nwitness tax {}\nquorum {quorum}\n",
                keys().log.verifying(),
                witness.verifying()
            )
            .parse()
            .unwrap(),
        ),
        since: None,
    };
    let verify = |against: &Against| {
        let paths = [dir.path().to_owned()];
        exit_code(&verify_all(&paths, against, &mut |_, _| {}))
    };
    assert_eq!(verify(&policy("none")), 0);
    assert_eq!(verify(&policy("tax")), 13);
    let mut cosigned = Note::parse(&note).unwrap();
    cosigned.add(witness.sign(cosigned.text(), 1));
    fs::write(dir.path().join(WITNESSED_FILE), cosigned.to_string()).unwrap();
    assert_eq!(verify(&policy("tax")), 0);

    fs::write(&path, note.replacen("\n20\n", "\n19\n", 1)).unwrap();
    assert_eq!(verify(&policy("none")), 10);
    assert!(matches!(
        AuditLog::open(dir.path(), keys()),
        Err(Error::Damaged { .. })
    ));
    fs::remove_file(&path).unwrap();
    assert_eq!(fault(dir.path()).exit_code(), 10);
    fs::write(&path, note).unwrap();
    fs::write(dir.path().join(KEY_FILE), "x\n").unwrap();
    assert_eq!(fault(dir.path()).exit_code(), 10);
    // The policy has the key.
    assert_eq!(verify(&policy("none")), 0);
}

#[test]
fn a_bundle_is_verified_as_its_log_is() {
    let dir = log_of(300);
    let out = dir.path().join("log.bundle");
    assert_eq!(bundle::write(dir.path(), &out).unwrap(), 300);
    let policy = format!("log {}\nquorum none\n", keys().log.verifying());
    let against = Against {
        policy: Some(policy.parse().unwrap()),
        since: None,
    };
    let verify = || {
        verify_all(std::slice::from_ref(&out), &against, &mut |_, _| {})
            .remove(0)
            .result
    };
    assert_eq!(verify().unwrap().entries, 300);
    let bytes = fs::read(&out).unwrap();
    for (at, code) in [(3, 20), (bytes.len() / 2, 11), (bytes.len() - 3, 19)] {
        let mut flipped = bytes.clone();
        if code == 19 {
            flipped.truncate(at);
        } else {
            flipped[at] ^= 1;
        }
        fs::write(&out, flipped).unwrap();
        assert_eq!(verify().unwrap_err().fault.exit_code(), code, "{at}");
    }
    // It holds no key to believe.
    fs::write(&out, bytes).unwrap();
    let reports = verify_all(&[out], &Against::default(), &mut |_, _| {});
    assert_eq!(exit_code(&reports), 10);
}

#[test]
fn a_journal_of_several_files_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    // Appended side by side: one flush for many.
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for number in 0..140 {
                    log.append(event(number)).unwrap();
                }
            });
        }
    });
    drop(log);
    let summary = verify_dir(dir.path()).unwrap();
    assert_eq!(summary.entries, 2240);
    assert_eq!(segments::list(dir.path()).unwrap().len(), 3);
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    assert_eq!(log.end(), (2240, summary.root));
    log.receipt(7).unwrap();
    drop(log);
    // Tiles that are gone are made again.
    fs::remove_dir_all(dir.path().join("tile")).unwrap();
    assert!(matches!(fault(dir.path()), Fault::Tile { .. }));
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    log.receipt(7).unwrap();
    drop(log);
    verify_dir(dir.path()).unwrap();
    let mut first = Frames::open(&segments::list(dir.path()).unwrap()[0].path).unwrap();
    assert!(matches!(first.next_frame().unwrap(), Frame::Entry(_)));
}

/// Prints how many entries a verification reads in a minute.
#[test]
#[ignore = "a measurement: cargo test --release -p linkage-node verification_rate -- --ignored --nocapture"]
fn verification_rate() {
    const ENTRIES: u64 = 200_000;
    let dir = tempfile::tempdir().unwrap();
    drop(AuditLog::open(dir.path(), keys()).unwrap());
    let keys = keys();
    let origin = keys.log.verifying().name();
    let mut tree = linkage_core::audit::tree::Frontier::default();
    let mut file = vec![];
    for seq in 0..ENTRIES {
        let entry = Entry {
            v: linkage_core::audit::entry::VERSION,
            seq,
            time: jiff::Timestamp::UNIX_EPOCH.into(),
            node: origin.to_owned(),
            boot: Uuid::nil().to_string(),
            mono_ns: seq,
            event: event(seq),
        };
        let bytes = entry.to_bytes().unwrap();
        tree.push(Hash::leaf(&bytes));
        push_frame(&mut file, &bytes);
        if (seq + 1).is_multiple_of(segments::SEGMENT_ENTRIES) || seq + 1 == ENTRIES {
            let first = seq - seq % segments::SEGMENT_ENTRIES;
            fs::write(segments::Segment::of(dir.path(), first).path, &file).unwrap();
            file.clear();
        }
    }
    let checkpoint = Checkpoint {
        origin: origin.to_owned(),
        size: ENTRIES,
        root: tree.root(),
    };
    let note = checkpoint.sign(&keys.log).unwrap().to_string();
    fs::write(dir.path().join(CHECKPOINT_FILE), note).unwrap();
    // Opening makes the tiles, which a verification compares.
    drop(AuditLog::open(dir.path(), keys).unwrap());
    let start = Instant::now();
    assert_eq!(verify_dir(dir.path()).unwrap().entries, ENTRIES);
    let rate = ENTRIES as f64 * 60.0 / start.elapsed().as_secs_f64();
    println!("{rate:.0} entries a minute");
}
