//! The open connections of a server: counted, bounded, and cut when a shutdown cannot wait longer.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::identity::Identity;
use crate::refusal::Refusal;

/// The peer of one connection, read once from its certificate after the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) identity: Identity,
    /// SHA-256 of the certificate's DER bytes.
    pub(crate) certificate_sha256: [u8; 32],
    pub(crate) address: SocketAddr,
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
    identity: Identity,
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

    /// Counts a connection of `identity` in, until the admission is dropped.
    pub(crate) fn admit(self: &Arc<Self>, identity: &Identity) -> Result<Admission, Refusal> {
        let mut open = self.open();
        if open.by_id.len() >= self.connections_max {
            return Err(Refusal::TooManyConnections);
        }
        let of_peer = open
            .by_id
            .values()
            .filter(|entry| entry.identity == *identity)
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
                identity: identity.clone(),
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
            "cut by the shutdown",
        ))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.connections.open().by_id.remove(&self.id);
    }
}

/// A connection after its handshake, as handed to the HTTP/2 server.
pub(crate) struct PeerStream {
    tls: TlsStream<TcpStream>,
    peer: Arc<Peer>,
    admission: Admission,
}

impl PeerStream {
    pub(crate) fn new(tls: TlsStream<TcpStream>, peer: Peer, admission: Admission) -> Self {
        Self {
            tls,
            peer: Arc::new(peer),
            admission,
        }
    }
}

impl Connected for PeerStream {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.admission.check(cx)?;
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PeerStream {
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

    fn identity(party: &str) -> Identity {
        Identity::new("linkage.example", Role::Owner, party).unwrap()
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let connections = Connections::new(3, 2);
        let first = connections.admit(&identity("a")).unwrap();
        let _second = connections.admit(&identity("a")).unwrap();
        assert_eq!(
            connections.admit(&identity("a")).err(),
            Some(Refusal::TooManyOfPeer)
        );
        let _third = connections.admit(&identity("b")).unwrap();
        assert_eq!(
            connections.admit(&identity("c")).err(),
            Some(Refusal::TooManyConnections)
        );
        drop(first);
        connections.admit(&identity("a")).unwrap();
    }

    #[test]
    fn a_cut_is_seen_by_each_connection() {
        let connections = Connections::new(3, 3);
        let mut admission = connections.admit(&identity("a")).unwrap();
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
