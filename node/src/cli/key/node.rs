//! The secrets of a node: drawn, encrypted at rest, moved to another credential.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use linkage_core::keys::SealingKey;
use linkage_node::sealed::{self, Credential};
use linkage_node::secret::SecretRef;
use linkage_node::settings::Settings;
use linkage_node::{entropy, keyfile};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use zeroize::Zeroizing;

use super::super::config::Source;
use super::super::failure::{Blame as _, EXIT_OK, Failure};
use super::super::screen::{self, Form};

/// Arguments of `key credential`.
#[derive(Debug, Args)]
#[command(after_help = "\
Whoever has the credential and the node's disk has the node's keys: keep them apart. With systemd, \
encrypt it to the machine and name it in the unit as LoadCredentialEncrypted=; then the setting is \
credential = \"credential:NAME\".

Examples:
  linkage key credential --out /media/usb/linkage.credential
  systemd-creds encrypt --name=linkage /media/usb/linkage.credential /etc/credstore.encrypted/linkage")]
pub struct Draw {
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Arguments of `key seal`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the public halves, which the other parties write into their configuration. Repeating it changes \
nothing. Where systemd hands the credential to the service alone, name its file here.

Examples:
  linkage key seal --config node.toml
  linkage key seal --role owner --set credential=file:/media/usb/linkage.credential")]
pub struct Seal {
    #[command(flatten)]
    source: Source,
}

/// Arguments of `key rotate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Stop the node first, and write the new reference into its configuration afterwards. What was interrupted \
goes on when it is repeated.

Example:
  linkage key rotate --config node.toml --to file:/media/usb/new.credential")]
pub struct Rotate {
    #[command(flatten)]
    source: Source,
    /// The new credential: credential:NAME or file:PATH
    #[arg(long, value_name = "REFERENCE")]
    to: String,
}

/// A file of a node that holds a secret.
struct Secret {
    path: PathBuf,
    label: String,
}

/// Shows the state of every secret of a node.
pub fn status(source: &Source, form: Form) -> Result<u8, Failure> {
    let settings = source.load()?.settings;
    let credential = credential(&settings.credential)?;
    show(form, &settings, &credential)
}

impl Draw {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let secret = entropy::secret()?;
        let comment = "linkage credential. Secret: whoever has it opens this node's keys.";
        match keyfile::create(&self.out, comment, &secret) {
            Err(error @ keyfile::Error::Exists(_)) => Err(error).or_input()?,
            other => other?,
        }
        let name = credential(&SecretRef::File(self.out.clone()))?.name();
        form.show(&json!({ "file": self.out, "credential": name }), || {
            format!("Credential {name} written to {}", self.out.display())
        })?;
        Ok(EXIT_OK)
    }
}

impl Seal {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let settings = self.source.load()?.settings;
        let credential = credential(&settings.credential)?;
        for Secret { path, label } in node_keys(&settings) {
            if !path.exists() {
                let drawn = drawn(&label)?;
                sealed::create(&path, &label, &drawn, &credential).or_input()?;
            } else if sealed::sealed_under(&path).or_input()?.is_none() {
                let plain = keyfile::read(&path).or_input()?;
                sealed::replace(&path, &label, plain.as_slice(), &credential).or_input()?;
            }
        }
        show(form, &settings, &credential)
    }
}

impl Rotate {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let settings = self.source.load()?.settings;
        let before = credential(&settings.credential)?;
        let after = credential(&SecretRef::from(self.to))?;
        for Secret { path, label } in secrets(&settings)? {
            let under = sealed::sealed_under(&path).or_input()?;
            if under == Some(after.name()) {
                continue;
            }
            let secret = sealed::read(&path, &label, &before).or_input()?;
            sealed::replace(&path, &label, &secret, &after).or_input()?;
        }
        show(form, &settings, &after)
    }
}

fn credential(reference: &SecretRef) -> Result<Credential, Failure> {
    Credential::read(reference).or_input()
}

/// The keys that the configuration names.
fn node_keys(settings: &Settings) -> Vec<Secret> {
    let signing = Some((&settings.signing_key, sealed::SIGNING_KEY));
    let sealing = settings
        .sealing_key
        .as_ref()
        .map(|path| (path, sealed::SEALING_KEY));
    let keys = signing.into_iter().chain(sealing);
    keys.map(|(path, label)| Secret {
        path: path.clone(),
        label: label.to_owned(),
    })
    .collect()
}

/// Every secret of the node, in order of path.
fn secrets(settings: &Settings) -> Result<Vec<Secret>, Failure> {
    let mut secrets = node_keys(settings);
    let folder = settings.data_dir.join("keys");
    if folder.exists() {
        let mut paths = vec![];
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            // A file that a crash left half-written is none.
            if path.extension().is_some_and(|extension| extension != "new") {
                paths.push(path);
            }
        }
        paths.sort();
        secrets.extend(paths.into_iter().map(|path| Secret {
            label: sealed::label_of(&path),
            path,
        }));
    }
    Ok(secrets)
}

fn drawn(label: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if label == sealed::SEALING_KEY {
        return Ok(SealingKey::generate(&mut entropy::generator()?).expose());
    }
    Ok(Zeroizing::new(entropy::secret()?.to_vec()))
}

/// The public half of a node's key; of a project's secret there is none.
fn public(label: &str, secret: &[u8]) -> Option<String> {
    match label {
        sealed::SIGNING_KEY => {
            let key = Ed25519KeyPair::from_seed_unchecked(secret).ok()?;
            Some(hex::encode(key.public_key().as_ref()))
        }
        sealed::SEALING_KEY => {
            let key = SealingKey::from_bytes(secret).ok()?;
            Some(hex::encode(key.public().to_bytes()))
        }
        _ => None,
    }
}

/// Shows every secret with the credential it is under and whether it opens; fails if one does not.
fn show(form: Form, settings: &Settings, credential: &Credential) -> Result<u8, Failure> {
    let mut rows = vec![];
    let mut faults = 0;
    for Secret { path, label } in secrets(settings)? {
        let (state, public) = match sealed::read(&path, &label, credential) {
            Ok(secret) => ("opens".to_owned(), public(&label, &secret)),
            Err(error) => {
                faults += 1;
                (error.reason().to_owned(), None)
            }
        };
        rows.push((path, state, public));
    }
    let data = rows
        .iter()
        .map(|(path, state, public)| json!({ "file": path, "state": state, "public_key": public }));
    let data = json!({ "credential": credential.name(), "secrets": data.collect::<Vec<_>>() });
    form.show(&data, || {
        let lines = rows.iter().map(|(path, state, public)| {
            vec![
                name(path),
                state.clone(),
                public.clone().unwrap_or_default(),
            ]
        });
        let table = screen::table(&["secret", "state", "public key"], 3, lines);
        format!("credential {}\n\n{table}", credential.name())
    })?;
    if faults > 0 {
        return Err(Failure::input(anyhow!(
            "{faults} of the node's secrets do not open under the credential {}",
            credential.name()
        )));
    }
    Ok(EXIT_OK)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
