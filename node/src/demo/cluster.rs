//! Nodes as real processes on loopback, with a PKI, keys and configurations made on the spot.
//!
//! For the demo and for tests; what it writes is laid out as an operator would lay it out:
//!
//! ```text
//! pki/                     development certificate authority and certificates
//! nodes/<party>/node.toml  configuration; credential, signing.key, sealing.key beside it
//! nodes/<party>/data/      the node's own data: database, uploads or outbox, audit log
//! nodes/<party>/node.log   what it logged
//! people/<person>.toml     configurations of operators and analysts
//! audit.policy             whose audit logs and cosignatures to believe, and how many
//! ```

mod error;
mod parties;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use linkage_core::ids::PartyId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use self::error::Error;
use self::error::io;
use crate::identity::Role;
use crate::pki::{DevPki, Validity};
use crate::serve::ADDRESS_FILE;
use crate::settings::NodeRole;

/// Trust domain of made-up certificates.
pub const TRUST_DOMAIN: &str = "linkage.test";

/// The matcher's party.
pub const MATCHER: &str = "matcher";

/// The analyst's party.
pub const ANALYST: &str = "policy-lab";

/// The operator of every owner who answers for manifests.
pub const FIRST_OPERATOR: &str = "first";

/// The operator of every owner who signs them.
pub const SECOND_OPERATOR: &str = "second";

/// An owner agrees by two persons.
const OPERATORS: [&str; 2] = [FIRST_OPERATOR, SECOND_OPERATOR];

/// How long a node may take to start: databases and keys are made in a fraction of a second.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a node may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of a dead node's log that are shown.
const LOG_TAIL_BYTES: u64 = 4096;

/// Days that the certificates are valid.
const VALIDITY_DAYS: u32 = 30;

/// An owner to start.
#[derive(Debug, Clone)]
pub struct OwnerSpec {
    /// Its party.
    pub party: PartyId,
    /// Its data sets: name and CSV file.
    pub datasets: Vec<(String, PathBuf)>,
}

/// A node that runs as a child process.
pub struct Node {
    /// Its party.
    pub party: PartyId,
    /// Its role.
    pub role: NodeRole,
    /// Its configuration.
    pub config: PathBuf,
    /// Its own data.
    pub data_dir: PathBuf,
    /// What it logged.
    pub log: PathBuf,
    /// Where it listens.
    pub address: String,
    child: Child,
    /// Held open: the node stops when it closes, so that none outlives this process.
    _stdin: Option<ChildStdin>,
}

/// What a process used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Highest resident memory, bytes.
    pub memory_peak_bytes: u64,
    /// CPU time, seconds.
    pub cpu_seconds: f64,
}

/// Running nodes. Dropping it stops them.
pub struct Cluster {
    dir: PathBuf,
    program: PathBuf,
    pki: DevPki,
    nodes: Vec<Node>,
    /// Whether the nodes cosign each other's audit logs.
    is_witnessed: bool,
}

impl Cluster {
    /// Makes PKI, keys and configurations under `dir` and starts a matcher and the owners from the
    /// `linkage` binary `program`.
    ///
    /// # Errors
    /// [`Error`]; whatever had been started is stopped.
    pub fn start(dir: &Path, program: &Path, owners: &[OwnerSpec]) -> Result<Self, Error> {
        Self::start_with(dir, program, owners, false)
    }

