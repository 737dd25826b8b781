use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use linkage_core::audit::checkpoint::Checkpoint;
use tempfile::TempDir;

use super::verify::{exit_code, verify_dir, verify_dirs};
use super::*;

const NODE: &str = "health";

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

fn now() -> Timestamp {
    "2026-01-31T12:00:00.5Z".parse().unwrap()
}

fn open(dir: &Path) -> Result<AuditLog, Error> {
    AuditLog::open(dir, key(), NODE, now())
}

fn event(number: u64) -> Event {
    Event {
        action: Action::UploadSeal,
        counts: [("rows".to_owned(), number)].into(),
        ..recovered(NODE, 1, now())
    }
}

/// A folder with a log of `entries` entries that no process has open.
fn logged(entries: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    for number in 0..entries {
        assert_eq!(log.append(event(number)).unwrap(), number);
    }
    dir
}

fn damage(dir: &TempDir) -> Fault {
    match open(dir.path()).err() {
        Some(Error::Damaged { source, .. }) => source,
        other => panic!("expected damage, found {other:?}"),
    }
}

fn read(dir: &TempDir, name: &str) -> Vec<u8> {
    fs::read(dir.path().join(name)).unwrap()
}

fn write(dir: &TempDir, name: &str, content: &[u8]) {
    fs::write(dir.path().join(name), content).unwrap();
}

#[test]
fn a_log_goes_on_after_a_restart() {
    let dir = logged(3);
    for seq in 3..6 {
        let log = open(dir.path()).unwrap();
        assert_eq!(log.append(event(seq)).unwrap(), seq);
        let (size, head) = log.end().unwrap();
        let summary = verify_dir(dir.path(), Some(log.verifying_key())).unwrap();
        assert_eq!(
            (summary.entries, summary.signed, summary.head),
            (size, size, head)
        );
    }
    assert_eq!(verify_dir(dir.path(), None).unwrap().entries, 6);
}

#[test]
fn an_empty_log_is_signed_and_opens_again() {
    let dir = logged(0);
    assert_eq!(verify_dir(dir.path(), None).unwrap().entries, 0);
    assert_eq!(open(dir.path()).unwrap().append(event(0)).unwrap(), 0);
}

#[test]
fn files_are_for_their_user_only() {
    let dir = logged(1);
    let path = dir.path().join(LOG_FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(dir.path()).unwrap());
    for name in [LOG_FILE, CHECKPOINT_FILE, KEY_FILE] {
        let mode = fs::metadata(dir.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn one_process_writes_at_a_time() {
    let dir = logged(1);
    let _open = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::InUse { .. })));
}

#[test]
fn a_folder_of_another_key_or_node_is_refused() {
    let dir = logged(1);
    let other = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let refused = AuditLog::open(dir.path(), other, NODE, now());
    assert!(matches!(refused, Err(Error::OtherKey { .. })));
    let refused = AuditLog::open(dir.path(), key(), "credit", now());
    assert!(matches!(refused, Err(Error::OtherKey { .. })));
    let refused = AuditLog::open(dir.path(), key(), "two words", now());
    assert!(matches!(refused, Err(Error::Name(_))));
}

/// kill -9 within the write of the last line, at each of its bytes.
#[test]
fn a_torn_last_line_is_cut_off_and_logged() {
    let dir = logged(2);
    let (checkpoint, before) = (read(&dir, CHECKPOINT_FILE), read(&dir, LOG_FILE).len());
    open(dir.path()).unwrap().append(event(2)).unwrap();
    let whole = read(&dir, LOG_FILE);
    for cut in before..whole.len() {
        write(&dir, LOG_FILE, &whole[..cut]);
        write(&dir, CHECKPOINT_FILE, &checkpoint);
        drop(open(dir.path()).unwrap());
        let summary = verify_dir(dir.path(), None).unwrap();
        let log = read(&dir, LOG_FILE);
        assert_eq!(log[..before], whole[..before]);
        let added = String::from_utf8(log[before..].to_vec()).unwrap();
        if cut == before {
            assert_eq!((summary.entries, &*added), (2, ""));
        } else {
            assert_eq!((summary.entries, summary.signed), (3, 3));
            assert!(added.contains("\"action\":\"audit.recovered\""), "{added}");
            assert!(
                added.contains(&format!("{{\"bytes_cut\":{}}}", cut - before)),
                "{added}"
            );
        }
    }
}

