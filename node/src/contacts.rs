//! The nodes that a configuration names, and a look at whether each can be reached.

use std::path::{Path, PathBuf};

use linkage_core::ids::PartyId;

use crate::client::ClientSettings;
use crate::connect::{ConnectError, Seen, Target, probe};
use crate::identity::{Identity, IdentityFault};
use crate::limits::Limits;
use crate::settings::{self, NodeRole, Settings};
use crate::tls::{self, TlsError, TlsFiles};

/// Why contacts cannot be read or tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node's configuration.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// A person's configuration.
    #[error("the configuration {path} is not acceptable: {message}")]
    Person {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The trust domain.
    #[error("the configuration's trust domain cannot stand in an identity")]
    TrustDomain(#[from] IdentityFault),
    /// The own certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A node that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// What it does.
    pub role: NodeRole,
    /// The party that runs it.
    pub party: PartyId,
    /// `host:port`.
    pub address: String,
}

/// The nodes that a configuration names.
#[derive(Debug, Clone)]
pub struct Contacts {
    trust_domain: String,
    tls: TlsFiles,
    nodes: Vec<Contact>,
}

impl Contacts {
    /// Reads a node's configuration, or that of an operator or analyst.
    ///
    /// # Errors
    /// [`Error`], naming the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |message: String| Error::Person {
            path: path.into(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        // Only a node has a role.
        let is_node = text
            .parse::<toml::Table>()
            .is_ok_and(|table| table.contains_key("role"));
        if is_node {
            return Ok(Self::of_node(&Settings::read(path)?));
        }
        let settings: ClientSettings =
            toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let nodes = settings.owners.into_iter().map(|owner| Contact {
            role: NodeRole::Owner,
            party: owner.party,
            address: owner.address,
        });
        Ok(Self {
            trust_domain: settings.trust_domain,
            tls: settings.tls.files(path.parent().unwrap_or(Path::new("."))),
            nodes: nodes.collect(),
        })
    }

    fn of_node(settings: &Settings) -> Self {
        let nodes = settings.peers.iter().map(|peer| Contact {
            role: peer.role,
            party: peer.party.clone(),
            address: peer.address.clone(),
        });
        Self {
            trust_domain: settings.trust_domain.clone(),
            tls: settings.tls_files(),
            nodes: nodes.collect(),
        }
    }

    /// The nodes, in the order of the configuration.
    pub fn nodes(&self) -> &[Contact] {
        &self.nodes
    }

    /// Connects to a node once, as a call would, and closes.
    ///
    /// # Errors
    /// [`Error`] for what is wrong on this side before anything is tried; inside, why the
    /// connection failed.
    pub async fn test(&self, contact: &Contact) -> Result<Result<Seen, ConnectError>, Error> {
        let config = tls::client_config(&self.tls)?;
        let role = contact.role.role();
        let identity = Identity::new(&self.trust_domain, role, contact.party.as_str())?;
        Ok(match Target::new(&contact.address, identity) {
            Ok(target) => probe(target, config, &Limits::default()).await,
            Err(error) => Err(error),
        })
    }
}
