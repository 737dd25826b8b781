//! Every bound of the transport in one place, with its unit in the name and its reason beside it.

use std::time::Duration;

/// Bounds on connections, handshakes and messages of one node.
///
/// [`Limits::default`] is what a node runs with unless its configuration says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest time from the accepted TCP connection to the end of its TLS handshake.
    ///
    /// 5 s: a full P-256 handshake takes about 1 ms of processor time and three one-way trips, so
    /// even a link with 1 s of delay fits, while a silent client is gone soon.
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
    /// 1 h: the longest that a revoked certificate may live on an open connection.
    pub connection_age_max: Duration,
    /// Time that requests have to end after [`Self::connection_age_max`].
    ///
    /// 5 min: five times the longest stream (60 s). Without a grace time a request at the boundary
    /// is lost.
    pub connection_age_grace: Duration,
    /// Silence after which a ping is sent, by either side.
    ///
    /// 20 s: with the 10 s below a dead peer is noticed within the 35 s asked of the service.
    pub keepalive_interval: Duration,
    /// Time a ping may stay unanswered before the connection counts as dead.
    pub keepalive_timeout: Duration,
    /// Longest time a client takes to reach a server: TCP, TLS and the server's first HTTP/2 frame.
    ///
    /// 5 s: as [`Self::handshake_timeout`], which it mirrors.
    pub connect_timeout: Duration,
    /// Longest time that requests may go on after a shutdown was asked for; then they are cut.
    ///
    /// 60 s: the longest life of one upload stream, and within a service manager's 120 s.
    pub drain_timeout: Duration,
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
            message_bytes_max: 1 << 20,
            header_list_bytes_max: 16 << 10,
            connection_age_max: Duration::from_secs(60 * 60),
            connection_age_grace: Duration::from_secs(5 * 60),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(60),
        }
    }
}
