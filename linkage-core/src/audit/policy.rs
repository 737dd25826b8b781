//! Whom to believe: logs, witnesses and how many of them (c2sp.org/tlog-policy).
//!
//! ```text
//! log linkage/linkage.example/health/owner/6a09e667f3bcc908+0ec0a4ae+AVvK…
//! witness tax linkage/linkage.example/tax/owner/witness+b5c0fbcf+BCa8…
//! witness matcher linkage/linkage.example/m/matcher/witness+e9b5dba5+BJvn…
//! group others any tax matcher
//! quorum others
//! ```

use std::collections::HashSet;
use std::str::FromStr;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{Algorithm, Note, NoteError, Signed, VerifyingKey};

/// Most lines of a policy that mean something; the specification asks for 32 of each kind.
const DEFINITIONS_MAX: usize = 1024;

/// A policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifyingKey>,
    members: Vec<Member>,
    /// Index into `members`; `None` is `quorum none`.
    quorum: Option<usize>,
}

/// What a name of the policy stands for. A group refers to members before it only.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    kind: MemberKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum MemberKind {
    Witness(VerifyingKey),
    Group { least: usize, members: Vec<usize> },
}

/// Why a policy file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {fault}")]
pub struct PolicyError {
    /// The line, from 1; after the last if something is missing.
    pub line: usize,
    /// What is wrong.
    pub fault: PolicyFault,
}

/// What can be wrong with a policy file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// Not one of the lines that a policy has.
    #[error("expected `log`, `witness`, `group` or `quorum` and its items")]
    Line,
    /// A control character, or more definitions than are read.
    #[error("a control character, or more than {DEFINITIONS_MAX} definitions")]
    Text,
    /// Not a verifier key.
    #[error("{0}")]
    Key(NoteError),
    /// A log has a witness's kind of key, or the reverse.
    #[error("the key is of the wrong type: a log's is 1 (Ed25519), a witness's 4 (cosignature/v1)")]
    KeyType,
    /// Two lines have the same public key.
    #[error("the key stands in an earlier line")]
    KeyTwice,
    /// The name is taken, or reserved.
    #[error("the name {0} is defined already")]
    NameTwice(String),
    /// The name is defined nowhere above.
    #[error("the name {0} is not defined above")]
    Unknown(String),
    /// A name is a member twice.
    #[error("{0} is a member of a group already")]
    MemberTwice(String),
    /// A threshold below one or above the number of members.
    #[error("a group needs 1 to all of its members")]
    Threshold,
    /// No `quorum` line, or a second one.
    #[error("a policy has exactly one `quorum` line")]
    Quorum,
}

/// A checkpoint that a policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Witnesses whose cosignatures hold: their names in the policy, and the times they state in
    /// seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
    /// The newest moment since which the quorum holds; `None` if the policy asks for none.
    pub since: Option<u64>,
}

/// Why a policy does not accept a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unaccepted {
    /// No log of the policy has this origin.
    #[error("the checkpoint is of a log that the policy does not name")]
    Log,
    /// The log's own signature, or the text.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Cosignatures of too few witnesses.
    #[error("too few witnesses have cosigned the checkpoint")]
    Quorum,
}

impl Policy {
    /// The logs it names.
    pub fn logs(&self) -> &[VerifyingKey] {
        &self.logs
    }

    /// The log of this origin.
    pub fn log(&self, origin: &str) -> Option<&VerifyingKey> {
        self.logs.iter().find(|key| key.name() == origin)
    }

