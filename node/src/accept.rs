//! From a TCP connection to a peer with a name: handshake, identity, and the refusals between.
//!
//! Each handshake runs in a task of its own and within a time limit, so a silent client holds up
//! nobody; when too many are under way, the oldest makes room.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::connections::{Admission, Connections, Peer, PeerStream};
use crate::goaway;
use crate::handshakes::{Handshakes, Place};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::net::{Connection, Listener};
use crate::refusal::Refusal;
use crate::tls::ALPN_H2;
use crate::tls::credentials::Credentials;

/// Rest after a failed `accept`: it fails at once again while the process is out of file handles,
/// and 10 ms of rest then cost nothing against spinning.
const ACCEPT_REST: Duration = Duration::from_millis(10);

/// Time given to a refused client to read why. Closing with its bytes unread would make the kernel
/// send a reset, which can overtake the reason. 1 s covers a round trip on any link.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Hears of every refused connection, to log and audit it.
///
/// It is told the peer's address and the reason and nothing else: all more would be the words of
/// somebody unknown. It is called from the connection's task and must not block.
pub trait RefusalSink: Send + Sync + 'static {
    /// A connection from `peer` was refused.
    fn refused(&self, peer: SocketAddr, reason: Refusal);
}

/// What the accept loop needs for each connection.
pub(crate) struct Acceptor<C> {
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) trust_domain: String,
    pub(crate) limits: Limits,
    pub(crate) refusals: Arc<dyn RefusalSink>,
    pub(crate) connections: Arc<Connections>,
    /// Takes the accepted connections to the HTTP/2 server.
    pub(crate) accepted: mpsc::Sender<Result<PeerStream<C>, Infallible>>,
}

impl<C: Connection> Acceptor<C> {
    /// Accepts connections until it is dropped; then the listener closes and handshakes end.
    pub(crate) async fn run(self, listener: impl Listener<Connection = C>) {
        let handshakes = Handshakes::new(self.limits.silent_max, self.limits.handshakes_max);
        let acceptor = Arc::new(self);
        let mut tasks = JoinSet::new();
        loop {
            let (tcp, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            while tasks.try_join_next().is_some() {}
            let (place, lost) = handshakes.arrive();
            tasks.spawn(Arc::clone(&acceptor).admit(tcp, address, place, lost));
        }
    }

    /// Takes one connection through its handshake to the server, or refuses it, while it has its
    /// place.
    async fn admit(
        self: Arc<Self>,
        tcp: C,
        address: SocketAddr,
        place: Place,
        mut lost: oneshot::Receiver<()>,
    ) {
        let refuse = |reason| self.refusals.refused(address, reason);
        // Before the settings are taken, so that any which come between count as not yet seen.
        let generation = self.credentials.generation();
        let handshake = timeout(self.limits.handshake_timeout, self.handshake(tcp, &place));
        let outcome = tokio::select! {
            _ = &mut lost => return refuse(Refusal::TooManyHandshakes),
            outcome = handshake => outcome,
        };
        let tls = match outcome {
            Err(_) => return refuse(Refusal::HandshakeTimeout),
            Ok(Err((error, tcp))) => {
                refuse(Refusal::from_io(&error));
                // The alert is on its way already: the TLS layer sent it.
                return farewell(tcp, &[], lost).await;
            }
            Ok(Ok(tls)) => tls,
        };
        match self.judge(&tls, address, generation) {
            Err(reason) => {
                refuse(reason);
                farewell(tls, &goaway::encode(reason), lost).await;
            }
            Ok((peer, admission)) => {
                // Fails only when the server has stopped, which drops the connection as it should.
                let _ = self
                    .accepted
                    .send(Ok(PeerStream::new(tls, peer, admission)))
                    .await;
            }
        }
    }

    async fn handshake(&self, mut tcp: C, place: &Place) -> Result<TlsStream<C>, (io::Error, C)> {
        if let Err(error) = tcp.spoken().await {
            return Err((error, tcp));
        }
        place.speak();
        if let Err(error) = tcp.set_prompt() {
            return Err((error, tcp));
        }
        // The newest settings, so that new certificates count from the next connection on.
        TlsAcceptor::from(self.credentials.server())
            .accept(tcp)
            .into_fallible()
            .await
    }

    /// Decides on a connection whose handshake is done.
    fn judge(
        &self,
        tls: &TlsStream<C>,
        address: SocketAddr,
        generation: u64,
    ) -> Result<(Arc<Peer>, Admission), Refusal> {
        let (_, session) = tls.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let certificate = chain.first().ok_or(Refusal::NoClientCertificate)?;
        if session.alpn_protocol() != Some(ALPN_H2) {
            return Err(Refusal::WrongAlpn);
        }
        let identity = Identity::from_certificate(certificate).map_err(Refusal::Identity)?;
        if identity.trust_domain() != self.trust_domain {
            return Err(Refusal::ForeignTrustDomain);
        }
        let peer = Arc::new(Peer::new(identity, chain, address, generation));
        let admission = self.connections.admit(&peer)?;
        Ok((peer, admission))
    }
}

/// Sends the last words, then waits until the client has read them: for a bounded time, and while
/// the connection has its place.
async fn farewell(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    words: &[u8],
    lost: oneshot::Receiver<()>,
) {
    let said = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // The connection is refused and reported whatever becomes of the words.
    tokio::select! {
        _ = timeout(FAREWELL_TIMEOUT, said) => {}
        _ = lost => {}
    }
}
