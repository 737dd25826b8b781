//! A node's configuration: one strict TOML file. Secrets are named by path, never written in it.

use std::path::{Path, PathBuf};

use linkage_core::ids::PartyId;
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, Role};
use crate::sealed::Reference;
use crate::tls::TlsFiles;

/// Largest configuration file, in bytes; far beyond 60 peers.
const BYTES_MAX: u64 = 1 << 20;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, or a key that no configuration has; the message names line and column.
    #[error("the configuration {path} is not acceptable: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong.
        message: String,
    },
    /// The settings contradict each other.
    #[error("the configuration {path} is not acceptable: {message}")]
    Meaning {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Holds records, encodes them, answers tables.
    Owner,
    /// Holds tokens, links them.
    Matcher,
}

/// A node's configuration. Relative paths are relative to the file's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the node does.
    pub role: NodeRole,
    /// The party that runs it.
    pub party: PartyId,
    /// The trust domain in every party's certificate.
    pub trust_domain: String,
    /// Address to listen on, `host:port`.
    pub listen: String,
    /// Folder of the node's own data; made if absent, readable by the node alone.
    pub data_dir: PathBuf,
    /// Certificate, key and authorities.
    pub tls: Tls,
    /// Where the credential is under which the node's secrets are encrypted: `credential:NAME` or
    /// `file:PATH`. Text, so that a secret put here by mistake is refused without being shown.
    pub credential: String,
    /// File of the Ed25519 key that signs manifests, batches and the audit log, encrypted.
    pub signing_key: PathBuf,
    /// File of the X25519 key that opens sealed messages, encrypted; owners only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<PathBuf>,
    /// The nodes that this one talks with; owners only.
    #[serde(rename = "peer", default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Peer>,
    /// The data sets that projects may use; owners only.
    #[serde(rename = "dataset", default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Dataset>,
}

/// TLS files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM: our certificate.
    pub cert: PathBuf,
    /// PEM: our private key.
    pub key: PathBuf,
    /// PEM: the authorities we accept.
    pub ca: PathBuf,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its role.
    pub role: NodeRole,
    /// Its party.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Name in commands.
    pub name: String,
    /// A CSV file.
    pub path: PathBuf,
}

impl Settings {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`Error`], naming the file, the line where there is one, and what to do.
    pub fn read(path: &Path) -> Result<Self, Error> {
        use std::io::Read;
        let io = |source| Error::Io {
            path: path.into(),
            source,
        };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(io)?;
        let mut settings: Self = toml::from_str(&text).map_err(|error| Error::Syntax {
            path: path.into(),
            message: error.to_string(),
        })?;
        settings.check().map_err(|message| Error::Meaning {
            path: path.into(),
            message,
        })?;
        settings.resolve(path.parent().unwrap_or(Path::new(".")));
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        self.credential
            .parse::<Reference>()
            .map_err(|error| error.to_string())?;
        if self.role == NodeRole::Matcher {
            if !self.datasets.is_empty() {
                return Err(
                    "a matcher must not have a [[dataset]]: it would hold identifiers \
                            beside tokens; run the owner on another node"
                        .to_owned(),
                );
            }
            if self.sealing_key.is_some() {
                return Err(
                    "a matcher must not have a sealing_key: it could then open what owners \
                            send each other"
                        .to_owned(),
                );
            }
            return Ok(());
        }
        if self.sealing_key.is_none() {
            return Err("an owner needs a sealing_key".to_owned());
        }
        let matchers = self
            .peers
            .iter()
            .filter(|peer| peer.role == NodeRole::Matcher)
            .count();
        if matchers != 1 {
            return Err(format!(
                "an owner needs exactly one [[peer]] of role matcher, not {matchers}"
            ));
        }
        for peer in self
            .peers
            .iter()
            .filter(|peer| peer.role == NodeRole::Owner)
        {
            if peer.signing_key.is_none() || peer.sealing_key.is_none() {
                return Err(format!(
                    "peer {} needs signing_key and sealing_key",
                    peer.party
                ));
            }
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        if let Ok(reference) = self.credential.parse::<Reference>() {
            self.credential = reference.within(folder).to_string();
        }
        let tls = &mut self.tls;
        let paths = [
            &mut self.data_dir,
            &mut self.signing_key,
            &mut tls.cert,
            &mut tls.key,
            &mut tls.ca,
        ];
        let optional = self.sealing_key.iter_mut();
        for path in paths
            .into_iter()
            .chain(optional)
            .chain(self.datasets.iter_mut().map(|d| &mut d.path))
        {
            *path = folder.join(&path);
        }
    }

    /// The TLS files.
    pub fn tls_files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.tls.cert.clone(),
            key: self.tls.key.clone(),
            ca: self.tls.ca.clone(),
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

impl NodeRole {
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

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = r#"
role = "owner"
party = "health"
trust_domain = "linkage.test"
listen = "127.0.0.1:0"
data_dir = "data"
credential = "file:credential"
signing_key = "signing.key"
sealing_key = "sealing.key"
tls = { cert = "cert.pem", key = "key.pem", ca = "ca.pem" }
[[peer]]
role = "matcher"
party = "matcher"
address = "127.0.0.1:1"
[[dataset]]
name = "people"
path = "/data/people.csv"
"#;

    fn read(text: &str) -> Result<Settings, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        let settings = Settings::read(&path)?;
        assert_eq!(settings.data_dir, dir.path().join("data"));
        Ok(settings)
    }

    #[test]
    fn reads_paths_relative_to_the_file() {
        let settings = read(OWNER).unwrap();
        assert_eq!(
            settings.dataset("people").unwrap().path,
            Path::new("/data/people.csv")
        );
        assert!(settings.matcher().is_some());
    }

    #[test]
    fn a_secret_in_the_place_of_its_reference_is_refused_and_not_shown() {
        let secret = "0123456789abcdef0123456789abcdef";
        let message = read(&OWNER.replace("file:credential", secret))
            .unwrap_err()
            .to_string();
        assert!(message.contains("credential:NAME"), "{message}");
        assert!(!message.contains(secret), "{message}");
    }

    #[test]
    fn a_matcher_refuses_plaintext_sources_and_keys() {
        let matcher = OWNER.replacen("\"owner\"", "\"matcher\"", 1);
        assert!(
            read(&matcher)
                .unwrap_err()
                .to_string()
                .contains("[[dataset]]")
        );
        let (head, _) = matcher.split_once("[[dataset]]").unwrap();
        assert!(read(head).unwrap_err().to_string().contains("sealing_key"));
        assert!(read(&head.replace("sealing_key = \"sealing.key\"\n", "")).is_ok());
    }

    #[test]
    fn unknown_keys_are_refused_with_their_line() {
        let message = read(&OWNER.replace("party = \"health\"", "party = \"health\"\ncolour = 1"))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("line 4") && message.contains("colour"),
            "{message}"
        );
    }
}
