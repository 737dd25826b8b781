//! Where connections come from and go to. A node's are those of the operating system; the rest of
//! the transport asks no more of them than is written here.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A connection, as bytes both ways.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Waits until the other side has sent something, which stays unread, or has ended.
    fn spoken(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Has small writes sent at once.
    ///
    /// # Errors
    /// When the connection is lost.
    fn set_prompt(&self) -> io::Result<()>;
}

/// Takes connections in.
pub trait Listener: Send + 'static {
    /// What it takes in.
    type Connection: Connection;

    /// The next connection, and where it comes from.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Connection, SocketAddr)>> + Send;
}

/// Makes connections.
pub trait Network: Send + Sync + 'static {
    /// What it makes.
    type Connection: Connection;

    /// A connection to `address`, `host:port`.
    fn dial(&self, address: &str) -> impl Future<Output = io::Result<Self::Connection>> + Send;
}

/// The network of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Connection for TcpStream {
    async fn spoken(&mut self) -> io::Result<()> {
        // Looks at a byte instead of waiting for readiness, which may be reported without any.
        self.peek(&mut [0]).await.map(drop)
    }

    fn set_prompt(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }
}

impl Listener for TcpListener {
    type Connection = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        Self::accept(self).await
    }
}

impl Network for System {
    type Connection = TcpStream;

    async fn dial(&self, address: &str) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}
