//! A node's configuration: strict TOML in layers. Secrets are named by path, never written in it.
//!
//! Later layers win over earlier ones:
//!
//! 1. the defaults, which stand in the types of this module;
//! 2. the file, by default `/etc/linkage/<role>.toml`;
//! 3. `conf.d/*.toml` in the file's folder, in order of name;
//! 4. environment variables: `LINKAGE__LIMITS__DRAIN_TIMEOUT_S` is `limits.drain_timeout_s`;
//! 5. `--set key=value` of the command line.
//!
//! Tables that may be there several times, such as `[[peer]]`, add up; every other value replaces
//! the one before. The documentation of the types here is what `linkage config explain` shows: the
//! first paragraph says what a key means, the others why its default is what it is.

mod error;
mod keys;
mod layers;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use linkage_core::ids::PartyId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::error::{Complaint, Error};
pub use self::keys::{Key, Kind, catalogue};
pub use self::layers::{Entry, Loaded, Origin, Sources, VARIABLE_PREFIX};
use crate::dataset;
use crate::identity::{Identity, Role};
use crate::limits::Limits;
use crate::observe::log;
use crate::postgres::Postgres;
use crate::secret::{self, SecretRef};
use crate::tls::TlsFiles;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Holds records, encodes them, answers tables.
    Owner,
    /// Holds tokens, links them.
    Matcher,
}

/// A node's configuration. Relative paths are relative to the file's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the node does.
    pub role: NodeRole,
    /// The party that runs it.
    #[schemars(with = "String")]
    pub party: PartyId,
    /// The trust domain in every party's certificate.
    pub trust_domain: String,
    /// Address to listen on, `host:port`.
    pub listen: String,
    /// Folder of the node's own data; made if absent, readable by the node alone.
    pub data_dir: PathBuf,
    /// Certificate, key and authorities.
    pub tls: Tls,
    /// The credential under which the node's secrets are encrypted: `credential:NAME` for one that
    /// systemd hands to the service, or `file:PATH` for a file of mode 0600.
    ///
    /// Without it, whoever has the node's disk or its backup has no key. `linkage key credential`
    /// draws one, `linkage key seal` encrypts the node's keys under it.
    #[schemars(with = "String")]
    pub credential: SecretRef,
    /// File of the Ed25519 key that signs manifests, batches and the audit log, encrypted.
    pub signing_key: PathBuf,
    /// File of the X25519 key that opens sealed messages, encrypted; owners only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<PathBuf>,
    /// The audit log.
    #[serde(default, skip_serializing_if = "is_default")]
    pub audit: Audit,
    /// The nodes that this one talks with; owners only.
    #[serde(rename = "peer", default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
    /// The data sets that projects may use; owners only.
    #[serde(rename = "dataset", default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Dataset>,
    /// What the machine's own tools see of the node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub monitor: Monitor,
    /// What is logged.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log: Log,
    /// Bounds on connections, messages and time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
}

/// What the machine's own tools see of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// Address of `/livez`, `/readyz` and `/metrics`, `host:port`, on loopback.
    ///
    /// Without it nothing is shown, and `linkage node status` cannot ask. Loopback alone, because
    /// there is neither encryption nor permission: what collects metrics runs on the same machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or one for each target: `info,h2=warn`.
    ///
    /// `info`: a line for each change of the node's state and for each refusal. SIGHUP takes over a
    /// new level.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Settings of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Policy file (c2sp.org/tlog-policy): the logs and witnesses of all parties, and the quorum
    /// that must have cosigned. Without it the node neither cosigns nor is cosigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PathBuf>,
}

impl Audit {
    /// Settings with this policy file.
    pub fn with(policy: Option<PathBuf>) -> Self {
        Self { policy }
    }
}

/// TLS files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM: our certificate.
    pub cert: PathBuf,
    /// PEM: our private key.
    pub key: PathBuf,
    /// PEM: the authorities we accept.
    pub ca: PathBuf,
    /// PEM: their revocation lists. Without it nothing is ever revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<PathBuf>,
}

impl Tls {
    /// The same files, with relative paths taken from `folder`.
    pub fn files(&self, folder: &Path) -> TlsFiles {
        TlsFiles {
            cert: folder.join(&self.cert),
            key: folder.join(&self.key),
            ca: folder.join(&self.ca),
            crl: self.crl.as_ref().map(|crl| folder.join(crl)),
        }
    }
}

impl From<TlsFiles> for Tls {
    fn from(files: TlsFiles) -> Self {
        let TlsFiles { cert, key, ca, crl } = files;
        Self { cert, key, ca, crl }
    }
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its role.
    pub role: NodeRole,
    /// Its party.
    #[schemars(with = "String")]
    pub party: PartyId,
    /// Where it listens.
    pub address: String,
    /// Its Ed25519 public key in hexadecimal digits. Learnt out of band, so that a manifest cannot
    /// bring false ones; a matcher's verifies its receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// Its X25519 public key in hexadecimal digits; for owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<String>,
}

/// A source of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Name in commands.
    pub name: String,
    /// A CSV, Parquet or XLSX file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The sheet, of an XLSX workbook that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// A table or query of a PostgreSQL database, instead of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
}

