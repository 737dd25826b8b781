//! Events and entries: what a line of the log says.

use std::collections::BTreeMap;
use std::fmt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::action::Action;

/// Version of the entry format.
pub const VERSION: u32 = 1;

/// Longest line without its newline, bytes: that of a tlog-tiles entry bundle (C2SP, 16-bit
/// length), less room for a header, so that a log can be moved into such a tree as it is.
pub const LINE_BYTES_MAX: usize = 60 * 1024;

/// Longest name of an actor, object, project or node, characters.
const NAME_CHARS_MAX: usize = 256;

/// Longest code (role, reason, name of a count or digest), characters.
const CODE_CHARS_MAX: usize = 64;

/// Separates entry hashes from every other SHA-256 in the system.
const HASH_LABEL: &[u8] = b"\0linkage/audit-entry/v1\0";

/// An act, as its doer describes it. Holds names, codes, counts and digests; never a person's
/// identifier, attribute or any free text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the clock of the node.
    pub time: EventTime,
    /// UUID of the operation that the act is part of, hyphenated, lower case.
    pub op: String,
    /// Who acted.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// What it was done to.
    pub object: String,
    /// The project, if the act belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// How it ended.
    pub result: Outcome,
    /// Stable code of the reason, if it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Numbers that belong to the act.
    pub counts: BTreeMap<String, u64>,
    /// SHA-256 digests that belong to the act, lower-case hexadecimal.
    pub digests: BTreeMap<String, String>,
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// Its name, or what is known of it, such as an address.
    pub id: String,
    /// The role it acted in, such as `owner` or `matcher`.
    pub role: String,
    /// SHA-256 of the certificate it showed, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_sha256: Option<String>,
}

/// A kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A node of a party.
    Node,
    /// A person at a command line or console.
    Person,
    /// Somebody who could not show who they are.
    Unknown,
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was not allowed.
    Denied,
    /// It was allowed and went wrong.
    Failed,
}

/// An event in its place in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [`VERSION`].
    pub v: u32,
    /// Number of the entry in its log, from 0.
    pub seq: u64,
    /// The node that wrote it.
    pub node: String,
    /// The act.
    #[serde(flatten)]
    pub event: Event,
    /// Hash of the entry before, [`EntryHash::GENESIS`] in the first.
    pub prev: EntryHash,
}

/// Why an entry is not well-formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A field is empty, too long, or of the wrong form.
    #[error("the field {0} is not well-formed")]
    Field(&'static str),
    /// The entry is longer than [`LINE_BYTES_MAX`].
    #[error("the entry has {0} bytes; {LINE_BYTES_MAX} are possible")]
    TooLong(usize),
    /// The line is not the JSON of an entry.
    #[error("the line is not an entry: {0}")]
    Json(String),
    /// The entry is of another version of the format.
    #[error("the entry has format version {0}; this program reads {VERSION}")]
    Version(u32),
    /// The line says the same as an entry, in other bytes.
    #[error("the line is not written as the log writes it")]
    Spelling,
}

impl Entry {
    /// The bytes of the entry, without a newline.
    ///
    /// # Errors
    /// [`EntryError`] if a field is not well-formed or the whole is too long.
    pub fn to_line(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        // Neither the maps, whose keys are strings, nor memory can fail to be written to.
        let line = serde_json::to_vec(self).map_err(|error| EntryError::Json(error.to_string()))?;
        if line.len() > LINE_BYTES_MAX {
            return Err(EntryError::TooLong(line.len()));
        }
        Ok(line)
    }

    /// Reads the bytes of an entry, without a newline. Only the bytes that [`Entry::to_line`]
    /// writes are accepted: no other order, spacing, repeated or unknown field.
    ///
    /// # Errors
    /// [`EntryError`] says what is wrong.
    pub fn from_line(line: &[u8]) -> Result<Self, EntryError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(EntryError::TooLong(line.len()));
        }
        let entry: Self =
            serde_json::from_slice(line).map_err(|error| EntryError::Json(error.to_string()))?;
        if entry.v != VERSION {
            return Err(EntryError::Version(entry.v));
        }
        if entry.to_line()? != line {
            return Err(EntryError::Spelling);
        }
        Ok(entry)
    }

    fn check(&self) -> Result<(), EntryError> {
        let Self {
            v: _,
            seq: _,
            node,
            event,
            prev: _,
        } = self;
        let Event {
            time: _,
            op,
            actor,
            action: _,
            object,
            project,
            result: _,
            reason,
            counts,
            digests,
        } = event;
        let fields = [
            ("node", is_name(node)),
            ("op", is_uuid(op)),
            ("actor.id", is_name(&actor.id)),
            ("actor.role", is_code(&actor.role)),
            (
                "actor.cert_sha256",
                actor.cert_sha256.as_deref().is_none_or(is_digest),
            ),
            ("object", is_name(object)),
            ("project", project.as_deref().is_none_or(is_name)),
            ("reason", reason.as_deref().is_none_or(is_code)),
            ("counts", counts.keys().all(|name| is_code(name))),
            (
                "digests",
                digests
                    .iter()
                    .all(|(name, digest)| is_code(name) && is_digest(digest)),
            ),
        ];
        match fields.iter().find(|(_, is_well_formed)| !is_well_formed) {
            Some((field, _)) => Err(EntryError::Field(field)),
            None => Ok(()),
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_code(text: &str) -> bool {
    (1..=CODE_CHARS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_lower_hex)
}

/// The hyphenated form of RFC 9562, section 4, lower case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => is_lower_hex(byte),
        })
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A moment in UTC, written `2026-01-31T12:00:00.000000Z`: RFC 3339 with six decimals.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventTime(String);

/// A text is not of the form that [`EventTime`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-01-31T12:00:00.000000Z")]
pub struct EventTimeError;

impl EventTime {
    /// The time as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<jiff::Timestamp> for EventTime {
    fn from(time: jiff::Timestamp) -> Self {
        Self(format!("{time:.6}"))
    }
}

impl TryFrom<&str> for EventTime {
    type Error = EventTimeError;

    fn try_from(text: &str) -> Result<Self, EventTimeError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| EventTimeError)?;
        let written = Self::from(time);
        if written.0 == text {
            Ok(written)
        } else {
            Err(EventTimeError)
        }
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::try_from(&*text).map_err(serde::de::Error::custom)
    }
}

/// Hash of an entry and thereby of all entries before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHash(pub [u8; 32]);

impl EntryHash {
    /// What the first entry names as the one before it.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash of the entry `line` (without newline) that follows `self`.
    pub fn follow(self, line: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(HASH_LABEL);
        context.update(&self.0);
        context.update(line);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for EntryHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(text.as_bytes(), &mut hash).map_err(serde::de::Error::custom)?;
        Ok(Self(hash))
    }
}
