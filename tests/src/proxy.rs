//! A TCP proxy that records what passes, and can be bad weather: stop, cut, slow down, delay, or
//! leave connections half-open.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Bytes moved at a time; small, so that a stop comes soon after its byte.
const STEP_BYTES: usize = 4096;

/// Steps on their way while they are delayed: 16 MiB.
const DELAYED_MAX: usize = 4096;

/// What the way to and from the node is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Most bytes in a second, either way.
    pub bytes_per_second: Option<u64>,
    /// How much later everything arrives, either way.
    pub delay: Duration,
}

impl Weather {
    /// Everything passes at once.
    pub const FAIR: Self = Self {
        bytes_per_second: None,
        delay: Duration::ZERO,
    };
}

#[derive(Debug, Clone, Copy)]
struct Control {
    /// Bytes to the node after which nothing passes.
    stop_at: u64,
    /// Bytes to the node after which every connection is cut, once.
    cut_at: u64,
    /// Counts the cuts: what began before the last one ends.
    cuts: u64,
    /// Counts the connections.
    connections: u64,
    /// What the first so many connections carry is swallowed, whatever the weather.
    dead: u64,
    weather: Weather,
}

/// A proxy before one node. Dropping it cuts every connection.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    to_node: Mutex<Vec<u8>>,
    from_node: Mutex<Vec<u8>>,
    control: watch::Sender<Control>,
}

impl Proxy {
    /// Stands before the node at `node`; nothing is held back until it is told to.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn before(node: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (control, _) = watch::channel(Control {
            stop_at: u64::MAX,
            cut_at: u64::MAX,
            cuts: 0,
            connections: 0,
            dead: 0,
            weather: Weather::FAIR,
        });
        let shared = Arc::new(Shared {
            to_node: Mutex::default(),
            from_node: Mutex::default(),
            control,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, node.to_owned(), Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            _tasks: tasks,
        })
    }

    /// Holds back whatever goes to the node once `bytes` more have passed; `None` lets all pass.
    pub fn stop_at(&self, bytes: Option<u64>) {
        let stop = bytes.map_or(u64::MAX, |bytes| self.passed() + bytes);
        self.shared
            .control
            .send_modify(|control| control.stop_at = stop);
    }

    /// Cuts every connection once `bytes` more have passed to the node. New ones are let through.
    pub fn cut_at(&self, bytes: u64) {
        let cut = self.passed() + bytes;
        self.shared
            .control
            .send_modify(|control| control.cut_at = cut);
    }

    /// Cuts every connection now.
    pub fn cut(&self) {
        self.shared.control.send_modify(|control| control.cuts += 1);
    }

    /// Number of cuts so far.
    pub fn cuts(&self) -> u64 {
        self.shared.control.borrow().cuts
    }

    /// Changes the weather.
    pub fn weather(&self, weather: Weather) {
        self.shared
            .control
            .send_modify(|control| control.weather = weather);
    }

    /// Leaves the connections of now half-open: both ends stay connected, and nothing passes any
    /// more. New ones are carried.
    pub fn leave_half_open(&self) {
        self.shared
            .control
            .send_modify(|control| control.dead = control.connections);
    }

    /// Number of bytes that have gone to the node.
    pub fn passed(&self) -> u64 {
        let bytes = self.shared.to_node.lock();
        bytes.unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Waits until nothing more passes.
    pub async fn stopped(&self) {
        loop {
            if self.passed() >= self.shared.control.borrow().stop_at {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until what was held back has passed.
    pub async fn drained(&self) {
        loop {
            let passed = self.passed();
            tokio::time::sleep(Duration::from_millis(300)).await;
            if self.passed() == passed {
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

async fn accept(listener: TcpListener, node: String, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // The node may be down; the client then sees a connection that ends.
        let Ok(server) = TcpStream::connect(&node).await else {
            continue;
        };
        connections.spawn(carry(client, server, Arc::clone(&shared)));
    }
}

/// Carries one connection until either side ends it or it is cut.
async fn carry(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
    let mut control = shared.control.subscribe();
    let born = control.borrow_and_update().cuts;
    let mut number = 0;
    shared.control.send_modify(|control| {
        control.connections += 1;
        number = control.connections;
    });
    let ((client_read, client_write), (server_read, server_write)) =
        (client.into_split(), server.into_split());
    let mut ways = JoinSet::new();
    for (from, to, outward) in [
        (client_read, server_write, true),
        (server_read, client_write, false),
    ] {
        let (sender, receiver) = mpsc::channel(DELAYED_MAX);
        ways.spawn(take(from, sender, Arc::clone(&shared)));
        let way = Way {
            number,
            outward,
            shared: Arc::clone(&shared),
        };
        ways.spawn(way.give(receiver, to));
    }
    tokio::select! {
        // All four ends have come to their end by themselves.
        () = async { while ways.join_next().await.is_some() {} } => {}
        // Dropping the halves cuts the connection both ways.
        _ = control.wait_for(|control| control.cuts > born) => {}
    }
}

/// Reads steps and dates them.
async fn take(
    mut from: OwnedReadHalf,
    sender: mpsc::Sender<(Instant, Vec<u8>)>,
    shared: Arc<Shared>,
) {
    let mut buffer = [0; STEP_BYTES];
    while let Ok(count) = from.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or(&[]);
        if bytes.is_empty() {
            return;
        }
        let delay = shared.control.borrow().weather.delay;
        let step = (Instant::now() + delay, bytes.to_vec());
        if sender.send(step).await.is_err() {
            return;
        }
    }
}

/// One way of a connection.
struct Way {
    number: u64,
    outward: bool,
    shared: Arc<Shared>,
}

impl Way {
    /// Writes steps when their time has come, as the weather allows.
    async fn give(self, mut receiver: mpsc::Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
        let mut control = self.shared.control.subscribe();
        while let Some((due, bytes)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            let now = *control.borrow_and_update();
            if self.number <= now.dead {
                continue;
            }
            if let Some(pace) = now.weather.bytes_per_second {
                let seconds = bytes.len() as f64 / pace.max(1) as f64;
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
            if !self.outward {
                record(&self.shared.from_node, &bytes);
                continue;
            }
            let passed = record(&self.shared.to_node, &bytes);
            self.shared.control.send_if_modified(|control| {
                let cuts = passed >= control.cut_at;
                if cuts {
                    control.cut_at = u64::MAX;
                    control.cuts += 1;
                }
                cuts
            });
            let held = control.wait_for(|control| passed < control.stop_at).await;
            if held.is_err() {
                return;
            }
        }
    }
}
