//! Nodes that die at one of their writes.
//!
//! A library in C, `tests/preload/writes.c`, stands between a node and the system's calls that
//! change files. It counts those in the node's own data folder, and kills the process at the one it
//! is told. The node's program knows nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use linkage_core::ids::PartyId;
use linkage_node::demo::cluster::Error as ClusterError;
use linkage_node::settings::NodeRole;

use crate::preload;
use crate::world::World;

/// How long a process whose connections have ended may take to be dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node.
pub type NodeName = (NodeRole, PartyId);

/// Where a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Before the call of this number, from 1.
    Before(usize),
    /// When the write of this number, from 1, has written half of its bytes.
    Within(usize),
}

impl Crash {
    /// Every point at which a process could die that left this trace.
    pub fn points(trace: &[String]) -> Vec<Self> {
        let writes = trace.iter().filter(|call| is_write(call)).count();
        let before = (1..=trace.len()).map(Self::Before);
        before.chain((1..=writes).map(Self::Within)).collect()
    }
}

fn is_write(call: &str) -> bool {
    let call = call.split(' ').next().unwrap_or_default();
    matches!(call, "write" | "writev" | "pwrite" | "pwritev")
}

/// A world whose nodes can be told to die.
pub struct Crashing {
    /// The world.
    pub world: World,
    library: PathBuf,
    saved: PathBuf,
}

impl Crashing {
    /// Starts a matcher and generated departments of `records` each.
    ///
    /// # Errors
    /// When files or processes cannot be made.
    pub fn of_departments(records: u64, seed: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (library, saved) = (
            preload::library(dir.path(), "writes")?,
            dir.path().join("saved"),
        );
        let world = preload::departments(dir, records, seed)?;
        Ok(Self {
            world,
            library,
            saved,
        })
    }

    /// Starts a node that will die at `crash`, or that only counts; `false` if it died before it
    /// was up.
    ///
    /// # Errors
    /// When it does not come up for another reason.
    pub fn start_counted(&mut self, node: &NodeName, crash: Option<Crash>) -> Result<bool> {
        let (_, party) = node;
        let (at, torn) = match crash {
            None => (0, false),
            Some(Crash::Before(at)) => (at, false),
            Some(Crash::Within(at)) => (at, true),
        };
        let trace = self.trace_file(party);
        let _ = fs::remove_file(&trace);
        let settings = [
            format!(
                "LINKAGE_CRASH_FOLDER={}",
                self.world.data_dir(party).display()
            ),
            format!("LINKAGE_CRASH_TRACE={}", trace.display()),
            format!("LINKAGE_CRASH_AT={at}"),
            format!("LINKAGE_CRASH_TORN={}", u8::from(torn)),
        ];
        let started = preload::restart(&mut self.world, node, &self.library, &settings)?;
        match started {
            Ok(()) => Ok(true),
            Err(ClusterError::Died { status, .. }) if crash.is_some() && is_killed(&status) => {
                Ok(false)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Starts a node that lives.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&mut self, (role, party): &NodeName) -> Result<()> {
        Ok(self.world.cluster.restart(*role, party)?)
    }

    /// Whether a node has died; `soon` if it must, since it was heard of no more.
    ///
    /// # Errors
    /// When it must and has not, or when it or another node has died of something else.
    pub fn has_died(&mut self, (_, party): &NodeName, soon: bool) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.world.cluster.check() {
                Ok(()) if !soon => return Ok(false),
                Ok(()) => ensure!(Instant::now() < deadline, "{party} has not died"),
                Err(ClusterError::Died { name, status, .. })
                    if name == party.as_str() && is_killed(&status) =>
                {
                    self.world.cluster.kill(party)?;
                    return Ok(true);
                }
                Err(other) => bail!(other),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The calls of a node that was started with [`Self::start_counted`].
    ///
    /// # Errors
    /// When there was none.
    pub fn trace(&self, (_, party): &NodeName) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.trace_file(party))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn trace_file(&self, party: &PartyId) -> PathBuf {
        self.world.node_dir(party).join("trace")
    }

    /// Keeps a copy of a stopped node's data.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn save(&self, (_, party): &NodeName) -> Result<()> {
        let copy = self.saved.join(party.as_str());
        copy_folder(&self.world.data_dir(party), &copy)
    }

    /// Gives a stopped node the data of the copy.
    ///
    /// # Errors
    /// When there is none, or it cannot be copied.
    pub fn restore(&self, node: &NodeName) -> Result<()> {
        self.empty(node)?;
        let (_, party) = node;
        copy_folder(
            &self.saved.join(party.as_str()),
            &self.world.data_dir(party),
        )
    }

    /// Removes a stopped node's data.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn empty(&self, (_, party): &NodeName) -> Result<()> {
        Ok(fs::remove_dir_all(self.world.data_dir(party))?)
    }
}

/// Whether a process was ended by a signal that it cannot catch.
fn is_killed(status: &str) -> bool {
    status.contains("signal: 9")
}

/// Copies a folder with its files, their permissions included.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, from.metadata()?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
