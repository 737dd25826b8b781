//! Calls to other nodes.

use linkage_core::ids::PartyId;
use linkage_proto::v1::asks_client::AsksClient;
use linkage_proto::v1::mailbox_client::MailboxClient;
use linkage_proto::v1::projects_client::ProjectsClient;
use linkage_proto::v1::runs_client::RunsClient;
use linkage_proto::v1::tables_client::TablesClient;
use linkage_proto::v1::uploads_client::UploadsClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::Owner;
use crate::authz::REASON_METADATA;
use crate::client::operation_of;
use crate::connect::{ConnectError, Target, connect};
use crate::fault::{Chain, Fault};
use crate::settings::{NodeRole, Peer};

impl Owner {
    pub(super) async fn projects(&self) -> Result<ProjectsClient<Channel>, Fault> {
        Ok(ProjectsClient::new(self.matcher_channel().await?))
    }

    pub(super) async fn mailbox(&self) -> Result<MailboxClient<Channel>, Fault> {
        Ok(MailboxClient::new(self.matcher_channel().await?))
    }

    pub(super) async fn asks(&self) -> Result<AsksClient<Channel>, Fault> {
        let limit = self.limits.message_bytes_max;
        Ok(AsksClient::new(self.matcher_channel().await?).max_decoding_message_size(limit))
    }

    pub(super) async fn uploads(&self) -> Result<UploadsClient<Channel>, Fault> {
        let limit = self.limits.message_bytes_max;
        let client = UploadsClient::new(self.matcher_channel().await?);
        Ok(client
            .max_encoding_message_size(limit)
            .max_decoding_message_size(limit))
    }

    pub(super) async fn runs(&self) -> Result<RunsClient<Channel>, Fault> {
        let limit = self.limits.message_bytes_max;
        Ok(RunsClient::new(self.matcher_channel().await?).max_decoding_message_size(limit))
    }

    pub(super) async fn tables(&self, party: &PartyId) -> Result<TablesClient<Channel>, Fault> {
        let peer = self.settings.peer(NodeRole::Owner, party).ok_or_else(|| {
            Fault::state(
                "peer.unknown",
                format!("owner {party} is no [[peer]] of this node"),
            )
        })?;
        let limit = self.limits.message_bytes_max;
        let client = TablesClient::new(self.channel(peer).await?);
        Ok(client
            .max_encoding_message_size(limit)
            .max_decoding_message_size(limit))
    }

    async fn matcher_channel(&self) -> Result<Channel, Fault> {
        let matcher = self.settings.matcher();
        let matcher =
            matcher.ok_or_else(|| Fault::state("peer.unknown", "no matcher is configured"))?;
        self.channel(matcher).await
    }

    async fn channel(&self, peer: &Peer) -> Result<Channel, Fault> {
        let misnamed = |error: &(dyn std::error::Error + 'static)| {
            let message = format!("{} cannot be reached: {}", peer.party, Chain(error));
            Fault::state("peer.unreachable", message)
        };
        let identity = peer
            .identity(&self.settings.trust_domain)
            .map_err(|e| misnamed(&e))?;
        let target = Target::new(&peer.address, identity).map_err(|e| misnamed(&e))?;
        connect(target, self.credentials.client(), &self.limits)
            .await
            .map_err(|error| unreachable(&peer.party, &error))
    }
}

/// No connection: for now, or until somebody does something about certificates or addresses.
fn unreachable(who: &dyn std::fmt::Display, error: &ConnectError) -> Fault {
    let code = match error {
        ConnectError::Unreachable { .. }
        | ConnectError::Timeout { .. }
        | ConnectError::Closed { .. }
        | ConnectError::Http2 { .. } => Code::Unavailable,
        _ => Code::FailedPrecondition,
    };
    let message = format!("{who} cannot be reached: {}", Chain(error));
    Fault::new(code, "peer.unreachable", message)
}

/// What another node answered, as a fault of our own: its words and its reason, with its code. What
/// no node answered, because the connection broke or time ran out, is `Unavailable` or
/// `DeadlineExceeded`, whatever the HTTP/2 client calls it.
pub(super) fn relayed(status: Status) -> Fault {
    if let Some(error) = ConnectError::in_chain(&status) {
        return unreachable(&"the other node", error);
    }
    // Both ends give a deadline as a cancelled call, with these words.
    if status.message() == tonic::TimeoutExpired(()).to_string() {
        let message = "the other node did not answer in time";
        return Fault::new(Code::DeadlineExceeded, "peer.unreachable", message);
    }
    // A status that was made here has a cause; one that came over the wire has none.
    if let Some(cause) = std::error::Error::source(&status) {
        let message = format!("the connection to the other node broke: {}", Chain(cause));
        return Fault::new(Code::Unavailable, "peer.unreachable", message);
    }
    let reason = status.metadata().get(REASON_METADATA);
    let reason = reason.and_then(|reason| reason.to_str().ok());
    let operation = operation_of(&status).map(|op| format!(" (operation {op})"));
    let message = format!(
        "the other node answered: {} [{}]{}",
        status.message(),
        reason.unwrap_or("unknown"),
        operation.unwrap_or_default()
    );
    Fault::new(status.code(), "peer.refused", message)
}
