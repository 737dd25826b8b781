//! A TCP proxy that records what passes, and can stop at a byte.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes moved at a time; small, so that a stop comes soon after its byte.
const STEP_BYTES: usize = 4096;

/// A proxy before one node. Dropping it cuts every connection.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    shared: Arc<Shared>,
    gate: watch::Sender<u64>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    to_node: Mutex<Vec<u8>>,
    from_node: Mutex<Vec<u8>>,
}

impl Proxy {
    /// Stands before the node at `node`; nothing is held back until [`Proxy::stop_at`].
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn before(node: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let shared = Arc::new(Shared::default());
        let (gate, stop_at) = watch::channel(u64::MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(
            listener,
            node.to_owned(),
            Arc::clone(&shared),
            stop_at,
        ));
        Ok(Self {
            address,
            shared,
            gate,
            _tasks: tasks,
        })
    }

    /// Holds back whatever goes to the node once `bytes` more have passed; `None` lets all pass.
    pub fn stop_at(&self, bytes: Option<u64>) {
        let passed = self.to_node().len() as u64;
        let stop = bytes.map_or(u64::MAX, |bytes| passed + bytes);
        self.gate.send_replace(stop);
    }

    /// Waits until nothing more passes.
    pub async fn stopped(&self) {
        loop {
            let passed = self.to_node().len() as u64;
            if passed >= *self.gate.borrow() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until what was held back has passed.
    pub async fn drained(&self) {
        loop {
            let passed = self.to_node().len();
            tokio::time::sleep(Duration::from_millis(300)).await;
            if self.to_node().len() == passed {
                return;
            }
        }
    }

    /// Every byte that went to the node, of all connections together.
    pub fn to_node(&self) -> Vec<u8> {
        copy(&self.shared.to_node)
    }

    /// Every byte that came from the node.
    pub fn from_node(&self) -> Vec<u8> {
        copy(&self.shared.from_node)
    }
}

fn copy(bytes: &Mutex<Vec<u8>>) -> Vec<u8> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn record(bytes: &Mutex<Vec<u8>>, more: &[u8]) -> u64 {
    let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
    bytes.extend_from_slice(more);
    bytes.len() as u64
}

async fn accept(
    listener: TcpListener,
    node: String,
    shared: Arc<Shared>,
    stop_at: watch::Receiver<u64>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // The node may be down; the client then sees a connection that ends.
        let Ok(server) = TcpStream::connect(&node).await else {
            continue;
        };
        let ((client_read, client_write), (server_read, server_write)) =
            (client.into_split(), server.into_split());
        connections.spawn(forward(
            client_read,
            server_write,
            Arc::clone(&shared),
            stop_at.clone(),
        ));
        connections.spawn(back(server_read, client_write, Arc::clone(&shared)));
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: Arc<Shared>,
    mut stop_at: watch::Receiver<u64>,
) {
    let mut buffer = [0; STEP_BYTES];
    while let Ok(count) = from.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or(&[]);
        if bytes.is_empty() || to.write_all(bytes).await.is_err() {
            return;
        }
        let passed = record(&shared.to_node, bytes);
        if stop_at.wait_for(|stop| passed < *stop).await.is_err() {
            return;
        }
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: Arc<Shared>) {
    let mut buffer = [0; STEP_BYTES];
    while let Ok(count) = from.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or(&[]);
        record(&shared.from_node, bytes);
        if bytes.is_empty() || to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
