//! A person's side: an operator of an owner, or an analyst, calling nodes.

mod extract;
mod plan;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkage_core::ids::PartyId;
use linkage_proto::v1;
use linkage_proto::v1::extracts_client::ExtractsClient;
use linkage_proto::v1::operations_client::OperationsClient;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::connect::{ConnectError, Target, connect};
use crate::identity::{Identity, Role};
use crate::limits::Limits;
use crate::observe::operation::OPERATION_METADATA;
use crate::settings::Tls;
use crate::tls;

pub use extract::{Extract, Offer, Offered};
pub use plan::{Duty, Plan, Share};

/// Why a call to a node did not succeed, in words for the person who made it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration.
    #[error("the configuration {path} is not acceptable: {message}")]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The certificate or key.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The node cannot be reached.
    #[error("{party} cannot be reached")]
    Connect {
        /// The node's party.
        party: PartyId,
        /// At which step, and why.
        #[source]
        source: ConnectError,
    },
    /// The node refused or failed.
    #[error("{party} answered: {message} [{reason}]{}", in_operation(op.as_deref()))]
    Refused {
        /// The node's party.
        party: PartyId,
        /// Its words.
        message: String,
        /// Its stable reason code.
        reason: String,
        /// The operation's id, under which its logs tell more.
        op: Option<String>,
    },
    /// The request text is refused.
    #[error("the request cannot be answered:\n{0}")]
    Request(String),
    /// The nodes' answers do not fit together.
    #[error("the answers do not fit together: {0}")]
    Answer(String),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::NoEntropy),
}

/// An operator's or analyst's configuration. Relative paths are relative to the file's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The trust domain.
    pub trust_domain: String,
    /// Certificate, key and authorities of the person.
    pub tls: Tls,
    /// The owners' nodes; an operator names the own one only.
    #[serde(rename = "owner")]
    pub owners: Vec<OwnerNode>,
}

/// Where an owner's node listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerNode {
    /// The owner.
    pub party: PartyId,
    /// `host:port`.
    pub address: String,
}

/// A person with a certificate.
pub struct Client {
    settings: ClientSettings,
    tls: Arc<ClientConfig>,
    limits: Limits,
}

impl Client {
    /// A person by a configuration file.
    ///
    /// # Errors
    /// [`Error::Settings`] or [`Error::Tls`], naming the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |message: String| Error::Settings {
            path: path.into(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let mut settings: ClientSettings =
            toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let files = settings.tls.files(folder);
        let tls = tls::client_config(&files)?;
        settings.tls = files.into();
        Ok(Self {
            settings,
            tls,
            limits: Limits::default(),
        })
    }

    /// The owners' nodes that are configured.
    pub fn owners(&self) -> impl Iterator<Item = &PartyId> {
        self.settings.owners.iter().map(|owner| &owner.party)
    }

    /// Calls to the operator's own node: the only one configured.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn operations(&self) -> Result<(PartyId, OperationsClient<Channel>), Error> {
        let none = || Error::Answer("the configuration names no owner's node".to_owned());
        let owner = self.settings.owners.first().ok_or_else(none)?;
        let client = OperationsClient::new(self.channel(owner).await?);
        Ok((owner.party.clone(), client))
    }

    async fn extracts(&self, party: &PartyId) -> Result<ExtractsClient<Channel>, Error> {
        let owner = self
            .settings
            .owners
            .iter()
            .find(|owner| owner.party == *party);
        let owner = owner.ok_or_else(|| {
            Error::Answer(format!(
                "the configuration does not say where {party}'s node listens"
            ))
        })?;
        Ok(ExtractsClient::new(self.channel(owner).await?))
    }

    async fn channel(&self, owner: &OwnerNode) -> Result<Channel, Error> {
        let connect_error = |source| Error::Connect {
            party: owner.party.clone(),
            source,
        };
        let identity = Identity::new(
            &self.settings.trust_domain,
            Role::Owner,
            owner.party.as_str(),
        )
        .map_err(|fault| Error::Answer(fault.to_string()))?;
        let target = Target::new(&owner.address, identity).map_err(connect_error)?;
        connect(target, Arc::clone(&self.tls), &self.limits)
            .await
            .map_err(connect_error)
    }
}

/// A node's refusal in words.
pub fn refused(party: &PartyId, status: &Status) -> Error {
    if let Some(source) = ConnectError::in_chain(status) {
        return Error::Connect {
            party: party.clone(),
            source: source.clone(),
        };
    }
    let reason = status.metadata().get(crate::authz::REASON_METADATA);
    let reason = reason
        .and_then(|reason| reason.to_str().ok())
        .unwrap_or("unknown");
    let op = operation_of(status);
    let message = match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    };
    Error::Refused {
        party: party.clone(),
        message,
        reason: reason.to_owned(),
        op,
    }
}

/// The id of the operation that a status came from.
pub fn operation_of(status: &Status) -> Option<String> {
    let op = status.metadata().get(OPERATION_METADATA)?;
    // What another node sends is shown to people: nothing but an id passes.
    Some(Uuid::try_parse(op.to_str().ok()?).ok()?.to_string())
}

fn in_operation(op: Option<&str>) -> String {
    op.map(|op| format!(" (operation {op})"))
        .unwrap_or_default()
}

/// Follows a long act to its end: `show` is told each step, the result is returned.
///
/// # Errors
/// What the node refused or failed with.
pub async fn follow(
    party: &PartyId,
    stream: Result<tonic::Response<Streaming<v1::Progress>>, Status>,
    show: &mut (dyn FnMut(&v1::Progress) + Send),
) -> Result<serde_json::Value, Error> {
    let mut stream = stream
        .map_err(|status| refused(party, &status))?
        .into_inner();
    let mut result = Vec::new();
    while let Some(progress) = stream
        .message()
        .await
        .map_err(|status| refused(party, &status))?
    {
        show(&progress);
        result.extend_from_slice(&progress.result_part);
    }
    if result.is_empty() {
        return Err(Error::Answer(format!("{party} ended without a result")));
    }
    serde_json::from_slice(&result)
        .map_err(|_| Error::Answer("the node's result is not readable".to_owned()))
}
