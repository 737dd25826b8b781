//! Man pages and completions, written from the commands themselves.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate_to};
use serde_json::json;

use super::failure::{EXIT_OK, Failure};
use super::screen::Form;

/// The shells whose completions are packaged.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Arguments of `dev docs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes DIR/man with one page a command, and DIR/completions with a file for bash, zsh and fish.

Example:
  linkage dev docs --out docs")]
pub struct Docs {
    /// Folder to write to, made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Docs {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let (man, completions) = (self.out.join("man"), self.out.join("completions"));
        fs::create_dir_all(&man)?;
        fs::create_dir_all(&completions)?;
        clap_mangen::generate_to(super::Cli::command(), &man)?;
        for shell in SHELLS {
            generate_to(shell, &mut super::Cli::command(), "linkage", &completions)?;
        }
        let pages = fs::read_dir(&man)?.count();
        let data = json!({ "pages": pages, "completions": SHELLS.len() });
        form.show(&data, || {
            format!("{pages} man pages, {} completions", SHELLS.len())
        })?;
        Ok(EXIT_OK)
    }
}
