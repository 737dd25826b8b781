//! Backups of a node's data.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use linkage_node::backup::{self, Manifest};
use serde_json::json;

use super::config::Source;
use super::failure::{Blame as _, EXIT_OK, Failure};
use super::screen::{self, Form};

/// Back up a node's data, and restore them.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Write an encrypted backup of the node's data; the node may run
    Create(Create),
    /// List the backups in a folder
    #[command(after_help = "\
Example:
  linkage backup list /srv/backup")]
    List(List),
    /// Open a backup and check every file of it, the database and the audit log
    #[command(after_help = "\
Needs room for all of the backup, unpacked, beside it.

Example:
  linkage backup verify FILE --identity restore.age-key --config /etc/linkage/owner.toml")]
    Verify(Open),
    /// Put a backup in the place of the node's data, which are kept beside it; the node must not run
    Restore(Restore),
}

/// Arguments of `backup create`.
#[derive(Debug, Args)]
#[command(after_help = "\
Holds the database, uploads or outbox, project keys and the audit log; not the configuration, the
certificates and the keys that the configuration names. Anyone with the identity (`age-keygen`) of a
recipient can open it, with `age --decrypt` and `tar`.

Example:
  linkage backup create --config /etc/linkage/owner.toml --out /srv/backup \\
    --recipient age1...")]
pub struct Create {
    #[command(flatten)]
    source: Source,
    /// Folder for the backup
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who may open it: an age recipient; repeat for each
    #[arg(long = "recipient", value_name = "AGE1...", required = true)]
    recipients: Vec<String>,
}

/// Arguments of `backup list`.
#[derive(Debug, Args)]
pub struct List {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// A backup and what opens it.
#[derive(Debug, Args)]
pub struct Open {
    #[command(flatten)]
    source: Source,
    /// The backup
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    /// File of age identities, readable by its owner alone
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
}

/// Arguments of `backup restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Checks everything first. The audit log gets an entry backup.restore. Other nodes may have seen later
entries of the log, and will say so: tell their operators.

Example:
  linkage backup restore FILE --identity restore.age-key --config /etc/linkage/owner.toml \\
    --confirm 0199f3a2-...")]
pub struct Restore {
    #[command(flatten)]
    open: Open,
    /// The backup's id: what the node did since then is not in it
    #[arg(long, value_name = "BACKUP-ID")]
    confirm: Option<String>,
}

impl Backup {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Create(create) => create.run(form)?,
            Self::List(list) => list.run(form)?,
            Self::Verify(open) => {
                let settings = open.source.load()?.settings;
                let opened = backup::verify(&settings, &open.backup, &open.identity).or_input()?;
                form.show(&opened.manifest, || format!("whole: {}", told(&opened.manifest)))?;
            }
            Self::Restore(restore) => restore.run(form)?,
        }
        Ok(EXIT_OK)
    }
}

impl Create {
    fn run(self, form: Form) -> Result<(), Failure> {
        let settings = self.source.load()?.settings;
        let created = backup::create(&settings, &self.out, &self.recipients).or_input()?;
        let data = json!({ "path": created.path, "manifest": created.manifest });
        form.show(&data, || {
            format!("{}\n{}", created.path.display(), told(&created.manifest))
        })?;
        Ok(())
    }
}

impl List {
    fn run(self, form: Form) -> Result<(), Failure> {
        let listed = backup::list(&self.folder).or_input()?;
        form.show(&listed, || {
            let rows = listed.iter().map(|one| {
                let created = one.created.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
                let bytes = screen::count(one.bytes);
                vec![one.node.clone(), created, one.id.clone(), bytes]
            });
            screen::table(&["node", "made", "id", "bytes"], 3, rows)
        })?;
        Ok(())
    }
}

impl Restore {
    fn run(self, form: Form) -> Result<(), Failure> {
        let open = self.open;
        let settings = open.source.load()?.settings;
        let confirmed = self.confirm.as_deref();
        let restored = backup::restore(&settings, &open.backup, &open.identity, confirmed);
        let restored = restored.or_input()?;
        let data = json!({ "manifest": restored.manifest, "before": restored.before });
        form.show(&data, || {
            let told = told(&restored.manifest);
            match &restored.before {
                Some(before) => format!("restored: {told}\nwhat was there: {}", before.display()),
                None => format!("restored: {told}"),
            }
        })?;
        Ok(())
    }
}

fn told(manifest: &Manifest) -> String {
    let Manifest { role, party, id, .. } = manifest;
    let bytes = manifest.files.iter().map(|file| file.bytes).sum();
    let files = screen::counted(manifest.files.len() as u64, "file");
    format!("{role}/{party}, id {id}, {files}, {} bytes", screen::count(bytes))
}