/// kill -9 between the write of a line and that of its checkpoint.
#[test]
fn a_whole_entry_without_checkpoint_is_kept_and_signed() {
    let dir = logged(2);
    let checkpoint = read(&dir, CHECKPOINT_FILE);
    open(dir.path()).unwrap().append(event(2)).unwrap();
    write(&dir, CHECKPOINT_FILE, &checkpoint);
    let summary = verify_dir(dir.path(), None).unwrap();
    assert_eq!((summary.entries, summary.signed), (3, 2));
    drop(open(dir.path()).unwrap());
    let summary = verify_dir(dir.path(), None).unwrap();
    assert_eq!((summary.entries, summary.signed), (3, 3));
}

/// The same cuts under a checkpoint that covers the line are no crash.
#[test]
fn a_log_shorter_than_its_checkpoint_is_not_opened() {
    let dir = logged(3);
    let whole = read(&dir, LOG_FILE);
    for cut in 0..whole.len() {
        write(&dir, LOG_FILE, &whole[..cut]);
        assert_eq!(damage(&dir).exit_code(), 12, "{cut}");
        if cut % 40 == 0 {
            assert_eq!(
                verify_dir(dir.path(), None).unwrap_err().exit_code(),
                12,
                "{cut}"
            );
        }
    }
    fs::remove_file(dir.path().join(LOG_FILE)).unwrap();
    assert_eq!(verify_dir(dir.path(), None).unwrap_err().exit_code(), 12);
    assert_eq!(damage(&dir).exit_code(), 12);
}

#[test]
fn any_changed_byte_of_the_last_entry_stops_the_node() {
    let dir = logged(2);
    let whole = read(&dir, LOG_FILE);
    let start = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for at in start..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        write(&dir, LOG_FILE, &changed);
        damage(&dir);
    }
}

#[test]
fn tampering_has_its_exit_code() {
    let dir = logged(4);
    let (log, note) = (read(&dir, LOG_FILE), read(&dir, CHECKPOINT_FILE));
    let code = || verify_dir(dir.path(), None).map_or_else(|fault| fault.exit_code(), |_| 0);

    let text = String::from_utf8(log.clone()).unwrap();
    write(
        &dir,
        LOG_FILE,
        text.replace("{\"rows\":1}", "{\"rows\":7}").as_bytes(),
    );
    assert_eq!(code(), 11);
    write(&dir, LOG_FILE, &log);

    let shorter = logged(2);
    write(&dir, CHECKPOINT_FILE, &read(&shorter, CHECKPOINT_FILE));
    assert!(matches!(damage(&dir), Fault::Unsigned { entries: 2 }));
    write(&dir, CHECKPOINT_FILE, b"\xff");
    assert_eq!((code(), damage(&dir).exit_code()), (10, 10));
    fs::remove_file(dir.path().join(CHECKPOINT_FILE)).unwrap();
    assert_eq!((code(), damage(&dir).exit_code()), (10, 10));
    write(&dir, CHECKPOINT_FILE, &note);
    assert_eq!(code(), 0);

    let dirs = [
        dir.path().to_owned(),
        shorter.path().to_owned(),
        "/nonexistent".into(),
    ];
    let reports = verify_dirs(&dirs, None);
    assert_eq!(
        reports
            .iter()
            .filter(|report| report.result.is_ok())
            .count(),
        2
    );
    assert_eq!((exit_code(&reports), exit_code(&reports[..2])), (20, 0));

    write(&dir, KEY_FILE, b"health+00000000+AAAA\n");
    assert_eq!(code(), 10);
}

