//! Events and entries: what a leaf of the log's tree says.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::action::Action;

/// Version of the entry format.
pub const VERSION: u32 = 1;

/// Longest entry, bytes: what the 16-bit length of an entry bundle (c2sp.org/tlog-tiles) can tell,
/// less some room.
pub const ENTRY_BYTES_MAX: usize = 60 * 1024;

/// Least number of records that is written as a number; below it stands `"<10"`. A count of a few
/// people can tell who they are, and an audit log is read by more people and longer than any table.
pub const RECORDS_MIN: u64 = 10;

/// Longest name of an actor, object, project or node, characters.
const NAME_CHARS_MAX: usize = 256;

/// Longest code (role, reason, name of a count or digest), characters.
const CODE_CHARS_MAX: usize = 64;

/// An act, as its doer describes it. Holds names, codes, counts and digests; never a person's
/// identifier, attribute or any free text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// UUID of the operation that the act is part of, hyphenated, lower case.
    pub op: String,
    /// Whether the act is to come, has come to its end, or is told in one entry.
    pub phase: Phase,
    /// The number of the entry that told the intent, in the entry that tells its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<u64>,
    /// Who acted.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// What it was done to.
    pub object: String,
    /// The project, if the act belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// How it ended; absent in an intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
    /// Stable code of the reason, if it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Numbers that belong to the act.
    pub counts: BTreeMap<String, Count>,
    /// SHA-256 digests that belong to the act, lower-case hexadecimal.
    pub digests: BTreeMap<String, String>,
    /// SHA-256 over a salt and longer detail that is kept beside the log, lower-case hexadecimal.
    /// When salt and detail are deleted, nothing is left of them but this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail_commit: Option<String>,
}

/// The part of an act that an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The act is about to be done, and is done only because this entry is safe.
    Intent,
    /// How an act whose intent was told has ended.
    Outcome,
    /// The act and its end at once.
    Event,
}

/// A number that belongs to an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// The number itself.
    Exact(u64),
    /// Some number of records below [`RECORDS_MIN`].
    Few,
}

impl Count {
    /// A number of records of people or enterprises: a band if there are few.
    pub fn of_records(number: u64) -> Self {
        if number < RECORDS_MIN {
            Self::Few
        } else {
            Self::Exact(number)
        }
    }

    const FEW: &str = "<10";
}

impl PartialEq<u64> for Count {
    fn eq(&self, other: &u64) -> bool {
        *self == Self::Exact(*other)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(number) => number.fmt(f),
            Self::Few => f.write_str(Self::FEW),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exact(number) => serializer.serialize_u64(*number),
            Self::Few => serializer.serialize_str(Self::FEW),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Text {
            Number(u64),
            Band(String),
        }
        match Text::deserialize(deserializer)? {
            Text::Number(number) => Ok(Self::Exact(number)),
            Text::Band(band) if band == Self::FEW => Ok(Self::Few),
            Text::Band(_) => Err(serde::de::Error::custom("unknown band")),
        }
    }
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
    /// The node was stopped between the intent and the outcome: it may have been done or not.
    Unknown,
}

impl Outcome {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// An event in its place in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [`VERSION`].
    pub v: u32,
    /// Number of the entry in its log, from 0.
    pub seq: u64,
    /// When it was written, by the clock of the node.
    pub time: EventTime,
    /// The node that wrote it: the origin of its log.
    pub node: String,
    /// The process that wrote it: a UUID drawn at its start.
    pub boot: String,
    /// Nanoseconds since that process started, by a clock that never goes backwards.
    pub mono_ns: u64,
    /// The act.
    #[serde(flatten)]
    pub event: Event,
}

/// Why an entry is not well-formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A field is empty, too long, or of the wrong form.
    #[error("the field {0} is not well-formed")]
    Field(&'static str),
    /// The entry is longer than [`ENTRY_BYTES_MAX`].
    #[error("the entry has {0} bytes; {ENTRY_BYTES_MAX} are possible")]
    TooLong(usize),
    /// The bytes are not the JSON of an entry.
    #[error("not an entry: {0}")]
    Json(String),
    /// The entry is of another version of the format.
    #[error("the entry has format version {0}; this program reads {VERSION}")]
    Version(u32),
    /// The bytes say the same as an entry, in another way.
    #[error("the entry is not written as the log writes it")]
    Spelling,
    /// An intent with a result, an outcome without its intent, or the like.
    #[error("phase, intent and result of the entry contradict each other")]
    Phase,
}

impl Entry {
    /// The bytes of the entry: one JSON object without a newline.
    ///
    /// # Errors
    /// [`EntryError`] if a field is not well-formed or the whole is too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        // Neither the maps, whose keys are strings, nor memory can fail to be written to.
        let bytes =
            serde_json::to_vec(self).map_err(|error| EntryError::Json(error.to_string()))?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads the bytes of an entry. Only the bytes that [`Entry::to_bytes`] writes are accepted: no
    /// other order, spacing, repeated or unknown field.
    ///
    /// # Errors
    /// [`EntryError`] says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong(bytes.len()));
        }
        let entry: Self =
            serde_json::from_slice(bytes).map_err(|error| EntryError::Json(error.to_string()))?;
        if entry.v != VERSION {
            return Err(EntryError::Version(entry.v));
        }
        if entry.to_bytes()? != bytes {
            return Err(EntryError::Spelling);
        }
        Ok(entry)
    }

    fn check(&self) -> Result<(), EntryError> {
        let Self {
            v: _,
            seq: _,
            time: _,
            node,
            boot,
            mono_ns: _,
            event,
        } = self;
        let Event {
            op,
            phase,
            intent,
            actor,
            action: _,
            object,
            project,
            result,
            reason,
            counts,
            digests,
            detail_commit,
        } = event;
        let is_told = match phase {
            Phase::Intent => intent.is_none() && result.is_none(),
            Phase::Outcome => intent.is_some() && result.is_some(),
            Phase::Event => intent.is_none() && result.is_some(),
        };
        if !is_told {
            return Err(EntryError::Phase);
        }
        let fields = [
            ("node", is_name(node)),
            ("boot", is_uuid(boot)),
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
            (
                "detail_commit",
                detail_commit.as_deref().is_none_or(is_digest),
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

    /// Whole seconds from `earlier` to this time, negative if it is later.
    pub fn seconds_after(&self, earlier: &Self) -> i64 {
        let second = |time: &Self| {
            let time: Result<jiff::Timestamp, _> = time.0.parse();
            // Both were parsed or written from a timestamp when they were made.
            time.map(|time| time.as_second()).unwrap_or_default()
        };
        second(self).saturating_sub(second(earlier))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(&self) -> i64 {
        let time: Result<jiff::Timestamp, _> = self.0.parse();
        time.map(|time| time.as_millisecond()).unwrap_or_default()
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
