//! The offline commands as a user runs them: the real program, real files, exit codes and words.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic in a test is its failure"
)]

mod audit;
mod clkhash;
mod dataset;
mod encode;
mod match_report;
mod matching;
mod standing;
mod tools;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const LINKAGE: &str = env!("CARGO_BIN_EXE_linkage");

/// A name that occurs in a source and may occur nowhere else.
const SECRET: &str = "欧阳锋";

/// A folder with a key, the schema `person-cn` as `p.toml`, and what a test adds.
struct Bench {
    folder: TempDir,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        bench.ok(&["key", "generate", "--out", "project.key"]);
        let template = bench.ok(&["schema", "template", "person-cn"]);
        bench.write("p.toml", &template.out);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(LINKAGE);
        ran(command.args(args).current_dir(self.folder.path()))
    }

    fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        ran
    }

    /// Runs a command that must be refused with exit code 2, all of `words` on standard error,
    /// nothing on standard output, and no file left or changed in number.
    fn refused(&self, args: &[&str], words: &[&str]) -> String {
        let before = self.names();
        let ran = self.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.out, ran.err);
        for word in words {
            assert!(
                ran.err.contains(word),
                "{args:?}: no {word:?} in {}",
                ran.err
            );
        }
        assert_eq!(ran.out, "");
        assert!(!ran.err.contains(SECRET), "{}", ran.err);
        assert_eq!(self.names(), before, "{args:?}");
        ran.err
    }

    fn encode_args<'a>(source: &'a str, out: &'a str) -> [&'a str; 8] {
        [
            "encode",
            source,
            "--schema",
            "p.toml",
            "--key",
            "project.key",
            "--out",
            out,
        ]
    }

    fn encode(&self, source: &str, out: &str) -> Ran {
        self.ok(&Self::encode_args(source, out))
    }

    /// Three departments of 300 records in `data`, two of them encoded.
    fn with_tokens() -> Self {
        let bench = Self::new();
        bench.ok(&[
            "dev",
            "generate",
            "--records",
            "300",
            "--seed",
            "7",
            "--out",
            "data",
        ]);
        bench.encode("data/health.csv", "health.tokens");
        bench.encode("data/credit.csv", "credit.tokens");
        bench
    }
}

fn ran(command: &mut Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap()
}

const HEADER: &str = "record_id,name,sex,birth_date,id_number,mobile,address\n";

fn row(id: &str) -> String {
    format!("{id},{SECRET},男,1985-03-07,44010619850307123X,13812345678,广州市天河区体育西路1号\n")
}
