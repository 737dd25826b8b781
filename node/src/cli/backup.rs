//! `linkage backup`: backups of a node's data.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use linkage_node::backup::{self, Manifest, Restored};
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
Needs room for all of the backup, unpacked, beside it, and the node's credential.

Example:
  linkage backup verify FILE --identity restore.age-key --config /etc/linkage/owner.toml")]
    Verify(Open),
    /// Put a backup in the place of a node's data; there must be none
    Restore(Restore),
}

/// Arguments of `backup create`.
#[derive(Debug, Args)]
#[command(after_help = "\
Holds the databases, uploads or outbox, receipts, the audit log, and all keys as they lie there, \
encrypted under the credential; not the credential, the configuration and the certificates. Whoever has \
the identity of a recipient (`age-keygen`) can open it, with `age --decrypt` and `tar`. Needs the node's \
credential, to sign, and beside the data room for the databases and the audit log. Run it as the node's \
user. The audit log gets an entry backup.create.

Example:
  linkage backup create --config /etc/linkage/owner.toml --out /srv/backup \\
    --set credential=file:/media/usb/linkage.credential --recipient AGE1...")]
pub struct Create {
    #[command(flatten)]
    source: Source,
    /// Folder for the backup
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who may open it: an age recipient; repeat for each
    #[arg(long = "recipient", value_name = "AGE1...")]
    recipient: Vec<String>,
    /// File of age recipients, one a line; lines that begin with # are left out
    #[arg(long, value_name = "FILE")]
    recipients: Option<PathBuf>,
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
The folder of the data must be absent or empty, and everything is checked before anything is put in \
place. Keys are put where the configuration names them and none are. The audit log gets an entry \
backup.restore. Other nodes may have seen later entries of the log, and will say so: tell their operators.

Example:
  linkage backup restore FILE --identity restore.age-key --config /etc/linkage/owner.toml \\
    --set credential=file:/media/usb/linkage.credential --confirm BACKUP-ID")]
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
                let manifest = backup::verify(&settings, &open.backup, &open.identity);
                let manifest = manifest.or_input()?;
                form.show(&manifest, || format!("whole: {}", told(&manifest)))?;
            }
            Self::Restore(restore) => restore.run(form)?,
        }
        Ok(EXIT_OK)
    }
}

impl Create {
    fn run(self, form: Form) -> Result<(), Failure> {
        let settings = self.source.load()?.settings;
        let mut recipients = self.recipient;
        if let Some(file) = &self.recipients {
            let text = fs::read_to_string(file);
            let text = text.with_context(|| format!("{} cannot be read", file.display()));
            let lines = text.or_input()?;
            let lines = lines.lines().map(str::trim);
            let named = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            recipients.extend(named.map(str::to_owned));
        }
        let created = backup::create(&settings, &self.out, &recipients).or_input()?;
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
        let data: Vec<_> = listed
            .iter()
            .map(|one| {
                json!({ "path": one.path, "node": one.node, "id": one.id,
                        "created": one.created.to_string(), "bytes": one.bytes })
            })
            .collect();
        form.show(&data, || {
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
        let Restored {
            manifest,
            entries,
            keys,
        } = restored;
        let data = json!({ "manifest": manifest, "entries": entries, "keys": keys });
        form.show(&data, || {
            let mut lines = vec![format!("restored: {}", told(&manifest))];
            lines.extend(keys.iter().map(|key| format!("key: {}", key.display())));
            lines.join("\n")
        })?;
        Ok(())
    }
}

/// A backup in one line.
fn told(manifest: &Manifest) -> String {
    let Manifest {
        role, party, id, ..
    } = manifest;
    let bytes = manifest.files.iter().map(|file| file.bytes).sum();
    let files = screen::counted(manifest.files.len() as u64, "file");
    let (bytes, entries) = (screen::count(bytes), screen::count(manifest.audit.size));
    format!(
        "{}/{party}, id {id}, {files}, {bytes} bytes, {entries} signed audit entries, root {}",
        role.as_str(),
        manifest.audit.root
    )
}
