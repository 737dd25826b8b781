//! Audit logs, checked offline by anyone who can read them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use linkage_core::audit::checkpoint::VerifyingKey;
use linkage_core::audit::entry::EventTime;
use linkage_node::auditlog::verify::{DirReport, exit_code, verify_dirs};
use serde_json::{Value, json};

use super::failure::Failure;
use super::screen::{self, Form};

/// Check audit logs.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check that logs are complete, unchanged and signed
    Verify(Verify),
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Needs no network and no private key, and works on a copy or while the node runs. Without --key the \
key in the log's folder is used: that finds damage, and changes by whoever lacks the node's private \
key. An auditor who does not trust the node brings the key along.

Exit codes:
  0   every log is in order
  10  a signature does not hold, or entries lack one
  11  an entry was changed, inserted, dropped or moved
  12  entries are missing at the end, or the log is a fork of the signed one
  20  a log cannot be read

Example:
  linkage audit verify health/audit matcher/audit")]
pub struct Verify {
    /// Folders that hold a log
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Key that must have signed the logs, as in the file audit.pub: name+id+base64
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifyingKey>,
}

impl Audit {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Verify(Verify { dirs, key }) = self;
        let reports = verify_dirs(&dirs, key.as_ref());
        let code = exit_code(&reports);
        let logs: Vec<Value> = reports.iter().map(data).collect();
        let result = json!({ "verified": code == 0, "logs": logs });
        form.show(&result, || {
            reports.iter().map(text).collect::<Vec<_>>().join("\n")
        })?;
        Ok(code)
    }
}

fn data(report: &DirReport) -> Value {
    match &report.result {
        Ok(log) => json!({
            "folder": report.dir,
            "verified": true,
            "entries": log.entries,
            "signed": log.signed,
            "head": hex::encode(log.head.0),
            "first_time": log.first_time.as_ref().map(EventTime::as_str),
            "last_time": log.last_time.as_ref().map(EventTime::as_str),
        }),
        Err(fault) => json!({
            "folder": report.dir,
            "verified": false,
            "exit_code": fault.exit_code(),
            "fault": chain(fault),
        }),
    }
}

fn text(report: &DirReport) -> String {
    let dir = report.dir.display();
    match &report.result {
        Ok(log) => {
            let time = |time: &Option<EventTime>| {
                let time = time.as_ref();
                time.map_or_else(|| "-".to_owned(), |time| time.as_str().to_owned())
            };
            let entries = match log.entries {
                1 => "1 entry".to_owned(),
                entries => format!("{} entries", screen::count(entries)),
            };
            format!(
                "{dir}: in order\n  {entries}, {} signed\n  from {} to {}\n  head {}",
                screen::count(log.signed),
                time(&log.first_time),
                time(&log.last_time),
                hex::encode(log.head.0),
            )
        }
        Err(fault) => format!("{dir}: NOT IN ORDER\n  {}", chain(fault)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("; caused by: {error}"));
        cause = error.source();
    }
    text
}