#[test]
fn a_second_look_at_a_log_that_was_rolled_back_needs_a_kept_checkpoint() {
    let dir = logged(2);
    let (log, note) = (read(&dir, LOG_FILE), read(&dir, CHECKPOINT_FILE));
    let kept = {
        let grown = open(dir.path()).unwrap();
        grown.append(event(2)).unwrap();
        let (size, head) = grown.end().unwrap();
        Checkpoint {
            origin: Checkpoint::origin_of(NODE),
            size,
            head,
        }
    };
    write(&dir, LOG_FILE, &log);
    write(&dir, CHECKPOINT_FILE, &note);
    assert!(verify_dir(dir.path(), None).is_ok());
    let against_kept = linkage_core::audit::verify::verify(&*log, Some(&kept));
    assert!(matches!(
        against_kept,
        Err(Fault::Truncated {
            signed: 3,
            found: 2
        })
    ));
}

#[test]
fn a_failed_write_is_an_error_and_blocks_what_follows() {
    let dir = logged(1);
    let log = open(dir.path()).unwrap();
    log.state.lock().unwrap().log = File::open(dir.path().join(LOG_FILE)).unwrap();
    assert!(matches!(log.append(event(1)), Err(Error::File { .. })));
    assert!(matches!(log.append(event(1)), Err(Error::Blocked)));
    drop(log);
    assert_eq!(open(dir.path()).unwrap().append(event(1)).unwrap(), 1);
    assert_eq!(verify_dir(dir.path(), None).unwrap().entries, 2);
}

#[test]
fn a_failed_checkpoint_is_an_error_and_is_made_up_for() {
    let dir = logged(1);
    let log = open(dir.path()).unwrap();
    let in_the_way = dir.path().join(format!("{CHECKPOINT_FILE}.tmp"));
    fs::create_dir(&in_the_way).unwrap();
    assert!(matches!(log.append(event(1)), Err(Error::File { .. })));
    // No second unsigned entry is added while the first has no checkpoint.
    assert!(matches!(log.append(event(2)), Err(Error::File { .. })));
    assert_eq!(log.end().unwrap().0, 2);
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(log.append(event(2)).unwrap(), 2);
    let summary = verify_dir(dir.path(), None).unwrap();
    assert_eq!((summary.entries, summary.signed), (3, 3));
}

#[test]
fn an_event_that_is_not_well_formed_is_refused_and_leaves_no_trace() {
    let dir = logged(1);
    let log = open(dir.path()).unwrap();
    let before = read(&dir, LOG_FILE);
    let refused = log.append(Event {
        op: "x".into(),
        ..event(1)
    });
    assert!(matches!(
        refused,
        Err(Error::Event(EntryError::Field("op")))
    ));
    assert_eq!(read(&dir, LOG_FILE), before);
    assert_eq!(log.append(event(1)).unwrap(), 1);
}

#[test]
fn threads_append_while_the_log_is_verified() {
    let dir = logged(0);
    let log = Arc::new(open(dir.path()).unwrap());
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let log = Arc::clone(&log);
            std::thread::spawn(move || (0..25).map(|n| log.append(event(n)).unwrap()).collect())
        })
        .collect();
    for _ in 0..20 {
        verify_dir(dir.path(), None).unwrap();
    }
    let mut numbers: Vec<u64> = writers
        .into_iter()
        .flat_map(|writer| -> Vec<u64> { writer.join().unwrap() })
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..100));
    assert_eq!(verify_dir(dir.path(), None).unwrap().signed, 100);
}

#[test]
#[ignore = "a measurement: cargo test -p linkage-node append_rate -- --ignored --nocapture"]
fn append_rate() {
    let dir = logged(0);
    let log = open(dir.path()).unwrap();
    let start = std::time::Instant::now();
    for number in 0..500 {
        log.append(event(number)).unwrap();
    }
    println!("{:.2} ms an append", start.elapsed().as_secs_f64() * 2.0);
}
