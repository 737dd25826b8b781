//! A matcher and its clients within a simulated network: the real services and transport, with the
//! network of the operating system replaced by turmoil's.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use linkage_node::connect::{Target, connect_over};
use linkage_node::demo::cluster::{MATCHER, TRUST_DOMAIN};
use linkage_node::identity::{Identity, Role};
use linkage_node::limits::Limits;
use linkage_node::net::{Connection, Listener, Network};
use linkage_node::procedures::Services;
use linkage_node::service::serve;
use linkage_node::tls::TlsFiles;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::Channel;
use turmoil::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use linkage_tests::matcher;

/// Where a simulated matcher listens.
const PORT: u16 = 7000;

/// What a matcher needs to start, and to start again.
pub struct Station {
    /// Its folder of data.
    pub data_dir: PathBuf,
    /// The secret of its signing key.
    pub secret: Zeroizing<[u8; 32]>,
    /// Its certificate, for the host name `matcher`.
    pub tls: TlsFiles,
    /// Its limits.
    pub limits: Limits,
}

impl Station {
    /// Serves until it is dropped.
    ///
    /// # Errors
    /// When it cannot start, or the server fails.
    pub async fn serve(&self) -> Result<()> {
        let limits = &self.limits;
        let (matcher, journal) = matcher::open(&self.data_dir, self.secret.as_slice(), limits)?;
        let services = Services::new(limits.message_bytes_max)
            .projects(&matcher)
            .mailbox(&matcher)
            .uploads(&matcher)
            .asks(&matcher)
            .runs(&matcher);
        let (routes, rules) = services.into_parts();
        let (options, _keep) = matcher::options(self.tls.clone(), limits, &rules, journal)?;
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        let never = std::future::pending;
        serve(Bound(listener), options, routes, never(), never()).await?;
        Ok(())
    }
}

/// A channel to the matcher from another simulated host.
///
/// # Errors
/// When there is none to be had now.
pub async fn connect(config: Arc<ClientConfig>, limits: &Limits) -> Result<Channel> {
    let identity = Identity::new(TRUST_DOMAIN, Role::Matcher, MATCHER)?;
    let target = Target::new(&format!("{MATCHER}:{PORT}"), identity)?;
    let channel = connect_over(Simulated, target, config, limits).await;
    channel.context("no connection")
}

/// The network of a simulation.
struct Simulated;

impl Network for Simulated {
    type Connection = Wire;

    async fn dial(&self, address: &str) -> io::Result<Wire> {
        TcpStream::connect(address).await.map(Wire)
    }
}

struct Bound(TcpListener);

impl Listener for Bound {
    type Connection = Wire;

    async fn accept(&self) -> io::Result<(Wire, SocketAddr)> {
        let (stream, address) = self.0.accept().await?;
        Ok((Wire(stream), address))
    }
}

struct Wire(TcpStream);

impl Connection for Wire {
    async fn spoken(&mut self) -> io::Result<()> {
        self.0.peek(&mut [0]).await.map(drop)
    }

    fn set_prompt(&self) -> io::Result<()> {
        self.0.set_nodelay(true)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
