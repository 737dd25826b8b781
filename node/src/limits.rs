//! Every bound of a node in one place, with its unit in the name and its reason beside it.
//!
//! The table `[limits]` of a configuration overrides each; `linkage config explain limits.KEY`
//! shows the text that stands here.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Smallest message that holds the largest upload chunk (256 KiB) and its framing, in bytes.
const MESSAGE_BYTES_MIN: usize = 512 << 10;

/// Bounds on connections, handshakes and messages of one node.
///
/// [`Limits::default`] is what a node runs with unless its configuration says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest time from the accepted TCP connection to the end of its TLS handshake.
    ///
    /// 5 s: a full P-256 handshake takes about 1 ms of processor time and three one-way trips, so
    /// even a link with 1 s of delay fits, while a silent client is gone soon.
    #[serde(rename = "handshake_timeout_s", with = "seconds")]
    #[schemars(with = "u64")]
    pub handshake_timeout: Duration,
    /// Most handshakes under way at once, in connections; a newer one ends the oldest.
    ///
    /// 64: one core does about 800 P-256 handshakes in a second, so 64 are done within 0.1 s; more
    /// at once can only be slow or hostile clients.
    pub handshakes_max: usize,
    /// Most connections that have sent nothing yet; a newer one ends the oldest.
    ///
    /// 512: at 10 000 new connections a second, as one hostile client can make, an honest one then
    /// has 50 ms for its first bytes. With [`Self::handshakes_max`] and [`Self::connections_max`]
    /// that is 832 file handles, within the 1024 that a process gets by default.
    pub silent_max: usize,
    /// Most open connections of the node.
    ///
    /// 256: some thirty departments at eight connections each; bounds memory to 256 HTTP/2 windows.
    pub connections_max: usize,
    /// Most open connections of one peer, counted by role and party.
    ///
    /// 8: one for uploads, one for control and one for audit, and as many again while the node
    /// behind them restarts; two spare.
    pub connections_per_peer_max: usize,
    /// Most requests open at once on one connection.
    ///
    /// 64: below the 100 that RFC 9113 section 6.5.2 advises as the least a server should offer,
    /// because a peer of ours opens at most a few streams, and each may hold a message in memory.
    pub streams_per_connection_max: u32,
    /// Most calls of all callers under way at once; another is refused and asked to come back.
    ///
    /// 512: 60 owners with a few calls each are half of it, and each call may hold one message of
    /// 1 MiB in memory. Health checks are always let in.
    pub calls_max: usize,
    /// Largest message either side decodes or encodes, in bytes; each service and client sets it.
    ///
    /// 1 MiB: four times the largest upload chunk (256 KiB), beyond which throughput fell.
    pub message_bytes_max: usize,
    /// Largest set of request headers, in bytes.
    ///
    /// 16 KiB: hyper's own default for HTTP/2, written out so that it cannot change unseen.
    pub header_list_bytes_max: u32,
    /// Age at which a connection is asked to end, so that certificates are checked anew.
    ///
    /// 1 h: what peers are let in for is then looked at anew at least hourly, whatever else fails.
    #[serde(rename = "connection_age_max_s", with = "seconds")]
    #[schemars(with = "u64")]
    pub connection_age_max: Duration,
    /// Time that requests have to end after [`Self::connection_age_max`].
    ///
    /// 5 min: five times the longest stream (60 s). Without a grace time a request at the boundary
    /// is lost.
    #[serde(rename = "connection_age_grace_s", with = "seconds")]
    #[schemars(with = "u64")]
    pub connection_age_grace: Duration,
    /// Silence after which a ping is sent, by either side.
    ///
    /// 20 s: with the 10 s below a dead peer is noticed within the 35 s asked of the service.
    #[serde(rename = "keepalive_interval_s", with = "seconds")]
    #[schemars(with = "u64")]
    pub keepalive_interval: Duration,
    /// Time a ping may stay unanswered before the connection counts as dead.
    ///
    /// 10 s: a link that takes longer for a few bytes carries no upload either.
    #[serde(rename = "keepalive_timeout_s", with = "seconds")]
    #[schemars(with = "u64")]
    pub keepalive_timeout: Duration,
    /// Longest time a client takes to reach a server: TCP, TLS and the server's first HTTP/2 frame.
    ///
    /// 5 s: as [`Self::handshake_timeout`], which it mirrors.
    #[serde(rename = "connect_timeout_s", with = "seconds")]
    #[schemars(with = "u64")]
    pub connect_timeout: Duration,
    /// Longest time that requests may go on after a shutdown was asked for; then they are cut.
    ///
    /// 60 s: the longest life of one upload stream, and within a service manager's 120 s.
    #[serde(rename = "drain_timeout_s", with = "seconds")]
    #[schemars(with = "u64")]
    pub drain_timeout: Duration,
    /// Space on the disk that bulk data leave free, in bytes; below it nothing new is stored.
    ///
    /// 2 GiB: room for two million audit entries of 1 KiB, so that the log and the database go on
    /// long after uploads have stopped. On a small disk [`Self::disk_reserve_percent`] counts.
    pub disk_reserve_bytes: u64,
    /// The same as a share of the disk, in percent; the smaller of the two counts.
    ///
    /// 10: a small disk would otherwise be all reserve.
    pub disk_reserve_percent: u8,
    /// Bounds on uploads; not in the configuration, since both sides must keep to the same.
    #[serde(skip)]
    pub uploads: UploadLimits,
}

