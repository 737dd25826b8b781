//! A search that is killed at any moment, and run again, finds the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/sample.rs"]
mod sample;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use linkage_core::candidates::{Prefilter, across_by_keys};
use linkage_core::schema::CandidateSettings;
use linkage_engine::search::{Limits, across};
use linkage_engine::store::{TokenStore, Verify, import};

use sample::Shape;

const FOLDER: &str = "LINKAGE_TEST_FOLDER";

fn settings() -> CandidateSettings {
    CandidateSettings {
        all_pairs_max: 0,
        block_pairs_max: 2_000,
        ..CandidateSettings::default()
    }
}

fn make(folder: &Path, name: &str, seed: u64) {
    let shape = Shape {
        rows: 60_000,
        token_bits: 512,
        values: 6_000,
        seed,
    };
    import(sample::batch(shape).as_slice(), &folder.join(name)).unwrap();
}

fn open(folder: &Path) -> [TokenStore; 2] {
    ["a", "b"].map(|name| TokenStore::open(&folder.join(name), Verify::Checksums).unwrap())
}

/// Searches the stores in the folder that the environment names; run by the other test.
#[test]
#[ignore = "the process that is killed"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let [a, b] = open(folder);
    let limits = Limits {
        // Several stripes, hence several cells.
        memory_bytes: 64 << 20,
        threads: 2,
    };
    let run = folder.join("run");
    across(&a, &b, &settings(), &limits, &run, &|done, total| {
        println!("{done} of {total}");
    })
    .unwrap();
}

#[test]
fn a_killed_search_goes_on_and_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "a", 1);
    make(folder.path(), "b", 2);
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    // Later and later, so that every phase is hit on machines of every speed, until one run ends
    // on its own.
    let (mut state, mut killed, mut named) = (99, 0, 0);
    let mut longest = 20;
    loop {
        let mut child = start();
        sleep(Duration::from_millis(sample::mix(&mut state) % longest));
        longest += longest / 2;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        killed += 1;
        named += u32::from(folder.path().join("run/manifest").exists());
    }
    assert!(
        killed > 0 && named > 0,
        "{killed} killed, {named} with a manifest"
    );
    // The last run removed its folder. What a run that was killed leaves is what is gone on from.
    assert!(!folder.path().join("run").exists());
    let [a, b] = open(folder.path());
    let expected = across_by_keys(&a.columns(), &b.columns(), &settings(), Prefilter::Off);
    let mut child = start();
    let pass = folder.path().join("run/pass-003");
    while !pass.exists() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        threads: 1,
    };
    let run = folder.path().join("run");
    // What was finished is used, not made again.
    let identity = || {
        let found = std::fs::metadata(run.join("pass-000")).ok()?;
        Some((found.ino(), found.modified().unwrap()))
    };
    let before = identity().unwrap();
    let seen = AtomicUsize::new(0);
    let progress = |_, _| {
        if let Some(now) = identity() {
            assert_eq!(now, before);
            seen.fetch_add(1, Ordering::Relaxed);
        }
    };
    let found = across(&a, &b, &settings(), &limits, &run, &progress).unwrap();
    assert!(seen.into_inner() > 0);
    assert_eq!(found.pairs, expected.pairs);
    assert_eq!(found.compared, expected.compared);
    assert_eq!(found.block_rules, expected.block_rules);
    assert_eq!(found.identity_conflicts, expected.identity_conflicts);
}
