//! `linkage audit verify`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use linkage_core::audit::entry::EventTime;
use linkage_core::audit::note::Note;
use linkage_core::audit::policy::Policy;
use linkage_node::auditlog::verify::{Against, Found, Report, Summary, exit_code, verify_all};
use linkage_node::fault::Chain;
use serde_json::{Value, json};

use super::super::failure::{Blame, Failure};
use super::super::screen::{self, Form};

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Needs no network and no private key, and works on a copy or while the node runs. Without --policy \
the key in a log's folder is believed: that finds damage, and changes by whoever lacks the node's \
private key. An auditor who does not trust the node brings the policy file: it names the logs' keys \
and the witnesses whose cosignatures are asked for.

Several logs are also compared with each other: what an owner's log says was uploaded, the \
matcher's log must have accepted.

Exit codes:
  0   every log is in order
  10  the signature of a checkpoint does not hold, or there is none
  11  an entry or a tile was changed: its hash is not the signed one
  12  the log was forked: two of its checkpoints contradict each other
  13  fewer witnesses than the policy's quorum have cosigned
  14  an act was begun and no entry tells its outcome
  15  two logs do not tell the same of what passed between their nodes
  16  time runs backwards beyond the tolerance (5 s)
  17  an entry is missing
  18  entries were moved
  19  signed entries are missing at the end
  20  a file cannot be read
  21  the log was put back to an earlier state

Example:
  linkage audit verify health/audit --policy audit.policy --peers matcher/audit tax.bundle")]
pub struct Verify {
    /// Folders or bundles that hold a log
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// Policy file: the logs and witnesses to believe (c2sp.org/tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A checkpoint of the log that was kept: the log must continue it
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Logs of other nodes, to compare with
    #[arg(long, value_name = "LOG", num_args = 1..)]
    peers: Vec<PathBuf>,
}

impl Verify {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let against = Against {
            policy: self.policy.as_deref().map(read_policy).transpose()?,
            since: self.since.as_deref().map(read_note).transpose()?,
        };
        let logs: Vec<PathBuf> = self.logs.into_iter().chain(self.peers).collect();
        let start = Instant::now();
        let mut progress = |log: &Path, entries| {
            if form == Form::Text {
                let entries = screen::count(entries);
                screen::note(&format!("{}: {entries} entries read", log.display()));
            }
        };
        let reports = verify_all(&logs, &against, &mut progress);
        let code = exit_code(&reports);
        let data: Vec<Value> = reports.iter().map(data).collect();
        let milliseconds = start.elapsed().as_millis();
        let result = json!({ "verified": code == 0, "logs": data, "milliseconds": milliseconds });
        form.show(&result, || {
            reports.iter().map(text).collect::<Vec<_>>().join("\n")
        })?;
        Ok(code)
    }
}

/// Reads a policy file.
pub(super) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    use anyhow::Context as _;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the policy {} cannot be read", path.display()))
        .or_input()?;
    let policy = text.parse::<Policy>();
    policy
        .with_context(|| format!("{} is no policy", path.display()))
        .or_input()
}

fn read_note(path: &Path) -> Result<Note, Failure> {
    use anyhow::Context as _;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the checkpoint {} cannot be read", path.display()))
        .or_input()?;
    Note::parse(&text)
        .with_context(|| format!("{} is no checkpoint", path.display()))
        .or_input()
}

fn data(report: &Report) -> Value {
    match &report.result {
        Ok(log) => json!({
            "log": report.path,
            "verified": true,
            "origin": log.origin,
            "first": log.first,
            "entries": log.entries,
            "signed": log.signed,
            "root": log.root.to_string(),
            "first_time": log.first_time.as_ref().map(EventTime::as_str),
            "last_time": log.last_time.as_ref().map(EventTime::as_str),
            "open": log.open,
            "witnessed": log.witnessed.as_ref().map(|witnessed| json!({
                "entries": witnessed.checkpoint.size,
                "witnesses": witnessed.cosigned.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                "since": witnessed.since.and_then(time_text),
            })),
        }),
        Err(found) => json!({
            "log": report.path,
            "verified": false,
            "exit_code": found.fault.exit_code(),
            "fault": Chain(&found.fault).to_string(),
            "index": found.fault.index(),
            "file": found.file,
        }),
    }
}

fn text(report: &Report) -> String {
    let path = report.path.display();
    match &report.result {
        Ok(log) => format!("{path}: in order\n{}", summary(log)),
        Err(Found { file, fault }) => {
            let file = file.as_ref();
            let file = file.map_or_else(String::new, |file| format!("\n  in {}", file.display()));
            format!("{path}: NOT IN ORDER\n  {}{file}", Chain(fault))
        }
    }
}

fn summary(log: &Summary) -> String {
    let time = |time: &Option<EventTime>| {
        let time = time.as_ref();
        time.map_or_else(|| "-".to_owned(), |time| time.as_str().to_owned())
    };
    let entries = match log.entries {
        1 => "1 entry".to_owned(),
        entries => format!("{} entries", screen::count(entries)),
    };
    let mut text = format!(
        "  {entries}, {} signed\n  from {} to {}\n  root {}\n  log {}",
        screen::count(log.signed),
        time(&log.first_time),
        time(&log.last_time),
        log.root,
        log.origin,
    );
    if log.first > 0 {
        let first = screen::count(log.first);
        text.push_str(&format!("\n  entries below {first} were pruned"));
    }
    if log.open > 0 {
        let open = screen::counted(log.open, "act");
        text.push_str(&format!("\n  {open} under way"));
    }
    if let Some(witnessed) = &log.witnessed {
        let names: Vec<&str> = witnessed.cosigned.iter().map(|(name, _)| &**name).collect();
        let names = if names.is_empty() {
            "nobody".to_owned()
        } else {
            names.join(", ")
        };
        let size = screen::count(witnessed.checkpoint.size);
        text.push_str(&format!("\n  {size} entries witnessed by {names}"));
        if let Some(since) = witnessed.since.and_then(time_text) {
            text.push_str(&format!(", the quorum at {since}"));
        }
    }
    text
}

/// A moment in seconds since 1970, in words.
pub(super) fn time_text(seconds: u64) -> Option<String> {
    let time = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(time.to_string())
}
