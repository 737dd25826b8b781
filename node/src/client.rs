//! A person's side: an operator of an owner, or an analyst, calling nodes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkage_core::disclosure::epsilon::Epsilon;
use linkage_core::disclosure::release::{Axis, NoisedTable, Policy, ReleasedTable};
use linkage_core::extract::catalogue::{Catalogue, CatalogueEntry};
use linkage_core::extract::{DimensionRef, ExtractRequest};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::schema::{Entity, UnknownEntity};
use linkage_oblivious::context::RunId;
use linkage_oblivious::params::TableShape;
use linkage_oblivious::shares::{MaskShare, PhaseShare, combine};
use linkage_proto::v1;
use linkage_proto::v1::answer_reply::Share;
use linkage_proto::v1::extracts_client::ExtractsClient;
use linkage_proto::v1::operations_client::OperationsClient;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::connect::{ConnectError, Target, connect};
use crate::fault::Chain;
use crate::identity::{Identity, Role};
use crate::limits::Limits;
use crate::observe::operation::OPERATION_METADATA;
use crate::settings::Tls;
use crate::tls;

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

/// A released table and what it took.
pub struct Extract {
    /// The table.
    pub table: ReleasedTable,
    /// The request.
    pub request: ExtractRequest,
    /// Bytes that the owners exchanged.
    pub bytes_between_owners: u64,
    /// Positions over which was counted.
    pub positions: u32,
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

    /// Asks two owners for a cross-table and puts their shares together.
    ///
    /// # Errors
    /// [`Error::Request`] pointing at the word at fault, or what a node refused.
    pub async fn extract(&self, project: &ProjectId, sql: &str) -> Result<Extract, Error> {
        let mut entries = Vec::new();
        let mut population = Entity::Persons;
        let mut policies = Vec::new();
        for owner in &self.settings.owners {
            let request = v1::CatalogueRequest {
                project: project.as_bytes().to_vec().into(),
            };
            let mut client = self.extracts(&owner.party).await?;
            let reply = client.catalogue(request).await;
            let reply = reply
                .map_err(|status| refused(&owner.party, &status))?
                .into_inner();
            population = reply
                .population
                .parse()
                .map_err(|error: UnknownEntity| Error::Answer(error.to_string()))?;
            policies.push((owner.party.clone(), policy(&reply)?));
            entries.extend(
                reply
                    .attributes
                    .into_iter()
                    .map(|attribute| CatalogueEntry {
                        party: owner.party.to_string(),
                        attribute: attribute.name,
                        title: Some(attribute.title).filter(|title| !title.is_empty()),
                        values: attribute.values,
                    }),
            );
        }
        let catalogue = Catalogue::new(population, entries)
            .map_err(|error| Error::Request(error.to_string()))?;
        let request =
            ExtractRequest::parse(sql, &catalogue).map_err(|e| Error::Request(e.render()))?;
        let axis = |dimension: &DimensionRef| -> Result<(PartyId, Axis), Error> {
            let unknown = || Error::Answer("the request names an unknown attribute".to_owned());
            let entry = catalogue
                .entry(&dimension.party, &dimension.attribute)
                .ok_or_else(unknown)?;
            let party = dimension.party.parse().map_err(|_| unknown())?;
            let owner = dimension.party.clone();
            let name = entry
                .title
                .clone()
                .unwrap_or_else(|| dimension.attribute.clone());
            Ok((
                party,
                Axis {
                    owner,
                    name,
                    labels: entry.values.clone(),
                },
            ))
        };
        let ((row_party, row), (column_party, column)) =
            (axis(request.row())?, axis(request.column())?);
        let policy = agreed_policy(&policies, &row_party, &column_party)?;

        let name = crate::entropy::name()?;
        let canonical = request.canonical();
        let (first, second) = tokio::try_join!(
            self.answer(&row_party, project, &canonical, name),
            self.answer(&column_party, project, &canonical, name),
        )?;
        let bytes_between_owners = first.bytes_sent + first.bytes_received;
        let positions = first.positions;
        let cells = put_together(name, &row, &column, first, second)?;
        let noised = NoisedTable::new(row, column, cells)
            .map_err(|error| Error::Answer(error.to_string()))?;
        Ok(Extract {
            table: noised.release(&policy),
            request,
            bytes_between_owners,
            positions,
        })
    }

    async fn answer(
        &self,
        party: &PartyId,
        project: &ProjectId,
        sql: &str,
        name: [u8; 16],
    ) -> Result<v1::AnswerReply, Error> {
        let request = v1::AnswerRequest {
            project: project.as_bytes().to_vec().into(),
            sql: sql.to_owned(),
            request: name.to_vec().into(),
        };
        let reply = self.extracts(party).await?.answer(request).await;
        Ok(reply
            .map_err(|status| refused(party, &status))?
            .into_inner())
    }
}

fn policy(reply: &v1::CatalogueReply) -> Result<Policy, Error> {
    let epsilon: Epsilon = reply
        .epsilon_per_table
        .parse()
        .map_err(|_| Error::Answer("an owner names no usable epsilon".to_owned()))?;
    Ok(Policy {
        k: reply.threshold_k,
        epsilon_per_owner: epsilon,
    })
}

/// The policy of the two owners, which must be one: both hold the same manifest.
fn agreed_policy(
    policies: &[(PartyId, Policy)],
    row: &PartyId,
    column: &PartyId,
) -> Result<Policy, Error> {
    let of = |party: &PartyId| {
        policies
            .iter()
            .find(|(p, _)| p == party)
            .map(|(_, policy)| policy)
    };
    match (of(row), of(column)) {
        (Some(a), Some(b)) if a.k == b.k && a.epsilon_per_owner == b.epsilon_per_owner => Ok(*a),
        _ => Err(Error::Answer(
            "the two owners name different rules for tables".to_owned(),
        )),
    }
}

fn put_together(
    name: [u8; 16],
    row: &Axis,
    column: &Axis,
    first: v1::AnswerReply,
    second: v1::AnswerReply,
) -> Result<Vec<i64>, Error> {
    let misfit = |message: &str| Error::Answer(message.to_owned());
    if first.transposed != second.transposed || first.positions != second.positions {
        return Err(misfit("the owners' tables have different shapes"));
    }
    let size = |axis: &Axis| u16::try_from(axis.labels.len()).unwrap_or(u16::MAX);
    let (rows, columns) = if first.transposed {
        (size(column), size(row))
    } else {
        (size(row), size(column))
    };
    let shape = TableShape::new(first.positions, rows, columns)
        .map_err(|error| Error::Answer(error.to_string()))?;
    let (phase, mask) = match (first.share, second.share) {
        (Some(Share::PhaseShare(phase)), Some(Share::MaskShare(mask)))
        | (Some(Share::MaskShare(mask)), Some(Share::PhaseShare(phase))) => (phase, mask),
        _ => return Err(misfit("the owners did not give one share of each kind")),
    };
    let run = RunId::new(name);
    let bad = |error: &(dyn std::error::Error + 'static)| Error::Answer(Chain(error).to_string());
    let phase = PhaseShare::decode(&phase, run, shape).map_err(|error| bad(&error))?;
    let mask = MaskShare::decode(&mask, run, shape).map_err(|error| bad(&error))?;
    let cells = combine(&phase, &mask).map_err(|error| bad(&error))?;
    if !first.transposed {
        return Ok(cells);
    }
    let (rows, columns) = (usize::from(rows), usize::from(columns));
    let turned = (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c));
    Ok(turned.filter_map(|at| cells.get(at).copied()).collect())
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
