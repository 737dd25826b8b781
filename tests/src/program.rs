//! The `linkage` program under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

/// Folders and files that the program is built from, below the workspace.
const SOURCES: [&str; 4] = ["node", "linkage-core", "proto", "Cargo.lock"];

/// The program of the profile that the tests were built with. It lies beside them, made anew by
/// `cargo test --workspace`; where only this package's tests are run, cargo is asked to build it if
/// it is absent, and a word is said if it may be out of date.
///
/// # Errors
/// When it cannot be found or built.
pub fn linkage() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| locate().map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow!("{error}"))
}

/// `linkage peer test`: its exit code and what it says of each node.
///
/// # Errors
/// When it cannot be run or says nothing readable.
pub fn peer_test(config: &Path) -> Result<(Option<i32>, Vec<Value>)> {
    let output = Command::new(linkage()?)
        .args(["--json", "peer", "test", "--config"])
        .arg(config)
        .output()?;
    let shown: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let peers = shown
        .get("peers")
        .and_then(Value::as_array)
        .context("no peers")?
        .clone();
    Ok((output.status.code(), peers))
}

#[allow(
    clippy::print_stderr,
    reason = "whoever runs tests on an old program must be told"
)]
fn locate() -> Result<PathBuf> {
    // <target>/<profile>/deps/<test>
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("no profile's folder")?;
    let target = folder.parent().context("no target folder")?;
    let profile = folder.file_name().and_then(|name| name.to_str());
    let profile = match profile.context("no profile")? {
        "debug" => "dev",
        other => other,
    };
    let program = folder.join("linkage");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no workspace")?;
    let built = program.metadata().and_then(|file| file.modified()).ok();
    match built {
        Some(built) => {
            let changed = SOURCES
                .iter()
                .map(|source| changed(&workspace.join(source)));
            if changed
                .collect::<Result<Vec<_>>>()?
                .into_iter()
                .any(|changed| changed > built)
            {
                eprintln!("linkage is older than a source; `cargo test --workspace` renews it");
            }
        }
        None => {
            let status = Command::new(env!("CARGO"))
                .current_dir(workspace)
                .env("CARGO_TARGET_DIR", target)
                .args(["build", "--quiet", "--profile", profile])
                .args(["--package", "linkage-node", "--bin", "linkage"])
                .status()?;
            ensure!(status.success(), "cargo cannot build linkage: {status}");
        }
    }
    ensure!(program.exists(), "{} does not exist", program.display());
    Ok(program)
}

/// When the newest file at or below `path` was changed.
fn changed(path: &Path) -> Result<SystemTime> {
    if !path.is_dir() {
        return Ok(path.metadata()?.modified()?);
    }
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in path.read_dir()? {
        newest = newest.max(changed(&entry?.path())?);
    }
    Ok(newest)
}
