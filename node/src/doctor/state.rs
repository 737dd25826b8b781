//! Checks of what the node keeps: disk, audit log, database, clock.

use jiff::Timestamp;

use super::{Finding, Verdict};
use crate::auditlog;
use crate::fault::Chain;
use crate::settings::Settings;
use crate::store;
use crate::store::space::Space;

const DISK: &str = "disk";
const AUDIT: &str = "audit log";
const DATABASE: &str = "database";
const CLOCK: &str = "clock";

/// By how much the newest audit entry may be ahead of the clock, in seconds: none was written in
/// the future, but the clock may just have been set.
const AHEAD_MAX_S: i64 = 5;

/// Whether the reserve is free.
pub(super) fn disk(settings: &Settings) -> Finding {
    let room = match Space::new(&settings.data_dir, &settings.limits).room() {
        Ok(room) => room,
        Err(error) => {
            let words = format!("{}: {error}", settings.data_dir.display());
            let remedy = "make the folder data_dir, owned by the node's user";
            return Finding::new(DISK, Verdict::Bad, "disk.unknown", words, remedy);
        }
    };
    let mib = |bytes: u64| bytes >> 20;
    let words = format!(
        "{} MiB free, {} MiB reserved",
        mib(room.free_bytes),
        mib(room.reserve_bytes)
    );
    if room.is_low() {
        let remedy = "make room: until then nothing new is stored";
        return Finding::new(DISK, Verdict::Bad, "disk.reserve", words, remedy);
    }
    if room.free_bytes / 2 < room.reserve_bytes {
        let remedy = "make room before the reserve is reached";
        return Finding::new(DISK, Verdict::Warning, "disk.filling", words, remedy);
    }
    Finding::good(DISK, words)
}

/// Whether the log is whole.
pub(super) fn audit(settings: &Settings) -> Finding {
    let dir = settings.data_dir.join("audit");
    if !dir.exists() {
        return Finding::good(AUDIT, "none yet: the node has not run");
    }
    match auditlog::verify::verify_dir(&dir) {
        Ok(_) => Finding::good(AUDIT, "whole and signed"),
        Err(fault) => Finding::new(
            AUDIT,
            Verdict::Bad,
            "audit.fault",
            Chain(&fault).to_string(),
            format!(
                "keep the folder as evidence; `linkage audit verify {}`",
                dir.display()
            ),
        ),
    }
}

/// Whether the database is whole and of a version that this program knows.
pub(super) fn database(settings: &Settings) -> Finding {
    let (path, known) = store::database(settings);
    if !path.exists() {
        return Finding::good(DATABASE, "none yet: the node has not run");
    }
    let bad = |code, words, remedy: &str| Finding::new(DATABASE, Verdict::Bad, code, words, remedy);
    let restore = "stop the node and `linkage backup restore`";
    let examined = match store::migrate::examine(&path) {
        Ok(examined) => examined,
        Err(error) => return bad("database.unreadable", Chain(&error).to_string(), restore),
    };
    if !examined.damage.is_empty() {
        let words = format!("{}: {}", path.display(), examined.damage.join("; "));
        return bad("database.damaged", words, restore);
    }
    let version = examined.version;
    if version > known {
        let words = format!("version {version}; this program knows versions up to {known}");
        let remedy = format!("install a Linkage that knows version {version}");
        return bad("database.newer", words, &remedy);
    }
    Finding::good(DATABASE, format!("whole, version {version} of {known}"))
}

/// Whether the clock is later than what the node has written.
pub(super) fn clock(settings: &Settings, now: Timestamp) -> Finding {
    let newest = newest_file(settings);
    let Some(newest) = newest else {
        return Finding::good(CLOCK, "nothing to compare it with yet");
    };
    let ahead = newest - now.as_second();
    if ahead > AHEAD_MAX_S {
        let words = format!("the clock is {ahead} s behind what the node has written");
        let remedy = "set the clock; let it be kept right by NTP";
        return Finding::new(CLOCK, Verdict::Bad, "clock.behind", words, remedy);
    }
    Finding::good(CLOCK, "later than all that was written")
}

/// When the audit log was last written, in seconds since 1970.
fn newest_file(settings: &Settings) -> Option<i64> {
    let entries = std::fs::read_dir(settings.data_dir.join("audit")).ok()?;
    let times = entries.flatten().filter_map(|entry| {
        let written = entry.metadata().ok()?.modified().ok()?;
        let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    });
    times.max()
}
