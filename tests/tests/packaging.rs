//! What is packaged: units that are closed as far as they can be, and examples that work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use linkage_node::settings::{Loaded, NodeRole, Sources};
use linkage_tests::program;

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/packaging")
}

/// Exposure in tenths that a unit may have at most.
const EXPOSURE_TENTHS_MAX: u32 = 15;

#[test]
fn units_are_closed_as_far_as_they_can_be() -> Result<()> {
    for role in ["owner", "matcher"] {
        let unit = packaging().join(format!("linkage-{role}.service"));
        let text = fs::read_to_string(&unit)?;
        ensure!(
            text.contains(&format!("linkage node serve --role {role}\n")),
            "{role}"
        );
        ensure!(
            text.contains("Type=notify\n") && text.contains("WatchdogSec="),
            "{role}"
        );
        analyse(&unit)?;
    }
    // A template is analysed as one of its instances.
    let dir = tempfile::tempdir()?;
    let instance = dir.path().join("linkage-backup@owner.service");
    fs::copy(packaging().join("linkage-backup@.service"), &instance)?;
    analyse(&instance)
}

#[allow(clippy::print_stderr, reason = "a check that is left out must say so")]
fn analyse(unit: &Path) -> Result<()> {
    let analysed = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE_TENTHS_MAX}"))
        .arg(unit)
        .output();
    match analysed {
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(output.status.success(), "{}: {words}", unit.display());
            ensure!(words.contains("Overall exposure level"), "{words}");
        }
        Err(error) => eprintln!("{} not analysed: {error}", unit.display()),
    }
    Ok(())
}

#[test]
fn examples_are_acceptable() -> Result<()> {
    for (name, role) in [("owner", NodeRole::Owner), ("matcher", NodeRole::Matcher)] {
        let file = packaging().join(format!("{name}.toml"));
        let loaded = Loaded::load(&Sources::file(&file))?;
        assert_eq!(loaded.settings.role, role);
        let data = Path::new("/var/lib/linkage").join(name);
        assert_eq!(loaded.settings.data_dir, data);
        let unit = fs::read_to_string(packaging().join(format!("linkage-{name}.service")))?;
        ensure!(
            unit.contains(&format!("StateDirectory=linkage/{name}\n")),
            "{name}"
        );
        let output = Command::new(program::linkage()?)
            .args(["config", "check", "--config"])
            .arg(&file)
            .output()?;
        ensure!(output.status.success(), "{output:?}");
    }
    Ok(())
}

#[test]
fn every_command_has_a_man_page_and_every_shell_completions() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let output = Command::new(program::linkage()?)
        .args(["dev", "docs", "--out"])
        .arg(dir.path())
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    for page in [
        "linkage.1",
        "linkage-node-serve.1",
        "linkage-config-explain.1",
        "linkage-backup-create.1",
    ] {
        let text = fs::read_to_string(dir.path().join("man").join(page))?;
        let told = text.contains("Example") || page == "linkage.1";
        ensure!(text.contains(".SH") && told, "{page}");
    }
    for file in ["linkage.bash", "_linkage", "linkage.fish"] {
        let text = fs::read_to_string(dir.path().join("completions").join(file))?;
        ensure!(text.contains("explain"), "{file}");
    }
    Ok(())
}
