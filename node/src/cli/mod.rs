//! The command line: nouns and verbs, one file per noun.
//!
//! A command is a struct of its arguments with a method `run`, which returns an exit code or a
//! [`failure::Failure`]. It prints through [`screen`], writes files through [`outputs`], and shows
//! long work with [`progress`].

mod audit;
mod backup;
mod clkhash;
mod config;
mod dataset;
mod demo;
mod dev;
mod docs;
mod doctor;
mod encode;
mod evaluate;
mod extract;
mod failure;
mod generate;
mod key;
mod match_files;
mod node;
mod outputs;
mod peer;
mod preview;
mod progress;
mod project;
mod schema;
pub mod screen;
mod source;
mod table_file;
mod truth;
mod usage;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Widest line of a help text, in columns.
const HELP_COLUMNS_MAX: usize = 100;

const EXIT_CODES: &str = "\
Exit codes:
  0       done
  1       failed: disk full, no write permission, ...
  2       bad usage or input: the message says which file, row, column, and what to do
  130     `demo` only: interrupted by Ctrl-C
  10-20   `audit verify` only: 10 signature, 11 entry, 12 end of log, 20 unreadable

Two files, no server:
  linkage key generate --out project.key
  linkage schema template person-cn > persons.toml
  linkage encode health.csv --schema persons.toml --key project.key --out health.tokens
  linkage encode credit.csv --schema persons.toml --key project.key --out credit.tokens
  linkage match health.tokens credit.tokens --schema persons.toml --out result";

/// Finds which records of several data sets belong to the same person or enterprise, without
/// anyone showing them to anyone.
#[derive(Debug, Parser)]
#[command(name = "linkage", version, max_term_width = HELP_COLUMNS_MAX, after_help = EXIT_CODES)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// Print the result as one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole path on this machine: departments, matcher, analyst
    Demo(demo::Demo),
    /// Turn records into tokens under a key and a schema
    Encode(encode::Encode),
    /// Encode for parties who use the Python package clkhash
    #[command(subcommand)]
    Clkhash(clkhash::Clkhash),
    /// Look into sources before they are encoded
    #[command(subcommand)]
    Dataset(dataset::Dataset),
    /// Find which records of token files belong together
    Match(match_files::Match),
    /// Compare links with the truth: precision, recall, F1
    Evaluate(evaluate::Evaluate),
    /// Make keys
    #[command(subcommand)]
    Key(key::Key),
    /// Check schemas, or start from a template
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Check, show and explain a node's configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Look whether a node has all that it needs, in order
    Doctor(doctor::Doctor),
    /// Run a node, an owner's or a matcher's, or ask how it is
    #[command(subcommand)]
    Node(node::Node),
    /// See which nodes a configuration names, and whether they can be reached
    #[command(subcommand)]
    Peer(peer::Peer),
    /// Agree on a project and its key (operators)
    #[command(subcommand)]
    Project(project::Project),
    /// Encode and upload a data set (operators)
    #[command(subcommand)]
    Upload(project::Upload),
    /// Have the matcher link (operators)
    #[command(subcommand)]
    Run(project::Run),
    /// Fetch the own records' positions (operators)
    #[command(subcommand)]
    Linkmap(project::Linkmap),
    /// Ask for tables (analysts)
    #[command(subcommand)]
    Extract(extract::Extract),
    /// Check audit logs
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Back up a node's data, and restore them
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Data and certificates for development; never for production
    #[command(subcommand)]
    Dev(dev::Dev),
}

impl Cli {
    /// Runs the command; the exit code of the program.
    pub fn run(self) -> Result<u8, Failure> {
        let form = if self.json {
            screen::Form::Json
        } else {
            screen::Form::Text
        };
        match self.command {
            Command::Demo(command) => command.run(form),
            Command::Config(command) => command.run(form),
            Command::Doctor(command) => command.run(form),
            Command::Node(command) => command.run(form),
            Command::Peer(command) => command.run(form),
            Command::Project(command) => command.run(form),
            Command::Upload(command) => command.run(form),
            Command::Run(command) => command.run(form),
            Command::Linkmap(command) => command.run(form),
            Command::Extract(command) => command.run(form),
            Command::Encode(command) => command.run(form),
            Command::Clkhash(command) => command.run(form),
            Command::Dataset(command) => command.run(form),
            Command::Match(command) => command.run(form),
            Command::Evaluate(command) => command.run(form),
            Command::Key(command) => command.run(form),
            Command::Schema(command) => command.run(form),
            Command::Audit(command) => command.run(form),
            Command::Backup(command) => command.run(form),
            Command::Dev(command) => command.run(form),
        }
    }
}

/// The runtime of commands that talk to nodes.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn leaves(command: &clap::Command, found: &mut Vec<clap::Command>) {
            if command.get_subcommands().next().is_none() {
                found.push(command.clone());
            }
            command.get_subcommands().for_each(|sub| leaves(sub, found));
        }
        let mut commands = vec![];
        leaves(&Cli::command(), &mut commands);
        assert!(commands.len() >= 9);
        for mut command in commands {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }
}
