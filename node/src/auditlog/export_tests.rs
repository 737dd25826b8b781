use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use linkage_core::audit::entry::Entry;
use linkage_core::audit::export::Form;

use super::AuditLog;
use super::export::{Cursor, Export, Target};
use super::prune::{self, HOLD_FILE, KEEP_DAYS_MIN};
use super::segments;
use super::tests::{event, keys, log_of};
use super::verify::verify_dir;

fn file(path: &Path, bytes_max: u64) -> Target {
    Target::File {
        path: path.to_owned(),
        bytes_max,
    }
}

fn export(dir: &Path, cursor: &Path, target: &Target) -> std::io::Result<u64> {
    let mut export = Export::begin(dir, Some(cursor.to_owned()), Form::Json, target)?;
    Ok(export.run()?.sent)
}

/// A closed log of three files and a bit: written side by side, one flush for many.
fn long_log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path(), keys()).unwrap();
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
    dir
}

#[test]
fn every_entry_is_exported_once_with_a_cursor() {
    let dir = log_of(20);
    let (out, cursor) = (dir.path().join("out.json"), dir.path().join("cursor"));
    let target = file(&out, u64::MAX);
    assert_eq!(export(dir.path(), &cursor, &target).unwrap(), 20);
    assert_eq!(export(dir.path(), &cursor, &target).unwrap(), 0);
    let log = AuditLog::open(dir.path(), keys()).unwrap();
    log.append(event(20)).unwrap();
    assert_eq!(export(dir.path(), &cursor, &target).unwrap(), 1);
    let text = fs::read_to_string(&out).unwrap();
    let seqs: Vec<u64> = text
        .lines()
        .map(|line| Entry::from_bytes(line.as_bytes()).unwrap().seq)
        .collect();
    assert_eq!(seqs, (0..21).collect::<Vec<_>>());
    // A receiver that has lost what came after the cursor gets it again.
    let first = Cursor::read(&cursor).unwrap();
    Cursor::START.write(&cursor).unwrap();
    assert_eq!(export(dir.path(), &cursor, &target).unwrap(), 21);
    assert_eq!(Cursor::read(&cursor).unwrap(), first);
}

#[test]
fn a_cursor_fits_its_own_log_only() {
    let (dir, other) = (log_of(20), log_of(20));
    let cursor = dir.path().join("cursor");
    let target = file(&dir.path().join("out"), u64::MAX);
    export(dir.path(), &cursor, &target).unwrap();
    assert!(export(other.path(), &cursor, &target).is_err());
    fs::write(&cursor, "next 3").unwrap();
    assert!(export(dir.path(), &cursor, &target).is_err());
}

#[test]
fn export_files_are_put_aside_when_full() {
    let dir = log_of(20);
    let out = dir.path().join("out.json");
    let target = file(&out, 4000);
    export(dir.path(), &dir.path().join("cursor"), &target).unwrap();
    let mut lines = 0;
    let mut files = 0;
    for file in fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("out.json") {
            assert!(file.metadata().unwrap().len() <= 4000);
            lines += fs::read_to_string(file.path()).unwrap().lines().count();
            files += 1;
        }
    }
    assert_eq!(lines, 20);
    assert!(files > 1);
}

#[test]
fn a_collector_gets_counted_frames() {
    let dir = log_of(5);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::Tcp(listener.local_addr().unwrap().to_string());
    let collector = std::thread::spawn(move || {
        let mut received = String::new();
        listener
            .accept()
            .unwrap()
            .0
            .read_to_string(&mut received)
            .unwrap();
        received
    });
    let mut export = Export::begin(dir.path(), None, Form::Syslog, &target).unwrap();
    assert_eq!(export.run().unwrap().sent, 5);
    drop(export);
    let received = collector.join().unwrap();
    let mut rest = received.as_str();
    for _ in 0..5 {
        let (length, tail) = rest.split_once(' ').unwrap();
        let (message, tail) = tail.split_at(length.parse().unwrap());
        assert!(message.starts_with("<110>1 20"), "{message}");
        assert!(message.ends_with('}'), "{message}");
        rest = tail;
    }
    assert_eq!(rest, "");
}

#[test]
fn only_old_and_exported_entries_are_pruned() {
    let dir = long_log();
    let dir = dir.path();
    let cursor = dir.join("cursor");
    let plan = |days, hours| {
        let now = Timestamp::now() + SignedDuration::from_hours(hours);
        prune::plan(dir, &cursor, days, now)
    };
    let old = 24 * 200;
    assert!(plan(KEEP_DAYS_MIN - 1, old).is_err());
    // Nothing was exported.
    assert!(plan(KEEP_DAYS_MIN, old).unwrap().0.is_empty());
    export(dir, &cursor, &file(&dir.join("out"), u64::MAX)).unwrap();
    // Nothing is old.
    assert!(plan(KEEP_DAYS_MIN, 0).unwrap().0.is_empty());
    fs::write(dir.join(HOLD_FILE), "court order").unwrap();
    assert!(plan(KEEP_DAYS_MIN, old).is_err());
    fs::remove_file(dir.join(HOLD_FILE)).unwrap();
    let whole = verify_dir(dir).unwrap();
    let (files, minimum) = plan(KEEP_DAYS_MIN, old).unwrap();
    assert_eq!((files.len(), minimum), (2, 2048));
    prune::delete(dir, &files).unwrap();

    let left = verify_dir(dir).unwrap();
    assert_eq!((left.first, left.entries), (2048, 2240));
    assert_eq!(left.root, whole.root);
    assert_eq!(segments::list(dir).unwrap().len(), 1);
    let log = AuditLog::open(dir, keys()).unwrap();
    assert_eq!(log.end(), (2240, whole.root));
    assert!(log.receipt(2047).is_err());
    log.receipt(2048).unwrap();
    // Witnesses that are far behind still get their proof.
    log.consistency(100, 2240).unwrap();
    log.append(event(1)).unwrap();
    drop(log);
    verify_dir(dir).unwrap();
    assert_eq!(
        export(dir, &cursor, &file(&dir.join("out"), u64::MAX)).unwrap(),
        1
    );
}
