//! `linkage audit export` and `prune`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use linkage_core::audit::action::Action;
use linkage_core::audit::export::Form as Shape;
use linkage_node::auditlog::AuditLog;
use linkage_node::auditlog::export::{Export as Exporting, Target};
use linkage_node::auditlog::prune::{self, KEEP_DAYS_DEFAULT};
use linkage_node::identity::Identity;
use linkage_node::journal::Journal;
use linkage_node::serve::audit_keys;
use serde_json::json;

use super::super::config::Source;
use super::super::failure::{Blame, EXIT_OK, Failure};
use super::super::screen::{self, Form};

/// How often a followed log is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// Arguments of `audit export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Sends every entry from the cursor on and moves the cursor when the receiver has taken them. An entry \
may be sent twice, never left out: the sequence number (`seq`, `sequenceId`, `externalId`) lets the \
receiver drop what it has. The export reads files and cannot hold up the node. The cursor file also \
tells `linkage audit prune` what has been exported.

  --to -                         standard output
  --to file:/var/log/audit.json  a file, with another one begun after --rotate-mib
  --to tcp:collector:601         TCP with counted frames (RFC 6587)
  --to tls:collector:6514        the same over TLS 1.3 (RFC 5425), checked with --ca

Example:
  linkage audit export /var/lib/linkage/audit --format syslog --to tls:collector.example:6514 \\
    --ca collector-ca.pem --cursor /var/lib/linkage/export.cursor --follow")]
pub struct Export {
    /// Folder that holds the log
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Form of the entries
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Where they go
    #[arg(long, value_name = "TARGET", default_value = "-")]
    to: String,
    /// File that holds how far the export is; without one everything is sent
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// PEM file of the authorities that the receiver's certificate must come from
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Size at which an export file is put aside and another begun
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    rotate_mib: u64,
    /// Go on and send entries as they come
    #[arg(long)]
    follow: bool,
}

/// A form of export, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON lines: the exact entries
    Json,
    /// RFC 5424 messages, the entry as the text
    Syslog,
    /// Common Event Format, version 0
    Cef,
}

/// Arguments of `audit prune`.
#[derive(Debug, Args)]
#[command(after_help = "\
Deletes the entries that are older than --keep-days and have been exported up to --exported, in \
files of 65 536. The hashes of all entries stay, so that the log can be verified and every receipt \
stays good. Fewer than 180 days are refused: the law wants six months. While a file `hold` is in the \
log's folder nothing is deleted. The node must be stopped; what was deleted is told in its log.

Example:
  linkage audit prune --config /etc/linkage/node.toml --exported /var/lib/linkage/export.cursor")]
pub struct Prune {
    #[command(flatten)]
    source: Source,
    /// Cursor of the export that holds the entries
    #[arg(long, value_name = "FILE")]
    exported: PathBuf,
    /// Days that entries are kept
    #[arg(long, value_name = "DAYS", default_value_t = KEEP_DAYS_DEFAULT)]
    keep_days: u32,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

impl Export {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let target = self.target()?;
        let format = match self.format {
            Format::Json => Shape::Json,
            Format::Syslog => Shape::Syslog,
            Format::Cef => Shape::Cef,
        };
        let mut export = Exporting::begin(&self.dir, self.cursor.clone(), format, &target)
            .with_context(|| format!("the log in {} cannot be exported", self.dir.display()))
            .or_input()?;
        loop {
            let exported = export.run().context("the export was cut short")?;
            if !self.follow {
                if target != Target::Stdout {
                    let result = json!({ "sent": exported.sent, "next": exported.next });
                    form.show(&result, || {
                        let sent = screen::count(exported.sent);
                        format!("{sent} entries sent; the next is {}", exported.next)
                    })?;
                }
                return Ok(EXIT_OK);
            }
            std::thread::sleep(FOLLOW_INTERVAL);
        }
    }

    fn target(&self) -> Result<Target, Failure> {
        let wrong = || {
            let message = format!("{:?} is none of -, file:…, tcp:… and tls:…", self.to);
            Failure::input(anyhow::anyhow!(message))
        };
        if self.to == "-" {
            return Ok(Target::Stdout);
        }
        match self.to.split_once(':').ok_or_else(wrong)? {
            ("file", path) => Ok(Target::File {
                path: path.into(),
                bytes_max: self.rotate_mib << 20,
            }),
            ("tcp", address) => Ok(Target::Tcp(address.to_owned())),
            ("tls", address) => {
                let ca = self.ca.clone().ok_or_else(|| {
                    Failure::input(anyhow::anyhow!(
                        "tls: needs --ca, the receiver's authorities"
                    ))
                })?;
                let address = address.to_owned();
                Ok(Target::Tls { address, ca })
            }
            _ => Err(wrong()),
        }
    }
}

impl Prune {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let settings = self.source.load()?.settings;
        let dir = settings.data_dir.join("audit");
        let log = AuditLog::open(&dir, audit_keys(&settings).or_input()?).or_input()?;
        let role = settings.role.role();
        let me = Identity::new(&settings.trust_domain, role, settings.party.as_str()).or_input()?;
        let journal = Journal::new(log, me);
        let (files, minimum) =
            prune::plan(&dir, &self.exported, self.keep_days, Timestamp::now()).or_input()?;
        if !self.dry_run && !files.is_empty() {
            let act = journal.act(Action::AuditPrune, "journal");
            let intent = act.count("minimum_index", minimum).intent()?;
            let deleted = prune::delete(&dir, &files);
            intent.end_with(deleted.map_err(Into::into))?;
        }
        let result = json!({
            "minimum_index": minimum,
            "files": files.len(),
            "deleted": !self.dry_run,
        });
        form.show(&result, || {
            let files = screen::counted(files.len() as u64, "file");
            let done = if self.dry_run { "would be" } else { "were" };
            format!("{files} of the journal {done} deleted; the first entry is {minimum}")
        })?;
        Ok(EXIT_OK)
    }
}
