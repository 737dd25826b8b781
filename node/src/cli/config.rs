//! A node's configuration: checked, shown, explained.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use linkage_node::settings::{self, Key, Kind, Loaded, Sources, catalogue};
use serde_json::json;

use super::failure::{Blame, EXIT_OK, Failure};
use super::screen::{self, Form};

/// Folder of the configurations of installed nodes.
const FOLDER: &str = "/etc/linkage";

/// Which configuration a command is about.
#[derive(Debug, Args)]
pub struct Source {
    /// The node's configuration file; by default /etc/linkage/ROLE.toml
    #[arg(long, value_name = "FILE", conflicts_with = "role")]
    config: Option<PathBuf>,
    /// The node of this role on this machine; needed where both are
    #[arg(long, value_parser = ["owner", "matcher"])]
    role: Option<String>,
    /// Set a key, above all files and variables; repeat for each
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Source {
    /// Reads and checks the configuration in all its layers.
    pub fn load(&self) -> Result<Loaded, Failure> {
        Loaded::load(&self.sources()?).or_input()
    }

    /// The layers of the configuration, not read yet.
    pub fn sources(&self) -> Result<Sources, Failure> {
        Ok(Sources::of_process(&self.file()?, self.set.clone()))
    }

    /// The file that is meant.
    fn file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.config {
            return Ok(file.clone());
        }
        let installed = |role: &str| Path::new(FOLDER).join(format!("{role}.toml"));
        if let Some(role) = &self.role {
            return Ok(installed(role));
        }
        let (owner, matcher) = (installed("owner"), installed("matcher"));
        match (owner.exists(), matcher.exists()) {
            (true, false) => Ok(owner),
            (false, true) => Ok(matcher),
            (true, true) => Err(Failure::input(anyhow::anyhow!(
                "{FOLDER} has the configurations of an owner and of a matcher: say which with --role"
            ))),
            (false, false) => Err(Failure::input(anyhow::anyhow!(
                "there is no configuration in {FOLDER}: name one with --config FILE"
            ))),
        }
    }
}

/// Look into a node's configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Read all layers and say everything that is wrong, with file, line and the nearest key
    #[command(after_help = "\
Does not look at the files that the configuration names: `linkage doctor` does.

Example:
  linkage config check --config /etc/linkage/owner.toml")]
    Check(Source),
    /// Print every value that counts
    #[command(after_help = "\
Example:
  linkage config show --config /etc/linkage/owner.toml --origin")]
    Show(Show),
    /// Say what a key means, its default, and why; without KEY, list all keys
    #[command(after_help = "\
Example:
  linkage config explain limits.drain_timeout_s")]
    Explain(Explain),
}

/// Arguments of `config show`.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    source: Source,
    /// Also print where each value comes from
    #[arg(long)]
    origin: bool,
}

/// Arguments of `config explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The key, such as tls.cert or peer.address
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

impl Config {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Check(source) => check(&source, form)?,
            Self::Show(show) => show.run(form)?,
            Self::Explain(explain) => explain.run(form)?,
        }
        Ok(EXIT_OK)
    }
}

fn check(source: &Source, form: Form) -> Result<(), Failure> {
    let loaded = source.load()?;
    let given = |entry: &&settings::Entry| entry.origin != settings::Origin::Default;
    let (given, all) = (
        loaded.entries.iter().filter(given).count(),
        loaded.entries.len(),
    );
    let role = loaded.settings.role;
    let data = json!({ "role": role, "party": loaded.settings.party, "keys": all, "given": given });
    form.show(&data, || {
        let party = &loaded.settings.party;
        format!(
            "good: {role} {party}, {given} values given, {} by default",
            all - given
        )
    })?;
    Ok(())
}

impl Show {
    fn run(self, form: Form) -> Result<(), Failure> {
        let entries = self.source.load()?.entries;
        let data: Vec<_> = entries
            .iter()
            .map(|entry| {
                let origin = entry.origin.to_string();
                json!({ "key": entry.key, "value": entry.value, "origin": origin })
            })
            .collect();
        form.show(&data, || {
            let lines = entries.iter().map(|entry| match self.origin {
                true => format!("{} = {}  # {}", entry.key, entry.value, entry.origin),
                false => format!("{} = {}", entry.key, entry.value),
            });
            lines.collect::<Vec<_>>().join("\n")
        })?;
        Ok(())
    }
}

impl Explain {
    fn run(self, form: Form) -> Result<(), Failure> {
        let keys = match &self.key {
            None => all(),
            Some(name) => {
                let key = settings::key(name).map_err(|nearest| {
                    Failure::input(match nearest {
                        Some(near) => {
                            anyhow::anyhow!("there is no key `{name}`; `{near}` is meant?")
                        }
                        None => anyhow::anyhow!(
                            "there is no key `{name}`; `linkage config explain` lists all"
                        ),
                    })
                })?;
                vec![key]
            }
        };
        let data: Vec<_> = keys.iter().map(|key| described(key)).collect();
        form.show(&data, || match self.key {
            Some(_) => keys.iter().map(|key| explained(key)).collect(),
            None => {
                let rows = keys.iter().map(|key| {
                    let default = key.default.clone().unwrap_or_default();
                    vec![key.name.clone(), default, key.meaning.clone()]
                });
                screen::table(&["key", "default", "meaning"], 3, rows)
            }
        })?;
        Ok(())
    }
}

/// Every key that holds a value.
fn all() -> Vec<&'static Key> {
    fn collect(key: &'static Key, keys: &mut Vec<&'static Key>) {
        match key.kind.keys() {
            Some(inner) => inner.values().for_each(|key| collect(key, keys)),
            None => keys.push(key),
        }
    }
    let mut keys = vec![];
    catalogue().values().for_each(|key| collect(key, &mut keys));
    keys
}

fn described(key: &Key) -> serde_json::Value {
    json!({
        "key": key.name,
        "holds": key.kind.words(),
        "meaning": key.meaning,
        "reason": key.reason,
        "default": key.default,
        "required": key.is_required,
    })
}

fn explained(key: &Key) -> String {
    let default = match (&key.default, key.is_required) {
        (Some(default), _) => format!("by default {default}"),
        (None, true) => "must be given".to_owned(),
        (None, false) => "may be left out".to_owned(),
    };
    let mut text = format!(
        "{}: {}, {default}\n\n{}\n",
        key.name,
        key.kind.words(),
        key.meaning
    );
    if !key.reason.is_empty() {
        text.push_str(&format!("\n{}\n", key.reason));
    }
    if let Kind::Table(keys) | Kind::Tables(keys) = &key.kind {
        let names: Vec<_> = keys.values().map(|key| key.name.as_str()).collect();
        text.push_str(&format!("\nKeys: {}\n", names.join(", ")));
    }
    text
}