/// Bounds on uploads of encoded records, at the matcher and at the owner that sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadLimits {
    /// Most uploads of one owner that are open or being checked, over all projects.
    ///
    /// 4: an owner sends one batch at a time; the others are what broken-off attempts leave behind
    /// until they expire.
    pub under_way_per_party_max: u32,
    /// Largest batch in bytes.
    ///
    /// 4 GiB: ten million records with tokens of 2048 bits and ten keys.
    pub bytes_max: u64,
    /// Most rows of a batch.
    ///
    /// 50 million: positions are numbered in 32 bits over all owners together.
    pub rows_max: u64,
    /// Smallest chunk in bytes.
    ///
    /// 4 KiB: chunks are numbered in 32 bits, and an acknowledgement may wait for each.
    pub chunk_bytes_min: u32,
    /// Largest chunk in bytes, and the one that owners send.
    ///
    /// 256 KiB: on loopback, throughput was 267 and 245 MiB/s with chunks of 64 and 256 KiB, and
    /// fell to 217 with 1 MiB.
    pub chunk_bytes_max: u32,
    /// Most chunks under way without acknowledgement: what is sent again after a cut.
    ///
    /// 32: with full chunks 8 MiB, which is what 200 ms of a link with 40 MB/s hold.
    pub unacknowledged_max: usize,
    /// Longest life of one stream of chunks; the owner begins the next one by itself.
    ///
    /// 60 s: a fifth of [`Limits::connection_age_grace`], so that no stream is cut by the
    /// connection's end, and within [`Limits::drain_timeout`].
    pub stream_age_max: Duration,
    /// Time after which an upload expires that nobody went on with.
    ///
    /// 7 days: an operator who comes back after a week of holidays finds the upload where it was.
    pub idle_max: Duration,
    /// Longest time for one answer that waits for a disk, not for the size of a batch.
    ///
    /// 10 s: a thousand times what it takes; a disk that is slower than that has failed.
    pub call_timeout: Duration,
    /// Longest time for the check of a whole batch.
    ///
    /// 10 min: 4 GiB at 7 MB/s.
    pub seal_timeout: Duration,
    /// Longest time that a run waits for the tokens that it asked for.
    ///
    /// 10 min: owners' nodes answer by themselves within seconds; one that is down for longer needs
    /// an operator, and the run is started again when it is back.
    pub answer_max: Duration,
    /// Longest pause between two attempts after a cut; each is drawn between nothing and a bound
    /// that doubles from [`Self::pause_min`] up to this ("full jitter").
    ///
    /// 30 s: within a minute of the network's return every owner is back, and sixty owners are not
    /// back at once.
    pub pause_max: Duration,
    /// First bound of the pause between two attempts.
    ///
    /// 200 ms: a node that was restarted by its service manager is back by then.
    pub pause_min: Duration,
    /// Time without any progress after which the owner gives up. Bounded by the outage, not by the
    /// number of attempts, since those of a short outage all fail within it.
    ///
    /// 15 min: longer than a restart of a machine; what takes longer needs an operator anyway.
    pub outage_max: Duration,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            under_way_per_party_max: 4,
            bytes_max: 4 << 30,
            rows_max: 50_000_000,
            chunk_bytes_min: 4 << 10,
            chunk_bytes_max: 256 << 10,
            unacknowledged_max: 32,
            stream_age_max: Duration::from_secs(60),
            idle_max: Duration::from_secs(7 * 24 * 60 * 60),
            call_timeout: Duration::from_secs(10),
            seal_timeout: Duration::from_secs(10 * 60),
            answer_max: Duration::from_secs(10 * 60),
            pause_max: Duration::from_secs(30),
            pause_min: Duration::from_millis(200),
            outage_max: Duration::from_secs(15 * 60),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            handshakes_max: 64,
            silent_max: 512,
            connections_max: 256,
            connections_per_peer_max: 8,
            streams_per_connection_max: 64,
            calls_max: 512,
            message_bytes_max: 1 << 20,
            header_list_bytes_max: 16 << 10,
            connection_age_max: Duration::from_secs(60 * 60),
            connection_age_grace: Duration::from_secs(5 * 60),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(60),
            disk_reserve_bytes: 2 << 30,
            disk_reserve_percent: 10,
            uploads: UploadLimits::default(),
        }
    }
}

