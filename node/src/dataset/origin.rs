//! Where a data set's records come from.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use linkage_core::schema::Schema;
use serde::Deserialize;

use crate::ingest::{self, Source};
use crate::postgres::{self, Postgres};

/// Where a data set's records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file: CSV, Parquet or XLSX.
    File {
        /// The file.
        path: PathBuf,
        /// The sheet, of an XLSX workbook that has several.
        sheet: Option<String>,
    },
    /// A PostgreSQL database.
    Postgres(Box<Postgres>),
}

/// Why a file that describes a source is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not TOML, or a key that no source has; the message names line and column.
    #[error("{path} does not describe a source: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong.
        message: String,
    },
    /// What it says is contradictory.
    #[error("{path} does not describe a source: {message}")]
    Meaning {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
}

/// What a file says of a source: as a node's `[[dataset]]`, without a name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    path: Option<PathBuf>,
    sheet: Option<String>,
    postgres: Option<Postgres>,
}

impl Origin {
    /// The source that a configuration means by these settings.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub fn configured(
        path: Option<&Path>,
        sheet: Option<&str>,
        postgres: Option<&Postgres>,
    ) -> Result<Self, String> {
        match (path, postgres) {
            (Some(path), None) => Ok(Self::File {
                path: path.into(),
                sheet: sheet.map(str::to_owned),
            }),
            (None, Some(_)) if sheet.is_some() => Err("a database has no sheet".into()),
            (None, Some(postgres)) => {
                postgres
                    .check()
                    .map_err(|message| format!("postgres: {message}"))?;
                Ok(Self::Postgres(Box::new(postgres.clone())))
            }
            _ => Err("name either a path or postgres".into()),
        }
    }

    /// The source that the TOML file `path` describes. Relative paths in it are relative to its
    /// folder.
    ///
    /// # Errors
    /// [`DescriptionError`], saying what to do.
    pub fn described(path: &Path) -> Result<Self, DescriptionError> {
        let text = fs::read_to_string(path).map_err(|source| DescriptionError::Io {
            path: path.into(),
            source,
        })?;
        let found: Result<Description, _> = toml::from_str(&text);
        let mut found = found.map_err(|error| DescriptionError::Syntax {
            path: path.into(),
            message: error.to_string(),
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        found.path = found.path.map(|path| folder.join(path));
        if let Some(postgres) = &mut found.postgres {
            postgres.resolve(folder);
        }
        let (sheet, postgres) = (found.sheet.as_deref(), found.postgres.as_ref());
        Self::configured(found.path.as_deref(), sheet, postgres).map_err(|message| {
            DescriptionError::Meaning {
                path: path.into(),
                message,
            }
        })
    }

    /// The files that are read for the source.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::File { path, .. } => vec![path],
            Self::Postgres(postgres) => postgres.files().collect(),
        }
    }

    /// Opens the source and checks its columns against the schema. Waits for a database; not to be
    /// called from asynchronous code.
    ///
    /// # Errors
    /// [`ingest::Error`], saying what to do.
    pub fn open(&self, schema: &Schema) -> Result<Source, ingest::Error> {
        match self {
            Self::File { path, sheet } => Source::open_sheet(path, sheet.as_deref(), schema),
            Self::Postgres(postgres) => postgres::open(postgres, schema),
        }
    }
}

impl From<&Path> for Origin {
    fn from(path: &Path) -> Self {
        Self::File {
            path: path.into(),
            sheet: None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, sheet: None } => path.display().fmt(f),
            Self::File {
                path,
                sheet: Some(sheet),
            } => write!(f, "{}, sheet \"{sheet}\"", path.display()),
            Self::Postgres(postgres) => postgres.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_describes_a_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let described = |text: &str| {
            fs::write(&path, text).unwrap();
            Origin::described(&path).map_err(|error| error.to_string())
        };
        let sheet = described("path = \"a.xlsx\"\nsheet = \"2024\"").unwrap();
        let expected = format!("{}, sheet \"2024\"", folder.path().join("a.xlsx").display());
        assert_eq!(sheet.to_string(), expected);
        let postgres = "[postgres]\nhost = \"/run/postgresql\"\ndatabase = \"d\"\nuser = \"u\"\n\
                        password = \"file:p\"\ntable = \"t\"";
        let origin = described(postgres).unwrap();
        assert_eq!(origin.files(), [folder.path().join("p")]);
        assert_eq!(
            origin.to_string(),
            "table t of database d at the server at /run/postgresql"
        );
        for (text, words) in [
            ("", "either a path or postgres"),
            ("name = \"x\"", "unknown field `name`"),
            (
                &format!("path = \"a\"\n{postgres}"),
                "either a path or postgres",
            ),
            (&format!("sheet = \"a\"\n{postgres}"), "no sheet"),
            (
                &postgres.replace("table", "# table"),
                "postgres: name either a table or a query",
            ),
        ] {
            let message = described(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
        let gone = Origin::described(Path::new("/nowhere/a.toml")).unwrap_err();
        assert!(gone.to_string().contains("/nowhere/a.toml cannot be read"));
    }
}
