//! An analyst's requests.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use linkage_core::ids::ProjectId;
use linkage_node::client::Client;
use serde_json::json;

use super::failure::{Blame, EXIT_OK, Failure};
use super::runtime;
use super::screen::Form;

/// Ask for tables.
#[derive(Debug, Subcommand)]
pub enum Extract {
    /// Ask two owners for a cross-table of their attributes
    Submit(Submit),
}

/// Arguments of `extract submit`.
#[derive(Debug, Args)]
#[command(after_help = "\
A request names one attribute of each of two owners and count(*). Neither owner sees the other's
values; each adds noise; counts below the project's threshold are not shown. Each answer uses up part
of the privacy budget of both owners, also a refused or interrupted one.

Example:
  linkage extract submit --as analyst.toml 06b57428... \\
    \"SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2\"")]
pub struct Submit {
    /// The analyst's configuration: trust_domain, tls, and every owner's node as `[[owner]]`
    #[arg(long = "as", value_name = "FILE")]
    config: PathBuf,
    /// The project's identity
    #[arg(value_name = "PROJECT")]
    project: ProjectId,
    /// The request
    #[arg(value_name = "SQL")]
    sql: String,
    /// Print the table as CSV, whatever --json says
    #[arg(long)]
    csv: bool,
}

impl Extract {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Submit(Submit {
            config,
            project,
            sql,
            csv,
        }) = self;
        let client = Client::read(&config).or_input()?;
        let extract = runtime()?
            .block_on(client.extract(&project, &sql))
            .or_input()?;
        if csv {
            let csv = extract.table.to_csv()?;
            super::screen::show(&String::from_utf8_lossy(&csv))?;
            return Ok(EXIT_OK);
        }
        let data = json!({
            "request": extract.request.canonical(),
            "table": extract.table,
            "positions": extract.positions,
            "bytes_between_owners": extract.bytes_between_owners,
        });
        form.show(&data, || extract.table.to_string())?;
        Ok(EXIT_OK)
    }
}
