//! The repository's own shape: rules that neither the compiler nor clippy knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Longest Rust file: beyond it a file has more than one job.
const FILE_LINES_MAX: usize = 600;

/// Widest comment, in characters: rustfmt's `max_width`, which it does not apply to comments.
const LINE_COLUMNS_MAX: usize = 100;

/// Made by cargo or a run of the program; matches `.gitignore`.
const NOT_OURS: [&str; 3] = [".git", "target", "demo-out"];

/// The only place dependencies may come from, as Cargo.lock writes it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

struct File {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The lines with their numbers, as messages name them.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text files that git tracks; in a tree without git (an unpacked archive) all that are there.
fn files() -> Result<Vec<File>> {
    let root = root();
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(&root)
        .output();
    let paths = match listed {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout)?
            .split_terminator('\0')
            .map(str::to_owned)
            .collect(),
        _ => walk(&root)?,
    };
    let mut files = Vec::new();
    for path in paths {
        // A tracked file that was deleted and not yet committed is no longer there.
        let Ok(bytes) = fs::read(root.join(&path)) else {
            continue;
        };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path, text });
        }
    }
    let rust = files.iter().filter(|file| file.is_rust()).count();
    ensure!(rust > 50, "only {rust} Rust files were found");
    Ok(files)
}

fn walk(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = folder.join(&name);
            if NOT_OURS.iter().any(|other| name == *other) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                paths.push(path.to_str().context("a name that is no text")?.to_owned());
            }
        }
    }
    Ok(paths)
}

/// Fails with all findings at once.
#[track_caller]
fn none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

/// Whether a line may be wide: code is rustfmt's business, tables and addresses cannot be broken.
fn may_be_wide(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.trim_start_matches(['/', '!']).trim_start();
    !line.starts_with("//") || comment.starts_with('|') || line.contains("https://")
}

/// Whether `text` has `path` as the start of a path, not within one (as in `spiffe://x/root/a`).
fn has_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.}$*".contains(c))
    })
}

#[test]
fn rust_files_are_short() {
    let files = files().unwrap();
    let long: Vec<String> = files
        .iter()
        .filter(|file| file.is_rust())
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect();
    none(&long, "a Rust file has at most 600 lines; split it by job");
}

#[test]
fn comments_are_narrow() {
    let mut wide = Vec::new();
    for file in files().unwrap().iter().filter(|file| file.is_rust()) {
        for (number, line) in file.lines() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX && !may_be_wide(line) {
                wide.push(format!("{}:{number}: {columns} columns", file.path));
            }
        }
    }
    none(&wide, "a comment has at most 100 columns");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, or this file would find itself.
    let anywhere = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let in_code = [concat!("to", "do!"), concat!("unimplemen", "ted!")];
    let mut findings = Vec::new();
    for file in files().unwrap() {
        for (number, line) in file.lines() {
            // An example in the docs that must not compile may well say so.
            let code = file.is_rust() && !line.trim_start().starts_with("//");
            let found = anywhere.iter().any(|word| line.contains(word))
                || code && in_code.iter().any(|word| line.contains(word));
            if found {
                findings.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    none(
        &findings,
        "what is not done is not there, or it is an issue",
    );
}

#[test]
fn no_file_names_a_machine() {
    let folders = ["work", "root", "home"].map(|folder| format!("/{folder}/"));
    // Put together, or this file would find itself.
    let hosts = [
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("files.pythonhosted", ".org"),
        concat!("pypi", ".org"),
    ];
    let mut findings = Vec::new();
    for file in files().unwrap() {
        for (number, line) in file.lines() {
            let found = folders.iter().any(|folder| has_path(line, folder))
                || hosts.iter().any(|host| line.contains(host));
            if found {
                findings.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    none(&findings, "no path or host of a machine that built this");
}

#[test]
fn only_one_file_answers_calls() {
    // A service implemented elsewhere would be reached without a permit.
    const GATE: &str = "node/src/procedures.rs";
    let files = files().unwrap();
    // The health service is tonic's own, and tells nothing to who may not know.
    let implements =
        |line: &str| line.contains(concat!("_ser", "ver::")) && !line.contains("tonic_health");
    let answers = |file: &&File| {
        let code = file.path.starts_with("node/src/") || file.path.starts_with("tests/");
        code && file.is_rust() && file.lines().any(|(_, line)| implements(line))
    };
    let found: Vec<&str> = files
        .iter()
        .filter(answers)
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(found, [GATE], "services are implemented in one place");
}

#[test]
fn dependencies_are_from_crates_io_and_none_is_banned() {
    let lock: toml::Table =
        toml::from_str(&fs::read_to_string(root().join("Cargo.lock")).unwrap()).unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100);
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let banned = ["aws-lc", "openssl", "native-tls"];
        // A family by its stem: aws-lc-rs, aws-lc-sys, openssl-sys.
        if banned.iter().any(|stem| name.starts_with(stem)) {
            findings.push(format!(
                "{name} is banned: ring is the one provider of cryptography"
            ));
        }
        // Ours have no source.
        match package.get("source").and_then(|source| source.as_str()) {
            None if name.starts_with("linkage-") => {}
            Some(CRATES_IO) => {}
            other => findings.push(format!("{name} comes from {other:?}")),
        }
    }
    none(&findings, "what Cargo.lock may hold");
}

#[test]
fn the_rules_know_right_from_wrong() {
    // Not written out, or the rule would find this file.
    let folder = concat!("/ro", "ot/");
    let found = |text: &str| has_path(&text.replace('@', folder), folder);
    assert!(found("see @x"));
    assert!(found("\"@x\""));
    assert!(found("@x"));
    assert!(!found("spiffe://d@a"));
    assert!(may_be_wide("//! | a | b |"));
    assert!(may_be_wide("    /// see https://example.org"));
    assert!(may_be_wide("    let sum = a | b;"));
    assert!(!may_be_wide("    /// words and words"));
    assert!(!may_be_wide("    // words | words"));
    let walked = walk(&root()).unwrap();
    assert!(walked.iter().any(|path| path == "tests/tests/tidy.rs"));
    assert!(walked.iter().all(|path| !path.starts_with(".git/")));
}
