//! Checks of the files that the configuration names.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Finding, Verdict};
use crate::fault::Chain;
use crate::observe::certificates::remaining_s;
use crate::sealed::{self, Credential};
use crate::secret::SecretRef;
use crate::serve;
use crate::settings::Settings;
use crate::tls;

const FILES: &str = "files";
const CERTIFICATES: &str = "certificates";

/// A day in seconds.
const DAY_S: i64 = 24 * 60 * 60;

/// Days before a certificate's end at which it is mentioned: authorities take days, and people go
/// on holiday.
const WARN_DAYS: i64 = 30;

/// Days before a certificate's end at which all else can wait.
const BAD_DAYS: i64 = 1;

/// Most entries of the data folder that are looked at: a matcher keeps a few files for each upload.
const ENTRIES_MAX: usize = 100_000;

/// Who may read the keys and the data.
pub(super) fn modes(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![];
    let keys = [
        Some(&settings.signing_key),
        settings.sealing_key.as_ref(),
        Some(&settings.tls.key),
    ];
    for path in keys.into_iter().flatten() {
        private(path, &mut findings);
    }
    findings.extend(credential(settings));
    if settings.data_dir.exists() {
        for path in below(&settings.data_dir) {
            private(&path, &mut findings);
        }
    }
    for path in [&settings.tls.cert, &settings.tls.ca] {
        if let Err(error) = fs::File::open(path) {
            findings.push(unreadable(path, &error));
        }
    }
    for dataset in &settings.datasets {
        let Some(path) = &dataset.path else {
            continue;
        };
        if let Err(error) = fs::File::open(path) {
            findings.push(unreadable(path, &error));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good(FILES, "keys and data are closed to others"));
    }
    findings
}

/// Complains of a credential that cannot be read, or under which a key does not open.
fn credential(settings: &Settings) -> Vec<Finding> {
    let bad = |error: &sealed::Error| {
        let remedy = "see `linkage key status`; `linkage key seal` encrypts keys that are not";
        Finding::new(
            FILES,
            Verdict::Bad,
            error.reason(),
            Chain(error).to_string(),
            remedy,
        )
    };
    let credential = match Credential::read(&settings.credential) {
        Ok(credential) => credential,
        // systemd shows a credential to its service alone.
        Err(_) if matches!(settings.credential, SecretRef::Credential(_)) => return vec![],
        Err(error) => return vec![bad(&error)],
    };
    let signing = Some((&settings.signing_key, sealed::SIGNING_KEY));
    let sealing = settings.sealing_key.as_ref();
    let keys = signing
        .into_iter()
        .chain(sealing.map(|path| (path, sealed::SEALING_KEY)));
    keys.filter(|(path, _)| path.exists())
        .filter_map(|(path, label)| sealed::read_key(path, label, &credential).err())
        .map(|error| bad(&error))
        .collect()
}

/// Complains of a file or folder that is not there or that others may open.
fn private(path: &Path, findings: &mut Vec<Finding>) {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return findings.push(unreadable(path, &error)),
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && !metadata.is_symlink() {
        let right = if metadata.is_dir() { 700 } else { 600 };
        findings.push(Finding::new(
            FILES,
            Verdict::Bad,
            "files.open",
            format!(
                "{} is open to other users (mode {mode:03o})",
                path.display()
            ),
            format!("chmod {right} {}", path.display()),
        ));
    }
    let me = nix::unistd::geteuid().as_raw();
    if metadata.uid() != me && me != 0 {
        findings.push(Finding::new(
            FILES,
            Verdict::Warning,
            "files.owner",
            format!("{} belongs to another user than asks", path.display()),
            "run this as the node's user: `sudo -u`",
        ));
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Finding {
    let words = format!("{} cannot be read: {error}", path.display());
    let remedy = "put the file there, readable by the node's user";
    Finding::new(FILES, Verdict::Bad, "files.unreadable", words, remedy)
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        at += 1;
        if found.len() < ENTRIES_MAX && path.is_dir() && !path.is_symlink() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            found.extend(entries.map(|entry| entry.path()));
        }
    }
    found
}

/// Whether certificate, key and authorities belong together, name this node, and go on.
pub(super) fn certificates(settings: &Settings, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![];
    if let Err(error) = tls::server_config(&settings.tls_files()) {
        let words = Chain(&error).to_string();
        let remedy = "ask the certificate authority for a new pair";
        findings.push(Finding::new(
            CERTIFICATES,
            Verdict::Bad,
            "certificate.unusable",
            words,
            remedy,
        ));
    } else if let Err(error) = serve::identity(settings) {
        findings.push(Finding::new(
            CERTIFICATES,
            Verdict::Bad,
            "certificate.identity",
            Chain(&error).to_string(),
            "ask the certificate authority for one that names this node",
        ));
    }
    for file in [&settings.tls.cert, &settings.tls.ca] {
        findings.extend(remaining_s(file, now).and_then(|remaining| ending(file, remaining)));
    }
    if findings.is_empty() {
        let remaining = remaining_s(&settings.tls.cert, now).unwrap_or_default();
        let words = format!("good for {} days", remaining / DAY_S);
        findings.push(Finding::good(CERTIFICATES, words));
    }
    findings
}

fn ending(file: &Path, remaining: i64) -> Option<Finding> {
    let file = file.display();
    let days = remaining / DAY_S;
    let (verdict, code, words) = if remaining <= 0 {
        (
            Verdict::Bad,
            "certificate.expired",
            format!("{file} has ended"),
        )
    } else if days < BAD_DAYS {
        (
            Verdict::Bad,
            "certificate.expiring",
            format!("{file} ends within a day"),
        )
    } else if days < WARN_DAYS {
        (
            Verdict::Warning,
            "certificate.expiring",
            format!("{file} ends in {days} days"),
        )
    } else {
        return None;
    };
    let remedy = "renew it, put the new file in its place, and send the node SIGHUP";
    Some(Finding::new(CERTIFICATES, verdict, code, words, remedy))
}
