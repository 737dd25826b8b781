//! Single calls under any certificate, and the reasons of refusals.

use std::sync::Arc;

use anyhow::Result;
use linkage_node::authz::REASON_METADATA;
use linkage_node::connect::{ConnectError, Target, connect};
use linkage_node::demo::cluster::{Node, TRUST_DOMAIN};
use linkage_node::identity::Identity;
use linkage_node::limits::Limits;
use linkage_node::tls::{self, TlsFiles};
use rustls::ClientConfig;
use tonic::Status;
use tonic::transport::Channel;

/// Connects to a node under a certificate.
///
/// # Errors
/// When the files cannot be read; inside, why the connection failed.
pub async fn connect_as(files: &TlsFiles, node: &Node) -> Result<Result<Channel, ConnectError>> {
    connect_with(tls::client_config(files)?, node).await
}

/// Connects to a node under TLS settings.
///
/// # Errors
/// When the node's address is none; inside, why the connection failed.
pub async fn connect_with(
    config: Arc<ClientConfig>,
    node: &Node,
) -> Result<Result<Channel, ConnectError>> {
    let identity = Identity::new(TRUST_DOMAIN, node.role.role(), node.party.as_str())?;
    let target = Target::new(&node.address, identity)?;
    Ok(connect(target, config, &Limits::default()).await)
}

/// The stable reason of a refused call.
pub fn reason(status: &Status) -> String {
    if let Some(error) = ConnectError::in_chain(status) {
        return error.reason().to_owned();
    }
    let reason = status.metadata().get(REASON_METADATA);
    let reason = reason.and_then(|reason| reason.to_str().ok());
    reason.unwrap_or("no reason").to_owned()
}

/// The stable reason of a call that must be refused.
///
/// # Errors
/// When it was not.
pub fn refusal<T>(reply: Result<T, Status>) -> Result<String> {
    match reply {
        Ok(_) => anyhow::bail!("the call was answered"),
        Err(status) => Ok(reason(&status)),
    }
}