impl Dataset {
    /// Where its records come from.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn origin(&self) -> Result<dataset::Origin, String> {
        let (sheet, postgres) = (self.sheet.as_deref(), self.postgres.as_ref());
        dataset::Origin::configured(self.path.as_deref(), sheet, postgres)
            .map_err(|message| format!("dataset \"{}\": {message}", self.name))
    }
}

/// The key of this full name.
///
/// # Errors
/// The name of the key that is most like it, if one is.
pub fn key(name: &str) -> Result<&'static Key, Option<&'static str>> {
    keys::find(name).ok_or_else(|| keys::nearest(name, keys::names().into_iter()))
}

impl Settings {
    /// Reads and checks a configuration file and its `conf.d`, without environment and command
    /// line.
    ///
    /// # Errors
    /// [`Error`], naming the file, the line where there is one, and what to do.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Loaded::load(&Sources::file(path))?.settings)
    }

    /// What the settings contradict each other in, with the key at fault.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if let Err(bad) = self.limits.check() {
            return Err((bad.key, bad.message));
        }
        if self.credential == SecretRef::Malformed {
            return Err(("credential", secret::Error::Malformed.to_string()));
        }
        if let Err(error) = log::parse(&self.log.level) {
            return Err(("log.level", error.to_string()));
        }
        if let Some(listen) = &self.monitor.listen {
            let address = listen.parse::<SocketAddr>();
            if !address.is_ok_and(|address| address.ip().is_loopback()) {
                let message = "must be an address on loopback, such as 127.0.0.1:7444".to_owned();
                return Err(("monitor.listen", message));
            }
        }
        match self.role {
            NodeRole::Matcher => self.check_matcher(),
            NodeRole::Owner => self.check_owner(),
        }
    }

    fn check_matcher(&self) -> Result<(), (&'static str, String)> {
        let refuse = |key, message: &str| Err((key, message.to_owned()));
        if !self.datasets.is_empty() {
            return refuse(
                "dataset",
                "a matcher must not have a [[dataset]]: it would hold identifiers beside tokens; \
                 run the owner on another node",
            );
        }
        if self.sealing_key.is_some() {
            return refuse(
                "sealing_key",
                "a matcher must not have a sealing_key: it could then open what owners send each \
                 other",
            );
        }
        Ok(())
    }

    fn check_owner(&self) -> Result<(), (&'static str, String)> {
        for dataset in &self.datasets {
            dataset.origin().map_err(|message| ("dataset", message))?;
        }
        if self.sealing_key.is_none() {
            return Err(("sealing_key", "an owner needs a sealing_key".to_owned()));
        }
        let matchers = self
            .peers
            .iter()
            .filter(|peer| peer.role == NodeRole::Matcher)
            .count();
        if matchers != 1 {
            let message =
                format!("an owner needs exactly one [[peer]] of role matcher, not {matchers}");
            return Err(("peer", message));
        }
        let owners = |peer: &&Peer| peer.role == NodeRole::Owner;
        for peer in self.peers.iter().filter(owners) {
            if peer.signing_key.is_none() || peer.sealing_key.is_none() {
                let message = format!("peer {} needs signing_key and sealing_key", peer.party);
                return Err(("peer", message));
            }
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        self.tls = self.tls.files(folder).into();
        self.credential.resolve(folder);
        let paths = [&mut self.data_dir, &mut self.signing_key];
        let optional = self.sealing_key.iter_mut().chain(&mut self.audit.policy);
        for path in paths
            .into_iter()
            .chain(optional)
            .chain(self.datasets.iter_mut().filter_map(|d| d.path.as_mut()))
        {
            *path = folder.join(&path);
        }
        for dataset in &mut self.datasets {
            if let Some(postgres) = &mut dataset.postgres {
                postgres.resolve(folder);
            }
        }
    }

    /// The TLS files.
    pub fn tls_files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.tls.cert.clone(),
            key: self.tls.key.clone(),
            ca: self.tls.ca.clone(),
            crl: self.tls.crl.clone(),
        }
    }

    /// The data set of this name.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.name == name)
    }

    /// The peer of this role and party.
    pub fn peer(&self, role: NodeRole, party: &PartyId) -> Option<&Peer> {
        self.peers
            .iter()
            .find(|peer| peer.role == role && peer.party == *party)
    }

    /// The only matcher peer.
    pub fn matcher(&self) -> Option<&Peer> {
        self.peers
            .iter()
            .find(|peer| peer.role == NodeRole::Matcher)
    }
}

impl std::fmt::Display for NodeRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl NodeRole {
    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Matcher => "matcher",
        }
    }

    /// The role in certificates.
    pub fn role(self) -> Role {
        match self {
            Self::Owner => Role::Owner,
            Self::Matcher => Role::Matcher,
        }
    }
}

impl Peer {
    /// The identity that the peer's certificate must bear.
    ///
    /// # Errors
    /// When the trust domain is not well-formed.
    pub fn identity(&self, trust_domain: &str) -> Result<Identity, crate::identity::IdentityFault> {
        Identity::new(trust_domain, self.role.role(), self.party.as_str())
    }
}
