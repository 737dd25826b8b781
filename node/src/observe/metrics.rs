//! Counts and gauges of a running node, for Prometheus to collect.
//!
//! Names are `linkage_<noun>_<unit>`, counters end in `_total`. Labels have few values, all ours:
//! none bears the words of a caller. [`CATALOGUE`] is the list of all; `docs/metrics.md` is written
//! from it.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tonic::Code;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub meaning: &'static str,
}

const CALLS: Metric = Metric {
    name: "linkage_calls_total",
    kind: Kind::Counter,
    labels: &["code", "procedure"],
    meaning: "Calls that ended, by procedure and gRPC code; `Cancelled` when the caller went away.",
};
const CALL_SECONDS: Metric = Metric {
    name: "linkage_call_duration_seconds",
    kind: Kind::Histogram,
    labels: &["procedure"],
    meaning: "Time from a call's arrival to the end of its reply.",
};
const CALLS_REFUSED: Metric = Metric {
    name: "linkage_calls_refused_total",
    kind: Kind::Counter,
    labels: &["reason"],
    meaning: "Calls refused before they reached a service: no permission, or too many at once.",
};
const CONNECTIONS_REFUSED: Metric = Metric {
    name: "linkage_connections_refused_total",
    kind: Kind::Counter,
    labels: &["reason"],
    meaning: "Connections refused, by the reason in the audit log.",
};
const AUDIT_ENTRIES: Metric = Metric {
    name: "linkage_audit_entries_total",
    kind: Kind::Counter,
    labels: &["result"],
    meaning: "Entries written to the audit log: `written`, or `failed` when it could not be.",
};
const LOG_SCRUBBED: Metric = Metric {
    name: "linkage_log_identifiers_total",
    kind: Kind::Counter,
    labels: &[],
    meaning: "Identifiers taken out of log lines at the last check. Anything but 0 is a defect of \
              the program: tell its makers.",
};
const RELOADS: Metric = Metric {
    name: "linkage_reloads_total",
    kind: Kind::Counter,
    labels: &["result"],
    meaning: "Reloads of the configuration: `done`, or `refused` when the old one was kept.",
};
const READY: Metric = Metric {
    name: "linkage_ready_state",
    kind: Kind::Gauge,
    labels: &[],
    meaning: "1 while the node answers calls, 0 while it starts, drains, or must not act.",
};
const ALARM: Metric = Metric {
    name: "linkage_alarm_state",
    kind: Kind::Gauge,
    labels: &["alarm"],
    meaning: "1 while an alarm stands: `audit`, `database` or `disk`.",
};
const DISK_FREE: Metric = Metric {
    name: "linkage_disk_free_bytes",
    kind: Kind::Gauge,
    labels: &[],
    meaning: "Space left for the node's data.",
};
const CERTIFICATE: Metric = Metric {
    name: "linkage_certificate_remaining_seconds",
    kind: Kind::Gauge,
    labels: &["file"],
    meaning: "Time until the first certificate of the file (`cert` or `ca`) ends; below 0 after it.",
};
const UPTIME: Metric = Metric {
    name: "linkage_uptime_seconds",
    kind: Kind::Gauge,
    labels: &[],
    meaning: "Time since the node started.",
};
const BUILD: Metric = Metric {
    name: "linkage_build_info",
    kind: Kind::Gauge,
    labels: &["role", "version"],
    meaning: "Always 1; the labels tell the version and the role.",
};
const MEMORY: Metric = Metric {
    name: "linkage_memory_resident_bytes",
    kind: Kind::Gauge,
    labels: &[],
    meaning: "Memory that the process has in use.",
};
const FILES: Metric = Metric {
    name: "linkage_files_open_count",
    kind: Kind::Gauge,
    labels: &[],
    meaning: "Files and connections that the process has open.",
};

/// Every metric.
pub const CATALOGUE: &[Metric] = &[
    CALLS,
    CALL_SECONDS,
    CALLS_REFUSED,
    CONNECTIONS_REFUSED,
    AUDIT_ENTRIES,
    LOG_SCRUBBED,
    RELOADS,
    READY,
    ALARM,
    DISK_FREE,
    CERTIFICATE,
    UPTIME,
    BUILD,
    MEMORY,
    FILES,
];

/// Bounds of the buckets for durations, in seconds: from a call within a machine (0.1 ms) to the
/// longest drain.
const SECONDS_BUCKETS: [f64; 10] = [0.000_5, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 15.0, 60.0, 300.0];

static COLLECTED: OnceLock<PrometheusHandle> = OnceLock::new();

