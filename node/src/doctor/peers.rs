//! Whether the other nodes can be reached, know this one, and agree on the time.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::time::timeout;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{Finding, Verdict};
use crate::connect::{ConnectError, Target, connect};
use crate::fault::Chain;
use crate::settings::{Peer, Settings};
use crate::tls;

const PEERS: &str = "peers";
const CLOCK: &str = "clock";

/// Time for one peer's answer, once connected.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Difference of clocks that is mentioned, in seconds: entries of two audit logs then no longer
/// line up by eye.
const SKEW_WARN_S: i64 = 5;

/// Difference of clocks with which nothing about certificates can be trusted, in seconds.
const SKEW_BAD_S: i64 = 60;

/// Asks every configured peer for its health.
pub(super) async fn reachable(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![];
    let Ok(tls) = tls::client_config(&settings.tls_files()) else {
        // Told by the check of the certificates already.
        return findings;
    };
    for peer in &settings.peers {
        match ask(settings, peer, tls.clone()).await {
            Ok((serving, skew)) => findings.extend(judge(peer, serving, skew)),
            Err((code, words)) => {
                let words = format!("{} at {}: {words}", peer.party, peer.address);
                let remedy = "compare address and certificates with the peer's operator";
                findings.push(Finding::new(PEERS, Verdict::Bad, code, words, remedy));
            }
        }
    }
    if findings.is_empty() {
        let words = format!("{} reached, clocks agree", settings.peers.len());
        findings.push(Finding::good(PEERS, words));
    }
    findings
}

fn judge(peer: &Peer, is_serving: bool, skew: Option<i64>) -> Vec<Finding> {
    let mut findings = vec![];
    if !is_serving {
        let words = format!("{} is not ready", peer.party);
        let remedy = "ask its operator: `linkage node status` there";
        findings.push(Finding::new(
            PEERS,
            Verdict::Warning,
            "peer.not_ready",
            words,
            remedy,
        ));
    }
    if let Some(skew) = skew.filter(|skew| skew.abs() >= SKEW_WARN_S) {
        let verdict = match skew.abs() >= SKEW_BAD_S {
            true => Verdict::Bad,
            false => Verdict::Warning,
        };
        let words = format!("the clock of {} differs by {skew} s", peer.party);
        let remedy = "let both clocks be kept right by NTP";
        findings.push(Finding::new(CLOCK, verdict, "clock.skew", words, remedy));
    }
    findings
}

/// Whether the peer is ready, and by how many seconds its clock is ahead, if it tells.
async fn ask(
    settings: &Settings,
    peer: &Peer,
    tls: std::sync::Arc<rustls::ClientConfig>,
) -> Result<(bool, Option<i64>), (&'static str, String)> {
    let refused = |error: &ConnectError| (error.reason(), Chain(error).to_string());
    let identity = peer
        .identity(&settings.trust_domain)
        .map_err(|fault| ("peer.identity", fault.to_string()))?;
    let target = Target::new(&peer.address, identity).map_err(|error| refused(&error))?;
    let channel = connect(target, tls, &settings.limits)
        .await
        .map_err(|error| refused(&error))?;
    let mut health = HealthClient::new(channel);
    let request = Request::new(HealthCheckRequest::default());
    let reply = timeout(ANSWER_TIMEOUT, health.check(request))
        .await
        .map_err(|_| ("peer.slow", "no answer in time".to_owned()))?
        .map_err(|status| match ConnectError::in_chain(&status) {
            Some(error) => refused(error),
            None => ("peer.refused", status.message().to_owned()),
        })?;
    let now = Timestamp::now().as_second();
    let date = reply
        .metadata()
        .get("date")
        .and_then(|date| date.to_str().ok());
    let theirs = date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    let skew = theirs.map(|theirs| theirs.as_second() - now);
    let is_serving = reply.into_inner().status() == ServingStatus::Serving;
    Ok((is_serving, skew))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_is_found() {
        let peer = Peer {
            role: crate::settings::NodeRole::Matcher,
            party: "m".parse().unwrap(),
            address: "m:1".to_owned(),
            signing_key: None,
            sealing_key: None,
        };
        let found = |skew| judge(&peer, true, Some(skew)).pop().map(|one| one.verdict);
        assert_eq!(found(4), None);
        assert_eq!(found(-5), Some(Verdict::Warning));
        assert_eq!(found(60), Some(Verdict::Bad));
        let unready = judge(&peer, false, None);
        assert_eq!(unready[0].code, "peer.not_ready");
    }
}
