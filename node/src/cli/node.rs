//! Running a node.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use linkage_node::observe::{http, log};
use linkage_node::serve::{self, MONITOR_FILE, Stop};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::config::Source;
use super::failure::{Blame, EXIT_FAILED, EXIT_OK, Failure};
use super::runtime;
use super::screen::Form;

/// Run a node.
#[derive(Debug, Subcommand)]
pub enum Node {
    /// Serve until stopped
    Serve(Serve),
    /// Ask the node on this machine whether it is ready, and why not
    Status(Status),
}

/// Arguments of `node serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
The configuration says whether the node is an owner or a matcher. An owner's:

  role = \"owner\"
  party = \"health\"
  trust_domain = \"linkage.example\"
  listen = \"0.0.0.0:7443\"
  data_dir = \"/var/lib/linkage\"
  credential = \"credential:linkage\"  # or file:PATH; see `linkage key credential --help`
  signing_key = \"signing.key\"        # drawn and encrypted by `linkage key seal`
  sealing_key = \"sealing.key\"        # owners only
  tls = { cert = \"cert.pem\", key = \"key.pem\", ca = \"ca.pem\" }

  [[peer]]                           # the matcher and every other owner
  role = \"matcher\"
  party = \"matcher\"
  address = \"matcher.example:7443\"

  [[dataset]]                        # owners only
  name = \"people\"
  path = \"people.csv\"              # or Parquet, XLSX, PostgreSQL: see `linkage encode --help`

A matcher's names no sealing_key, peer or dataset. `linkage config explain` lists all keys; files in
conf.d beside the configuration, variables LINKAGE__A__B and --set override it, in this order.
`linkage demo` leaves complete examples in its folder.

Logs go to standard error as JSON lines. SIGTERM or Ctrl-C: no new calls, those under way have 60 s to
end; a second signal: stop now. SIGHUP: take over new certificates and a new log level; a configuration
that is not acceptable changes nothing.

Example:
  linkage node serve --config /etc/linkage/node.toml")]
pub struct Serve {
    #[command(flatten)]
    source: Source,
    /// Also stop when standard input ends: for programs that start nodes
    #[arg(long)]
    stop_with_stdin: bool,
}

/// Arguments of `node status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Asks at the address monitor.listen of the configuration. The exit code is 0 if the node is ready, 1 if
it is not or does not run.

Example:
  linkage node status --config /etc/linkage/owner.toml")]
pub struct Status {
    #[command(flatten)]
    source: Source,
}

impl Node {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Status(status) => status.run(form),
        }
    }
}

impl Serve {
    fn run(self) -> Result<u8, Failure> {
        let loaded = self.source.load()?;
        let level = log::begin(&loaded.settings.log.level).or_input()?;
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            let (asked, mut first) = watch::channel(0);
            let mut second = first.clone();
            count_signals(asked.clone())?;
            if self.stop_with_stdin {
                tokio::spawn(async move {
                    end_of_input().await;
                    asked.send_modify(|asked| *asked = (*asked).max(1));
                });
            }
            let stop = Stop {
                // A sender that is gone means that the process ends anyway.
                asked: async move { drop(first.wait_for(|asked| *asked >= 1).await) },
                now: async move { drop(second.wait_for(|asked| *asked >= 2).await) },
            };
            match serve::run(loaded, level, stop).await {
                Ok(()) => Ok(EXIT_OK),
                Err(error @ serve::Error::KeyAtMatcher(_)) => Err(error).or_input(),
                Err(error) => Err(error.into()),
            }
        });
        // Work that could not be asked to end, such as a run, ends with the process: what it was
        // about to store was not stored.
        runtime.shutdown_background();
        result
    }
}

/// Counts the signals that ask this process to end.
fn count_signals(asked: watch::Sender<u32>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            asked.send_modify(|asked| *asked += 1);
        }
    });
    Ok(())
}

impl Status {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let settings = self.source.load()?.settings;
        let file = settings.data_dir.join(MONITOR_FILE);
        if settings.monitor.listen.is_none() {
            return Err(Failure::input(anyhow::anyhow!(
                "the configuration has no monitor.listen: the node shows its state nowhere"
            )));
        }
        let address = std::fs::read_to_string(&file)
            .with_context(|| format!("{} cannot be read: has the node run?", file.display()))?;
        let state = runtime()?.block_on(http::status(address.trim()))?;
        form.show(&state, || state.words())?;
        Ok(if state.is_ready() {
            EXIT_OK
        } else {
            EXIT_FAILED
        })
    }
}

/// Ends when standard input does. A thread of its own reads it: the runtime would wait for a
/// blocking read of its own when it stops.
async fn end_of_input() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Nothing is ever sent; the copy ends when the other side is closed or gone.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