/// Why limits are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadLimit {
    /// The key within `[limits]`.
    pub key: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl Limits {
    /// Refuses limits with which no node could work.
    ///
    /// # Errors
    /// The first [`BadLimit`] in the order of the fields.
    pub fn check(&self) -> Result<(), BadLimit> {
        let durations = [
            ("handshake_timeout_s", self.handshake_timeout),
            ("connection_age_max_s", self.connection_age_max),
            ("connection_age_grace_s", self.connection_age_grace),
            ("keepalive_interval_s", self.keepalive_interval),
            ("keepalive_timeout_s", self.keepalive_timeout),
            ("connect_timeout_s", self.connect_timeout),
        ];
        let refuse = |key, message: &str| {
            Err(BadLimit {
                key,
                message: message.to_owned(),
            })
        };
        for (key, duration) in durations {
            if duration.is_zero() {
                return refuse(key, "must be at least 1: nothing is done in no time");
            }
        }
        let counts = [
            ("handshakes_max", self.handshakes_max),
            ("silent_max", self.silent_max),
            ("connections_max", self.connections_max),
            ("calls_max", self.calls_max),
            ("connections_per_peer_max", self.connections_per_peer_max),
            (
                "streams_per_connection_max",
                self.streams_per_connection_max as usize,
            ),
        ];
        for (key, count) in counts {
            if count == 0 {
                return refuse(key, "must be at least 1: nobody could connect");
            }
        }
        if self.message_bytes_max < MESSAGE_BYTES_MIN {
            return refuse(
                "message_bytes_max",
                "must be at least 524288: an upload chunk has up to 256 KiB",
            );
        }
        if self.disk_reserve_percent >= 100 {
            return refuse(
                "disk_reserve_percent",
                "must be below 100: nothing could ever be stored",
            );
        }
        if self.header_list_bytes_max < 4096 {
            return refuse(
                "header_list_bytes_max",
                "must be at least 4096: a call's own headers take some 500 bytes",
            );
        }
        Ok(())
    }
}

/// Durations in configurations: whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_acceptable_and_zeros_are_not() {
        assert_eq!(Limits::default().check(), Ok(()));
        let none: Limits = toml::from_str("handshakes_max = 0").unwrap();
        assert_eq!(none.check().unwrap_err().key, "handshakes_max");
        let never: Limits = toml::from_str("keepalive_timeout_s = 0").unwrap();
        assert_eq!(never.check().unwrap_err().key, "keepalive_timeout_s");
        let small: Limits = toml::from_str("message_bytes_max = 1024").unwrap();
        assert_eq!(small.check().unwrap_err().key, "message_bytes_max");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = toml::to_string(&Limits::default()).unwrap();
        assert_eq!(toml::from_str::<Limits>(&text).unwrap(), Limits::default());
        assert!(text.contains("drain_timeout_s = 60"), "{text}");
    }
}