/// Why metrics cannot be collected.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be collected")]
pub struct Error(#[from] BuildError);

/// Begins to collect in this process; a second time does nothing.
///
/// # Errors
/// [`Error`], if the buckets are wrong.
pub fn begin() -> Result<(), Error> {
    let name = Matcher::Full(CALL_SECONDS.name.to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(name, &SECONDS_BUCKETS)?
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        let _ = COLLECTED.set(handle);
        for metric in CATALOGUE {
            match metric.kind {
                Kind::Counter => describe_counter!(metric.name, metric.meaning),
                Kind::Gauge => describe_gauge!(metric.name, metric.meaning),
                Kind::Histogram => describe_histogram!(metric.name, metric.meaning),
            }
        }
    }
    Ok(())
}

/// All metrics as Prometheus reads them; empty where nothing is collected.
pub fn render() -> String {
    COLLECTED
        .get()
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

/// Work that the collection needs every few seconds.
pub(super) fn upkeep() {
    if let Some(handle) = COLLECTED.get() {
        handle.run_upkeep();
    }
}

pub(super) fn call_ended(procedure: &'static str, code: Code, took: Duration) {
    counter!(CALLS.name, "procedure" => procedure, "code" => format!("{code:?}")).increment(1);
    histogram!(CALL_SECONDS.name, "procedure" => procedure).record(took.as_secs_f64());
}

/// A call was refused before it reached a service, for this stable reason.
pub fn call_refused(reason: &'static str) {
    counter!(CALLS_REFUSED.name, "reason" => reason).increment(1);
}

/// A connection was refused for this stable reason.
pub fn connection_refused(reason: &'static str) {
    counter!(CONNECTIONS_REFUSED.name, "reason" => reason).increment(1);
}

/// An entry was written to the audit log, or could not be.
pub fn audit_entry(is_written: bool) {
    let result = if is_written { "written" } else { "failed" };
    counter!(AUDIT_ENTRIES.name, "result" => result).increment(1);
}

pub(super) fn log_scrubbed(found: u64) {
    counter!(LOG_SCRUBBED.name).increment(found);
}

/// A reload of the configuration was done, or refused.
pub fn reloaded(is_done: bool) {
    let result = if is_done { "done" } else { "refused" };
    counter!(RELOADS.name, "result" => result).increment(1);
}

pub(super) fn ready(is_ready: bool) {
    gauge!(READY.name).set(f64::from(u8::from(is_ready)));
}

pub(super) fn alarm(name: &'static str, stands: bool) {
    gauge!(ALARM.name, "alarm" => name).set(f64::from(u8::from(stands)));
}

pub(super) fn disk_free(bytes: u64) {
    gauge!(DISK_FREE.name).set(bytes as f64);
}

pub(super) fn certificate(file: &'static str, remaining_s: i64) {
    gauge!(CERTIFICATE.name, "file" => file).set(remaining_s as f64);
}

pub(super) fn process(uptime: Duration) {
    gauge!(UPTIME.name).set(uptime.as_secs_f64());
    if let Some(bytes) = resident_bytes() {
        gauge!(MEMORY.name).set(bytes as f64);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        gauge!(FILES.name).set(files.count() as f64);
    }
}

/// Tells the version and the node's role.
pub fn build(role: &'static str) {
    gauge!(BUILD.name, "version" => env!("CARGO_PKG_VERSION"), "role" => role).set(1.0);
}

/// Resident memory of this process, from proc_pid_status(5).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");

    fn page() -> String {
        let mut page = String::from(
            "# Metrics\n\n\
             A node shows these at `/metrics` of the address `monitor.listen`, for Prometheus. No label\n\
             bears an identifier or the words of a caller. This page is written from\n\
             `node/src/observe/metrics.rs`: `BLESS=1 cargo test -p linkage-node metrics_page` renews\n\
             it.\n\n\
             | metric | kind | labels | meaning |\n|---|---|---|---|\n",
        );
        for metric in CATALOGUE {
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let labels: Vec<_> = metric
                .labels
                .iter()
                .map(|label| format!("`{label}`"))
                .collect();
            let labels = labels.join(", ");
            writeln!(
                page,
                "| `{}` | {kind} | {labels} | {} |",
                metric.name, metric.meaning
            )
            .unwrap();
        }
        page.push_str(
            "\n## Alarms worth a call at night\n\n\
             | expression | what it says |\n|---|---|\n\
             | `linkage_ready_state == 0` for 5 min | the node answers nobody; `/readyz` says why |\n\
             | `linkage_alarm_state == 1` | audit log, database or disk need an operator |\n\
             | `linkage_certificate_remaining_seconds < 604800` | a certificate ends within a week |\n\
             | `increase(linkage_log_identifiers_total[1d]) > 0` | an identifier was kept out of the log at the last moment |\n",
        );
        page
    }

    #[test]
    fn metrics_page_is_current() {
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(PAGE, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page());
    }

    #[test]
    fn names_say_noun_and_unit() {
        for metric in CATALOGUE {
            let name = metric.name;
            assert!(name.starts_with("linkage_"), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{name}"
            );
            let units = ["_total", "_seconds", "_bytes", "_state", "_info", "_count"];
            assert!(units.iter().any(|unit| name.ends_with(unit)), "{name}");
            assert!(metric.labels.is_sorted(), "{name}");
        }
    }
}
