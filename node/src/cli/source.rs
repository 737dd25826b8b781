//! The argument that names a source of records.

use std::path::{Path, PathBuf};

use clap::Args;
use linkage_node::dataset::{self, Origin};
use linkage_node::{ingest, postgres};

use super::failure::{Blame as _, Failure};

/// What help says of the argument.
const HELP: &str = "\
File with one record a row: CSV with a header (UTF-8 or GB 18030), Parquet, or an XLSX workbook.

A table or query of a PostgreSQL database is described in a file NAME.toml:
  [postgres]
  host = \"db.health.example\"         # as its certificate has it; /run/postgresql is a socket
  database = \"registry\"
  user = \"linkage_reader\"            # may read the table and write nothing
  password = \"file:db-password\"      # mode 600; or credential:NAME, or cert and key
  ca = \"db-ca.pem\"                   # authority of the server's certificate
  table = \"health.people\"            # or query = \"SELECT ...\"";

/// A source of records.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// File with one record a row (CSV, Parquet, XLSX), or NAME.toml that describes a source
    #[arg(value_name = "SOURCE", long_help = HELP)]
    source: PathBuf,
    /// Sheet of an XLSX workbook, where several have values
    #[arg(long, value_name = "SHEET")]
    sheet: Option<String>,
}

impl SourceArgs {
    /// The file that was named.
    pub fn path(&self) -> &Path {
        &self.source
    }

    /// Where the records come from.
    ///
    /// # Errors
    /// [`Failure`], when a description is not acceptable.
    pub fn origin(&self) -> Result<Origin, Failure> {
        if self.source.extension().is_some_and(|name| name == "toml") {
            if self.sheet.is_some() {
                return Err(Failure::input(SheetTwice));
            }
            return Origin::described(&self.source).or_input();
        }
        Ok(Origin::File {
            path: self.source.clone(),
            sheet: self.sheet.clone(),
        })
    }
}

/// A sheet beside a description, which may name one itself.
#[derive(Debug, thiserror::Error)]
#[error("--sheet belongs to a workbook; in a file that describes a source write sheet = \"...\"")]
struct SheetTwice;

/// A source that cannot be read: the machine's fault where a database broke off, else the user's.
pub fn failure(error: impl Into<dataset::Error>) -> Failure {
    let error = error.into();
    let outage = match &error {
        dataset::Error::Source(ingest::Error::Rows(source)) => source
            .downcast_ref::<postgres::Error>()
            .is_some_and(postgres::Error::is_outage),
        _ => false,
    };
    if outage {
        return Failure::from(anyhow::Error::new(error));
    }
    Failure::input(error)
}
