//! The rounds of an owner: its checkpoint to every peer, and the matcher's to itself.

use std::sync::Arc;
use std::time::Duration;

use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::Checkpoint;
use linkage_core::audit::note::Note;
use linkage_proto::v1;
use linkage_proto::v1::witness_client::WitnessClient;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;

use super::{Answer, Witness};
use crate::connect::{Target, connect};
use crate::fault::{Chain, Fault};
use crate::identity::{Identity, Role};
use crate::limits::Limits;
use crate::settings::Peer;
use crate::tls::credentials::Credentials;

/// Time between two rounds: within the minute that a checkpoint is offered, every witness is asked
/// several times.
const ROUND_INTERVAL: Duration = Duration::from_secs(15);

/// Time that one peer may take in a round.
const PEER_TIMEOUT: Duration = Duration::from_secs(10);

/// Carries checkpoints for an owner.
pub struct Carrier {
    /// The owner's own witness.
    pub witness: Arc<Witness>,
    /// Whom it calls.
    pub peers: Vec<Peer>,
    /// The trust domain of all.
    pub trust_domain: String,
    /// TLS settings; the newest value counts.
    pub credentials: Arc<Credentials>,
    /// Bounds of connections.
    pub limits: Limits,
}

impl Carrier {
    /// Makes rounds for ever.
    pub async fn run(self) {
        let carrier = Arc::new(self);
        let mut rounds = tokio::time::interval(ROUND_INTERVAL);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            Self::round(&carrier).await;
            carrier.witness.warn();
        }
    }

    /// Calls every peer once, all at the same time.
    pub async fn round(carrier: &Arc<Self>) {
        let mut calls = JoinSet::new();
        for peer in carrier.peers.iter().cloned() {
            let carrier = Arc::clone(carrier);
            calls.spawn(async move {
                let name = peer.party.to_string();
                let called = tokio::time::timeout(PEER_TIMEOUT, carrier.call(&peer)).await;
                match called {
                    Ok(Ok(())) => {}
                    Ok(Err(fault)) => {
                        tracing::warn!(
                            peer = name,
                            reason = fault.reason(),
                            "not witnessed: {fault}"
                        );
                    }
                    Err(_) => {
                        tracing::warn!(peer = name, reason = "audit.timeout", "not witnessed")
                    }
                }
            });
        }
        while calls.join_next().await.is_some() {}
    }

    async fn call(&self, peer: &Peer) -> Result<(), Fault> {
        let identity = peer
            .identity(&self.trust_domain)
            .map_err(|error| unreachable(peer, &error))?;
        let target = Target::new(&peer.address, identity.clone())
            .map_err(|error| unreachable(peer, &error))?;
        let tls = self.credentials.client();
        let channel = connect(target, tls, &self.limits)
            .await
            .map_err(|error| unreachable(peer, &error))?;
        let limit = self.limits.message_bytes_max;
        let mut client = WitnessClient::new(channel).max_decoding_message_size(limit);
        self.be_witnessed(&mut client, &identity).await?;
        // Another owner brings its own log.
        if identity.role() == Role::Matcher {
            self.witness_for(&mut client, &identity).await?;
        }
        Ok(())
    }

    /// Has the own checkpoint cosigned by a peer.
    async fn be_witnessed(
        &self,
        client: &mut WitnessClient<Channel>,
        peer: &Identity,
    ) -> Result<(), Fault> {
        let name = self.witness.witness_of(peer)?.name();
        let mut old = self.witness.store.witnessed_size(name)?;
        // The second time with the size that the peer has told.
        for _ in 0..2 {
            let (_, checkpoint) = self.witness.offer()?;
            if old > checkpoint.size {
                return self.ask_later_or_alarm(peer, old);
            }
            let request = v1::AddCheckpointRequest {
                body: self.witness.request(old)?.to_string(),
            };
            let reply = client.add_checkpoint(request).await.map_err(relayed)?;
            let reply = reply.into_inner();
            if !reply.conflict {
                let lines = &reply.cosignatures;
                return self.witness.take(peer, checkpoint.size, lines);
            }
            self.witness
                .store
                .set_witnessed_size(name, reply.kept_size)?;
            old = reply.kept_size;
        }
        // Somebody else has carried a newer one meanwhile; the next round finds out.
        Ok(())
    }

    /// A witness has seen more entries than the checkpoint on offer has: one carried by an earlier
    /// round, or by a life of this log that is gone.
    fn ask_later_or_alarm(&self, peer: &Identity, seen: u64) -> Result<(), Fault> {
        let (size, _) = self.witness.journal.log().end();
        if seen <= size {
            return Ok(());
        }
        tracing::error!(%peer, seen, size, reason = "audit.rewound", "this log was put back");
        let fault = Fault::state(
            "audit.rewound",
            format!("{peer} has cosigned {seen} entries of this log, which has {size}"),
        );
        let act = self
            .witness
            .journal
            .act(Action::AuditFork, peer.to_string());
        Err(act.count("seen", seen).count("entries", size).failed(fault))
    }

    /// Cosigns the peer's checkpoint and brings the cosignature back.
    async fn witness_for(
        &self,
        client: &mut WitnessClient<Channel>,
        peer: &Identity,
    ) -> Result<(), Fault> {
        let origin = self.witness.log_of(peer)?.name();
        let kept = self.witness.store.note(origin)?;
        let kept = kept.and_then(|note| Checkpoint::parse(Note::parse(&note).ok()?.text()).ok());
        let old_size = kept.map_or(0, |kept| kept.size);
        let request = v1::GetCheckpointRequest { old_size };
        let reply = client.get_checkpoint(request).await.map_err(relayed)?;
        let v1::GetCheckpointReply { body } = reply.into_inner();
        let Answer::Cosigned(signature) = self.witness.cosign(peer, &body)? else {
            return Ok(());
        };
        let size = body
            .parse::<linkage_core::audit::witness::AddCheckpoint>()
            .ok()
            .and_then(|body| Checkpoint::parse(body.note.text()).ok())
            .map_or(0, |checkpoint| checkpoint.size);
        let request = v1::AddCosignatureRequest {
            size,
            cosignatures: signature.to_string(),
        };
        client.add_cosignature(request).await.map_err(relayed)?;
        Ok(())
    }
}

fn unreachable(peer: &Peer, error: &(dyn std::error::Error + 'static)) -> Fault {
    let message = format!("{} cannot be reached: {}", peer.party, Chain(error));
    Fault::new(Code::Unavailable, "peer.unreachable", message)
}

fn relayed(status: tonic::Status) -> Fault {
    let message = format!("the other node answered: {}", status.message());
    Fault::new(status.code(), "peer.refused", message)
}
