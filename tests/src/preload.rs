//! Nodes with a library of ours before the C library: their program knows nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use linkage_node::demo::cluster::Error;
use tempfile::TempDir;

use crate::crashing::NodeName;
use crate::departments::Departments;
use crate::program;
use crate::world::World;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("preload")
}

/// Compiles the library `name` of `tests/preload` into `folder`.
///
/// # Errors
/// When there is no C compiler, or it finds fault.
pub fn library(folder: &Path, name: &str) -> Result<PathBuf> {
    let library = folder.join(format!("{name}.so"));
    let compiled = Command::new("cc")
        .args([
            "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
        ])
        .args([&library, &sources().join(format!("{name}.c"))])
        .status()
        .context("cc cannot be run")?;
    ensure!(compiled.success(), "cc: {compiled}");
    Ok(library)
}

/// Starts a matcher and generated departments of `records` each, in `dir`, that [`restart`] can
/// give a library.
///
/// # Errors
/// When files or processes cannot be made.
pub fn departments(dir: TempDir, records: u64, seed: u64) -> Result<World> {
    let linkage = program::linkage()?.display().to_string();
    fs::write(dir.path().join("program"), linkage)?;
    let departments = Departments::generate(dir.path(), records, seed)?;
    let program = sources().join("linkage");
    World::start_with(dir, &program, &departments.sources, false)
}

/// Starts a stopped node with `library` and its settings, variables with their values; whether it
/// came up.
///
/// # Errors
/// When files cannot be written.
pub fn restart(
    world: &mut World,
    (role, party): &NodeName,
    library: &Path,
    settings: &[String],
) -> Result<Result<(), Error>> {
    let file = world.node_dir(party).join("preload");
    let load = format!("LD_PRELOAD={}", library.display());
    fs::write(&file, format!("{load}\n{}", settings.join("\n")))?;
    let started = world.cluster.restart(*role, party);
    fs::remove_file(file)?;
    Ok(started)
}