    /// The witnesses it names, with their names in the file.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &VerifyingKey)> {
        self.members.iter().filter_map(|member| match &member.kind {
            MemberKind::Witness(key) => Some((member.name.as_str(), key)),
            MemberKind::Group { .. } => None,
        })
    }

    /// Whether it asks for cosignatures at all.
    pub fn has_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    /// Accepts a checkpoint of one of the policy's logs that a quorum of witnesses has cosigned.
    ///
    /// # Errors
    /// [`Unaccepted`] says what is missing.
    pub fn accept(&self, note: &Note) -> Result<Witnessed, Unaccepted> {
        let origin = Checkpoint::parse(note.text())?.origin;
        let key = self.log(&origin).ok_or(Unaccepted::Log)?;
        let checkpoint = Checkpoint::open(note, key)?;
        let cosigned = self.cosigned(note);
        let since = self.since(&cosigned).ok_or(Unaccepted::Quorum)?;
        Ok(Witnessed {
            checkpoint,
            cosigned,
            since,
        })
    }

    /// The witnesses whose cosignatures on `note` hold. One that does not hold counts as absent:
    /// whoever carries a note can add lines to it.
    pub fn cosigned(&self, note: &Note) -> Vec<(String, u64)> {
        let hold = |(name, key): (&str, &VerifyingKey)| match note.verify(key) {
            Ok(Signed::ByWitness(seconds)) => Some((name.to_owned(), seconds)),
            _ => None,
        };
        self.witnesses().filter_map(hold).collect()
    }

    /// Since when the quorum holds by these witnesses: outer `None` if it does not, inner if the
    /// policy asks for none.
    pub fn since(&self, cosigned: &[(String, u64)]) -> Option<Option<u64>> {
        let Some(quorum) = self.quorum else {
            return Some(None);
        };
        let mut times: Vec<u64> = cosigned.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        let is_met = |from: &u64| {
            let names = cosigned.iter().filter(|(_, time)| time >= from);
            self.is_met(quorum, &names.map(|(name, _)| name.as_str()).collect())
        };
        times.into_iter().rev().find(is_met).map(Some)
    }

    fn is_met(&self, member: usize, names: &HashSet<&str>) -> bool {
        let Some(member) = self.members.get(member) else {
            return false;
        };
        match &member.kind {
            MemberKind::Witness(_) => names.contains(member.name.as_str()),
            MemberKind::Group { least, members } => {
                let met = members.iter().filter(|member| self.is_met(**member, names));
                met.count() >= *least
            }
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let mut reading = Reading::default();
        let mut last = 0;
        for (line, content) in (1..).zip(text.split('\n')) {
            last = line;
            reading
                .line(content)
                .map_err(|fault| PolicyError { line, fault })?;
        }
        let quorum = reading.quorum.ok_or(PolicyError {
            line: last,
            fault: PolicyFault::Quorum,
        })?;
        Ok(Self {
            logs: reading.logs,
            members: reading.members,
            quorum,
        })
    }
}

#[derive(Default)]
struct Reading {
    logs: Vec<VerifyingKey>,
    members: Vec<Member>,
    /// Members that stand in a group.
    placed: HashSet<usize>,
    /// Public keys so far, of logs and of witnesses.
    log_keys: HashSet<[u8; 32]>,
    witness_keys: HashSet<[u8; 32]>,
    quorum: Option<Option<usize>>,
}

impl Reading {
    fn line(&mut self, content: &str) -> Result<(), PolicyFault> {
        if content.chars().any(|c| c.is_ascii_control() && c != '\t')
            || self.logs.len() + self.members.len() > DEFINITIONS_MAX
        {
            return Err(PolicyFault::Text);
        }
        let items: Vec<&str> = content
            .split([' ', '\t'])
            .filter(|item| !item.is_empty())
            .collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, least, members @ ..] if !members.is_empty() => {
                self.group(name, least, members)
            }
            ["quorum", name] => self.set_quorum(name),
            _ => Err(PolicyFault::Line),
        }
    }

    fn log(&mut self, key: &str) -> Result<(), PolicyFault> {
        let key = read_key(key, Algorithm::Ed25519)?;
        if !self.log_keys.insert(*key.public()) {
            return Err(PolicyFault::KeyTwice);
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), PolicyFault> {
        let key = read_key(key, Algorithm::CosignatureV1)?;
        if !self.witness_keys.insert(*key.public()) {
            return Err(PolicyFault::KeyTwice);
        }
        self.define(name, MemberKind::Witness(key))
    }

    fn group(&mut self, name: &str, least: &str, names: &[&str]) -> Result<(), PolicyFault> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let member = self.find(name)?;
            if !self.placed.insert(member) {
                return Err(PolicyFault::MemberTwice((*name).to_owned()));
            }
            members.push(member);
        }
        let least = match least {
            "all" => members.len(),
            "any" => 1,
            number => number.parse().map_err(|_| PolicyFault::Threshold)?,
        };
        if !(1..=members.len()).contains(&least) {
            return Err(PolicyFault::Threshold);
        }
        self.define(name, MemberKind::Group { least, members })
    }

    fn set_quorum(&mut self, name: &str) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::Quorum);
        }
        self.quorum = Some(match name {
            "none" => None,
            name => Some(self.find(name)?),
        });
        Ok(())
    }

    fn define(&mut self, name: &str, kind: MemberKind) -> Result<(), PolicyFault> {
        if name == "none" || self.find(name).is_ok() {
            return Err(PolicyFault::NameTwice(name.to_owned()));
        }
        let name = name.to_owned();
        self.members.push(Member { name, kind });
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize, PolicyFault> {
        let mut members = self.members.iter();
        let found = members.position(|member| member.name == name);
        found.ok_or_else(|| PolicyFault::Unknown(name.to_owned()))
    }
}

fn read_key(text: &str, algorithm: Algorithm) -> Result<VerifyingKey, PolicyFault> {
    let key: VerifyingKey = text.parse().map_err(PolicyFault::Key)?;
    if key.algorithm() == algorithm {
        Ok(key)
    } else {
        Err(PolicyFault::KeyType)
    }
}
