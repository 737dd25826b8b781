//! Running a node.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use linkage_node::serve;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::failure::{Blame, EXIT_OK, Failure};
use super::runtime;

/// Run a node.
#[derive(Debug, Subcommand)]
pub enum Node {
    /// Serve until stopped
    Serve(Serve),
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
  signing_key = \"signing.key\"        # linkage key generate --out signing.key
  sealing_key = \"sealing.key\"        # owners only
  tls = { cert = \"cert.pem\", key = \"key.pem\", ca = \"ca.pem\" }

  [[peer]]                           # the matcher and every other owner
  role = \"matcher\"
  party = \"matcher\"
  address = \"matcher.example:7443\"

  [[dataset]]                        # owners only
  name = \"people\"
  path = \"people.csv\"

A matcher's names no sealing_key, peer or dataset. `linkage demo` leaves complete examples in its
folder. Logs go to standard error as JSON lines; LINKAGE_LOG sets their level (info). SIGTERM or
Ctrl-C: no new calls, those under way have 60 s to end.

Example:
  linkage node serve --config /etc/linkage/node.toml")]
pub struct Serve {
    /// The node's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also stop when standard input ends: for programs that start nodes
    #[arg(long)]
    stop_with_stdin: bool,
}

impl Node {
    /// Runs the command.
    pub fn run(self) -> Result<u8, Failure> {
        let Self::Serve(Serve {
            config,
            stop_with_stdin,
        }) = self;
        let level =
            EnvFilter::try_from_env("LINKAGE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt()
            .json()
            .with_writer(std::io::stderr)
            .with_env_filter(level)
            .init();
        runtime()?.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let shutdown = async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    () = end_of_input(), if stop_with_stdin => {}
                }
            };
            match serve::run(&config, shutdown).await {
                Ok(()) => Ok(EXIT_OK),
                Err(error @ (serve::Error::Settings(_) | serve::Error::KeyAtMatcher(_))) => {
                    Err(error).or_input()
                }
                Err(error) => Err(error.into()),
            }
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