    /// As [`Self::start`], with nodes that cosign each other's audit logs if `is_witnessed`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn start_with(
        dir: &Path,
        program: &Path,
        owners: &[OwnerSpec],
        is_witnessed: bool,
    ) -> Result<Self, Error> {
        crate::store::private_folder(dir)
            .map_err(|e| io(format!("cannot make {}", dir.display()))(std::io::Error::other(e)))?;
        let dir = fs::canonicalize(dir).map_err(io(format!("cannot use {}", dir.display())))?;
        let validity = Validity::starting(jiff::Timestamp::now(), VALIDITY_DAYS)?;
        let pki = DevPki::create(&dir.join("pki"), TRUST_DOMAIN, validity)?;
        let mut cluster = Self {
            dir,
            program: program.into(),
            pki,
            nodes: vec![],
            is_witnessed,
        };
        let peers = cluster.prepare(owners)?;
        let matcher = OwnerSpec {
            party: cluster.matcher_party(),
            datasets: vec![],
        };
        for spec in std::iter::once(&matcher).chain(owners) {
            let role = if spec.party == matcher.party {
                NodeRole::Matcher
            } else {
                NodeRole::Owner
            };
            cluster.configure(role, spec, &peers)?;
            cluster.launch(role, &spec.party)?;
        }
        for owner in owners {
            let party = &owner.party;
            for operator in OPERATORS {
                cluster.person(
                    Role::Operator,
                    party,
                    Some(operator),
                    std::slice::from_ref(party),
                )?;
            }
        }
        let parties: Vec<_> = owners.iter().map(|owner| owner.party.clone()).collect();
        let analyst = cluster.analyst_party();
        cluster.person(Role::Analyst, &analyst, None, &parties)?;
        Ok(cluster)
    }

    /// The folder of everything.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The certificate authority, to issue more certificates.
    pub fn pki(&self) -> &DevPki {
        &self.pki
    }

    /// The nodes, the matcher first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The policy of the audit logs: every node's log and witness, two of which must have cosigned.
    pub fn audit_policy(&self) -> PathBuf {
        self.dir.join("audit.policy")
    }

    /// The node of a party.
    pub fn node(&self, party: &PartyId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.party == *party)
    }

    /// The matcher.
    pub fn matcher(&self) -> Option<&Node> {
        self.nodes
            .iter()
            .find(|node| node.role == NodeRole::Matcher)
    }

    /// Configuration of an owner's first operator, who answers for manifests.
    pub fn operator_config(&self, party: &PartyId) -> PathBuf {
        self.person_config(party, FIRST_OPERATOR)
    }

    /// Configuration of an owner's second operator, who signs.
    pub fn signer_config(&self, party: &PartyId) -> PathBuf {
        self.person_config(party, SECOND_OPERATOR)
    }

    fn person_config(&self, party: &PartyId, person: &str) -> PathBuf {
        let name = format!("operator-{party}.{person}.toml");
        self.dir.join("people").join(name)
    }

    /// Configuration of the analyst.
    pub fn analyst_config(&self) -> PathBuf {
        self.dir
            .join("people")
            .join(format!("analyst-{ANALYST}.toml"))
    }

    /// Kills a node without warning, as a power cut would.
    ///
    /// # Errors
    /// When the process cannot be killed.
    pub fn kill(&mut self, party: &PartyId) -> Result<(), Error> {
        let failed = || io(format!("cannot kill {party}"));
        if let Some(at) = self.nodes.iter().position(|node| node.party == *party) {
            let mut node = self.nodes.remove(at);
            node.child.kill().map_err(failed())?;
            node.child.wait().map_err(failed())?;
        }
        Ok(())
    }

    /// Waits until a node has ended by itself.
    ///
    /// # Errors
    /// When its process cannot be waited for.
    pub fn wait(&mut self, party: &PartyId) -> Result<Option<ExitStatus>, Error> {
        let Some(at) = self.nodes.iter().position(|node| node.party == *party) else {
            return Ok(None);
        };
        let status = self.nodes.remove(at).child.wait();
        status
            .map(Some)
            .map_err(io(format!("cannot wait for {party}")))
    }

    /// Starts a node again on its configuration.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self, role: NodeRole, party: &PartyId) -> Result<(), Error> {
        self.launch(role, party)
    }

    /// Names the first node that has ended by itself.
    ///
    /// # Errors
    /// [`Error::Died`] with the end of its log.
    pub fn check(&mut self) -> Result<(), Error> {
        self.nodes.iter_mut().try_for_each(Node::check)
    }

    /// Asks every node to stop, waits, kills what remains.
    pub fn stop(&mut self) {
        use tokio::runtime::{Handle, RuntimeFlavor};
        // Nodes wait for their clients' farewells: those of this process must go on meanwhile.
        let within = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        if matches!(within, Ok(RuntimeFlavor::MultiThread)) {
            tokio::task::block_in_place(|| self.stop_nodes());
        } else {
            self.stop_nodes();
        }
    }

    fn stop_nodes(&mut self) {
        for node in &self.nodes {
            node.signal(Signal::SIGTERM);
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        for node in &mut self.nodes {
            while matches!(node.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            // An error here means that the process is gone, which is what was wanted.
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
    }

    fn matcher_party(&self) -> PartyId {
        party(MATCHER)
    }

    fn analyst_party(&self) -> PartyId {
        party(ANALYST)
    }

    fn node_dir(&self, party: &PartyId) -> PathBuf {
        self.dir.join("nodes").join(party.as_str())
    }

    fn launch(&mut self, role: NodeRole, party: &PartyId) -> Result<(), Error> {
        let dir = self.node_dir(party);
        let (config, log) = (dir.join("node.toml"), dir.join("node.log"));
        let data_dir = dir.join("data");
        let address_file = data_dir.join(ADDRESS_FILE);
        let _ = fs::remove_file(&address_file);
        let log_file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(io(format!("cannot write {}", log.display())))?;
        let mut child = Command::new(&self.program)
            .args(["node", "serve", "--stop-with-stdin", "--config"])
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log_file)
            // Ctrl-C on the terminal reaches this process alone, which then stops the nodes.
            .process_group(0)
            .spawn()
            .map_err(io(format!("cannot start {}", self.program.display())))?;
        let stdin = child.stdin.take();
        let address = String::new();
        let mut node = Node {
            party: party.clone(),
            role,
            config,
            data_dir,
            log,
            address,
            child,
            _stdin: stdin,
        };
        let deadline = Instant::now() + START_TIMEOUT;
        while !address_file.exists() {
            node.check()?;
            if Instant::now() > deadline {
                let _ = node.child.kill();
                let (log, tail) = (node.log.clone(), node.log_tail());
                return Err(Error::Slow {
                    name: party.to_string(),
                    log,
                    tail,
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        node.address = fs::read_to_string(&address_file).map_err(io("cannot read the address"))?;
        self.nodes.push(node);
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Node {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory and CPU time so far, from `/proc`.
    pub fn usage(&self) -> Option<Usage> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = peak.trim().trim_end_matches("kB").trim().parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        // The second field, the name in brackets, may hold blanks; fields are counted after it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        // User and system time are fields 14 and 15 of proc(5), 11 and 12 after the name.
        let cpu_seconds = (ticks(11)? + ticks(12)?) as f64 / per_second as f64;
        Some(Usage {
            memory_peak_bytes: kib * 1024,
            cpu_seconds,
        })
    }

    fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(Error::Died {
                name: self.party.to_string(),
                status: status.to_string(),
                log: self.log.clone(),
                tail: self.log_tail(),
            }),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid()) {
            // A node that has ended by itself needs no signal.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// The last lines of the log.
    fn log_tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
            let mut bytes = vec![];
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<_> = text
            .lines()
            .rev()
            .take(12)
            .map(|line| format!("  {line}"))
            .collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// One of this module's own names.
#[allow(
    clippy::expect_used,
    reason = "constants of this file, checked by a test"
)]
fn party(name: &str) -> PartyId {
    name.parse().expect("a well-formed name")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_own_names_are_well_formed() {
        super::party(super::MATCHER);
        super::party(super::ANALYST);
    }
}
