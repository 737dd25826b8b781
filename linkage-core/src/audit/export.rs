//! Entries in the forms that log collectors take.
//!
//! | form | for |
//! |---|---|
//! | JSON lines | files and anything that reads JSON; a line is the exact entry |
//! | RFC 5424 | syslog; the entry is the message |
//! | CEF | systems that know the Common Event Format, version 0 |
//!
//! `seq` (JSON), `sequenceId` (syslog) and `externalId` (CEF) let a receiver drop what it has
//! already: an export repeats rather than leaves out.

use std::fmt::Write as _;

use super::action::Action;
use super::entry::{Entry, Outcome, Phase};

/// Facility 13, "log audit" (RFC 5424, section 6.2.1), shifted to its place.
const FACILITY: u8 = 13 << 3;

/// Largest `sequenceId` (RFC 5424, section 7.3.1); the number after it is 1.
const SEQUENCE_MAX: u64 = 2_147_483_647;

/// A form of export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The entry's own bytes.
    Json,
    /// A syslog message.
    Syslog,
    /// A Common Event Format record.
    Cef,
}

/// The entry in this form, without a line's end. `bytes` are the entry's own.
pub fn line(form: Form, entry: &Entry, bytes: &[u8]) -> Vec<u8> {
    match form {
        Form::Json => bytes.to_vec(),
        Form::Syslog => syslog(entry, bytes),
        Form::Cef => cef(entry).into_bytes(),
    }
}

fn syslog(entry: &Entry, bytes: &[u8]) -> Vec<u8> {
    let severity = match entry.event.result {
        None | Some(Outcome::Ok) => 6,
        Some(Outcome::Denied) => 4,
        Some(Outcome::Failed | Outcome::Unknown) => 3,
    };
    let header = format!(
        "<{}>1 {} {} linkage {} {} [meta sequenceId=\"{}\"] ",
        FACILITY | severity,
        entry.time,
        host(&entry.node),
        entry.boot,
        entry.event.action,
        entry.seq % SEQUENCE_MAX + 1,
    );
    [header.as_bytes(), bytes].concat()
}

/// The node as a syslog host name: printable ASCII without spaces, at most 255.
fn host(node: &str) -> String {
    let printable = node
        .chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '_' });
    printable.take(255).collect()
}

fn cef(entry: &Entry) -> String {
    let event = &entry.event;
    let severity = match event.result {
        None | Some(Outcome::Ok) => 2,
        Some(Outcome::Denied) => 6,
        Some(Outcome::Failed | Outcome::Unknown) => 7,
    };
    let mut text = format!(
        "CEF:0|Linkage|linkage|{}|{}|{}|{severity}|",
        entry.v,
        header(event.action.name()),
        header(title(event.action)),
    );
    let phase = match event.phase {
        Phase::Intent => "intent",
        Phase::Outcome => "outcome",
        Phase::Event => "event",
    };
    let mut fields = vec![
        ("rt", entry.time.as_millis().to_string()),
        ("externalId", entry.seq.to_string()),
        ("dvchost", entry.node.clone()),
        ("suser", event.actor.id.clone()),
        ("spriv", event.actor.role.clone()),
        ("act", phase.to_owned()),
        ("duser", event.object.clone()),
        ("cs1Label", "op".to_owned()),
        ("cs1", event.op.clone()),
    ];
    if let Some(result) = event.result {
        fields.push(("outcome", result.name().to_owned()));
    }
    if let Some(reason) = &event.reason {
        fields.push(("reason", reason.clone()));
    }
    if let Some(project) = &event.project {
        fields.extend([("cs2Label", "project".to_owned()), ("cs2", project.clone())]);
    }
    if !event.counts.is_empty() {
        let counts = event.counts.iter().map(|(name, n)| format!("{name}:{n}"));
        let counts: Vec<String> = counts.collect();
        fields.extend([("cs3Label", "counts".to_owned()), ("cs3", counts.join(" "))]);
    }
    if !event.digests.is_empty() {
        let digests = event.digests.iter().map(|(name, d)| format!("{name}:{d}"));
        let digests: Vec<String> = digests.collect();
        fields.extend([
            ("cs4Label", "digests".to_owned()),
            ("cs4", digests.join(" ")),
        ]);
    }
    for (at, (name, value)) in fields.iter().enumerate() {
        let space = if at == 0 { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{space}{name}={}", extension(value));
    }
    text
}

fn title(action: Action) -> &'static str {
    action.when().trim_end_matches('.')
}

/// Escapes a header field.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

/// Escapes the value of an extension field.
fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=")
}
