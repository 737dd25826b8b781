//! The open connections of a server: counted, bounded, and cut when a shutdown cannot wait longer,
//! or when a peer's certificate no longer holds.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::identity::Identity;
use crate::net::Connection;
use crate::refusal::Refusal;
use crate::tls::credentials::Credentials;

/// How long the check of a peer's certificates counts while no file changes: they and the
/// revocation lists may run out meanwhile. 10 s: a check costs signatures; calls come in bursts.
const CHECK_LIFE: Duration = Duration::from_secs(10);

/// The peer of one connection, read once from its certificate after the handshake.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) identity: Identity,
    /// SHA-256 of the certificate's DER bytes.
    pub(crate) certificate_sha256: [u8; 32],
    pub(crate) address: SocketAddr,
    /// Its certificate, then those it brought along.
    chain: Vec<CertificateDer<'static>>,
    checked: Mutex<Checked>,
}

/// When a peer's certificates were last found good.
#[derive(Debug, Clone, Copy)]
struct Checked {
    /// Under which settings, see [`Credentials::generation`].
    generation: u64,
    at: Instant,
}

impl Peer {
    /// A peer whose handshake has just succeeded under settings of this generation or a later one.
    pub(crate) fn new(
        identity: Identity,
        chain: &[CertificateDer<'_>],
        address: SocketAddr,
        generation: u64,
    ) -> Self {
        let mut certificate_sha256 = [0; 32];
        let own = chain.first().map(AsRef::as_ref).unwrap_or(&[]);
        certificate_sha256
            .copy_from_slice(ring::digest::digest(&ring::digest::SHA256, own).as_ref());
        let at = Instant::now();
        Self {
            identity,
            certificate_sha256,
            address,
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
            checked: Mutex::new(Checked { generation, at }),
        }
    }

    /// Checks again, unless that was done of late, whether the peer would be let in.
    pub(crate) fn recheck(&self, credentials: &Credentials) -> Result<(), Refusal> {
        let (generation, at) = (credentials.generation(), Instant::now());
        let checked = *self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.generation != generation || at.duration_since(checked.at) >= CHECK_LIFE {
            credentials.verify(&self.chain)?;
            let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
            *checked = Checked { generation, at };
        }
        Ok(())
    }
}

/// The connections that are open now.
pub(crate) struct Connections {
    connections_max: usize,
    per_peer_max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    by_id: HashMap<u64, Entry>,
}

/// One open connection. Dropping it cuts the connection.
struct Entry {
    peer: Arc<Peer>,
    _cut: oneshot::Sender<()>,
}

impl Connections {
    pub(crate) fn new(connections_max: usize, per_peer_max: usize) -> Arc<Self> {
        Arc::new(Self {
            connections_max,
            per_peer_max,
            open: Mutex::default(),
        })
    }

    /// Counts a connection of `peer` in, until the admission is dropped.
    pub(crate) fn admit(self: &Arc<Self>, peer: &Arc<Peer>) -> Result<Admission, Refusal> {
        let mut open = self.open();
        if open.by_id.len() >= self.connections_max {
            return Err(Refusal::TooManyConnections);
        }
        let of_peer = open
            .by_id
            .values()
            .filter(|entry| entry.peer.identity == peer.identity)
            .count();
        if of_peer >= self.per_peer_max {
            return Err(Refusal::TooManyOfPeer);
        }
        let (cut, cut_seen) = oneshot::channel();
        let id = open.next_id;
        open.next_id += 1;
        open.by_id.insert(
            id,
            Entry {
                peer: Arc::clone(peer),
                _cut: cut,
            },
        );
        drop(open);
        Ok(Admission {
            connections: Arc::clone(self),
            id,
            cut: Some(cut_seen),
        })
    }

    /// Cuts every open connection and says how many there were.
    pub(crate) fn cut_all(&self) -> usize {
        std::mem::take(&mut self.open().by_id).len()
    }

    /// Cuts the connections of peers that would not be let in any more; gives their addresses and
    /// what is wrong with them.
    pub(crate) fn cut_refused(&self, credentials: &Credentials) -> Vec<(SocketAddr, Refusal)> {
        let peers: Vec<(u64, Arc<Peer>)> = self
            .open()
            .by_id
            .iter()
            .map(|(id, entry)| (*id, Arc::clone(&entry.peer)))
            .collect();
        // Signatures are checked without the lock, which every new connection needs.
        let mut refused = Vec::new();
        for (id, peer) in peers {
            if let Err(reason) = peer.recheck(credentials)
                && self.open().by_id.remove(&id).is_some()
            {
                refused.push((peer.address, reason));
            }
        }
        refused
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // No code panics while it holds the lock, and counts stay whole even if one did.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among [`Connections`]; dropping it gives the place back.
pub(crate) struct Admission {
    connections: Arc<Connections>,
    id: u64,
    /// Ends when the connection is to be cut; `None` once that was seen.
    cut: Option<oneshot::Receiver<()>>,
}

impl Admission {
    /// Fails once the connection is cut; before, makes sure that a cut wakes the task.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(cut) = &mut self.cut {
            if Pin::new(cut).poll(cx).is_pending() {
                return Ok(());
            }
            self.cut = None;
        }
        Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "cut by the server",
        ))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.connections.open().by_id.remove(&self.id);
    }
}

/// A connection after its handshake, as handed to the HTTP/2 server.
pub(crate) struct PeerStream<C> {
    tls: TlsStream<C>,
    peer: Arc<Peer>,
    admission: Admission,
}

impl<C> PeerStream<C> {
    pub(crate) fn new(tls: TlsStream<C>, peer: Arc<Peer>, admission: Admission) -> Self {
        Self {
            tls,
            peer,
            admission,
        }
    }
}

impl<C: Connection> Connected for PeerStream<C> {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl<C: Connection> AsyncRead for PeerStream<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.admission.check(cx)?;
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl<C: Connection> AsyncWrite for PeerStream<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.admission.check(cx)?;
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.admission.check(cx)?;
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.admission.check(cx)?;
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.admission.check(cx)?;
        Pin::new(&mut self.tls).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::identity::Role;

    fn peer(party: &str) -> Arc<Peer> {
        let identity = Identity::new("linkage.example", Role::Owner, party).unwrap();
        Arc::new(Peer::new(identity, &[], ([127, 0, 0, 1], 1).into(), 0))
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let connections = Connections::new(3, 2);
        let first = connections.admit(&peer("a")).unwrap();
        let _second = connections.admit(&peer("a")).unwrap();
        assert_eq!(
            connections.admit(&peer("a")).err(),
            Some(Refusal::TooManyOfPeer)
        );
        let _third = connections.admit(&peer("b")).unwrap();
        assert_eq!(
            connections.admit(&peer("c")).err(),
            Some(Refusal::TooManyConnections)
        );
        drop(first);
        connections.admit(&peer("a")).unwrap();
    }

    #[test]
    fn a_cut_is_seen_by_each_connection() {
        let connections = Connections::new(3, 3);
        let mut admission = connections.admit(&peer("a")).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        admission.check(&mut cx).unwrap();
        assert_eq!(connections.cut_all(), 1);
        for _ in 0..2 {
            let error = admission.check(&mut cx).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        }
        assert_eq!(connections.cut_all(), 0);
    }
}
