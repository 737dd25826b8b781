//! Token files, and the ids of their records where they lie beside.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use linkage_core::encode::Columns;
use linkage_core::encode::batch::{Batch, BatchError, Header, StreamError};
use linkage_core::schema::{DecideSettings, RecordsPerOwner, Schema};
use linkage_engine::store::{StoreError, TokenStore, import_once};

use super::super::schema::short;
use super::super::table_file::{self, TableFile};

/// Why token files cannot be matched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is no token file, or a damaged one.
    #[error("{} is not a usable token file; make it with `linkage encode`", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: BatchError,
    },
    /// The token store of a file cannot be made or used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two files give one data set's name.
    #[error(
        "{} and {} are both the data set \"{name}\"; rename one of the files",
        first.display(), second.display()
    )]
    SameName {
        /// The one file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// The name.
        name: String,
    },
    /// Two files were made under different keys, schemas and the like.
    #[error(
        "{first} and {second} do not fit each other; encode all data sets with the same key and \
         schema"
    )]
    Incomparable {
        /// The one file.
        first: Box<Made>,
        /// The other.
        second: Box<Made>,
        /// The first difference.
        #[source]
        source: BatchError,
    },
    /// The schema given is not the one that the tokens were made under.
    #[error(
        "{} has the fingerprint {given}, but {} was encoded under {found}; give the schema that \
         `linkage encode` was given",
        schema.display(), tokens.display()
    )]
    Schema {
        /// The schema file.
        schema: PathBuf,
        /// Its fingerprint.
        given: String,
        /// The token file.
        tokens: PathBuf,
        /// The fingerprint in its header.
        found: String,
    },
    /// One data set, without anything said of duplicates in it.
    #[error(
        "{} is alone: give a second token file, or a --schema with records_per_owner = \"any\" under \
         [decide] to search it for duplicates",
        .0.display()
    )]
    Alone(PathBuf),
    /// The file of ids cannot be read.
    #[error(transparent)]
    Table(#[from] table_file::Error),
    /// The file of ids belongs to other tokens.
    #[error(
        "{} does not belong to {}: {what}; put the right file there, or none",
        ids.display(), tokens.display()
    )]
    Ids {
        /// The file of ids.
        ids: PathBuf,
        /// The token file.
        tokens: PathBuf,
        /// What does not fit.
        what: String,
    },
}

/// What a token file was made with.
#[derive(Debug)]
pub struct Made {
    path: PathBuf,
    header: Header,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, schema) = (self.path.display(), short(&self.header.schema));
        write!(f, "{path} (key {}, schema {schema})", self.header.key)
    }
}

/// What is known of a token file beside its batch.
#[derive(Debug)]
pub struct Input {
    /// Name of the data set.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Ids of the records, by row, if the file of ids is there.
    ids: Option<Vec<String>>,
}

impl Input {
    /// Whether records are named by their ids.
    pub fn has_ids(&self) -> bool {
        self.ids.is_some()
    }

    /// The record in `row`, as users see it: its id, else the row from 1.
    pub fn record(&self, row: u32) -> String {
        let id = self.ids.as_ref().and_then(|ids| ids.get(row as usize));
        id.cloned()
            .unwrap_or_else(|| (u64::from(row) + 1).to_string())
    }
}

/// Records that can be read as columns.
pub trait Records {
    /// The columns.
    fn columns(&self) -> Columns<'_>;
}

impl Records for Batch {
    fn columns(&self) -> Columns<'_> {
        self.columns()
    }
}

impl Records for TokenStore {
    fn columns(&self) -> Columns<'_> {
        self.columns()
    }
}

/// Reads token files that fit each other, and the ids beside them. `open` makes records of a token
/// file and the name of its data set.
///
/// # Errors
/// [`Error`], naming the file.
pub fn read<R: Records>(
    paths: &[PathBuf],
    open: impl Fn(&Path, &str) -> Result<R, Error>,
) -> Result<(Vec<Input>, Vec<R>), Error> {
    let (mut inputs, mut all): (Vec<Input>, Vec<R>) = (vec![], vec![]);
    for path in paths {
        let name = name(path);
        if let Some(before) = inputs.iter().find(|input| input.name == name) {
            return Err(Error::SameName {
                first: before.path.clone(),
                second: path.clone(),
                name,
            });
        }
        let records = open(path, &name)?;
        let columns = records.columns();
        if let (Some(input), Some(first)) = (inputs.first(), all.first()) {
            comparable(
                (&input.path, first.columns().header),
                (path, columns.header),
            )?;
        }
        let ids = path.with_extension("ids.csv");
        let ids = match ids.symlink_metadata() {
            Ok(_) => Some(read_ids(&ids, path, columns.len())?),
            Err(_) => None,
        };
        inputs.push(Input {
            name,
            path: path.clone(),
            ids,
        });
        all.push(records);
    }
    Ok((inputs, all))
}

/// Name of the data set of a token file.
pub fn name(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Refuses one token file alone where a person has one record in it at most: there is nothing to
/// link.
///
/// # Errors
/// [`Error::Alone`].
pub fn check_count(paths: &[PathBuf], decide: DecideSettings) -> Result<(), Error> {
    match paths {
        [path] if decide.records_per_owner == RecordsPerOwner::One => {
            Err(Error::Alone(path.clone()))
        }
        _ => Ok(()),
    }
}

/// Refuses a schema that is not the tokens' own.
///
/// # Errors
/// [`Error::Schema`].
pub fn check_schema(
    schema: &Schema,
    path: &Path,
    inputs: &[Input],
    batches: &[Columns<'_>],
) -> Result<(), Error> {
    let given = schema.fingerprint();
    for (input, batch) in inputs.iter().zip(batches) {
        if batch.header.schema != given {
            return Err(Error::Schema {
                schema: path.into(),
                given: short(&given),
                tokens: input.path.clone(),
                found: short(&batch.header.schema),
            });
        }
    }
    Ok(())
}

/// Reads a token file into memory.
///
/// # Errors
/// [`Error::Io`] or [`Error::Tokens`].
pub fn tokens(path: &Path) -> Result<Batch, Error> {
    let io = |source| Error::Io {
        path: path.into(),
        source,
    };
    let refused = |source| Error::Tokens {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    Batch::read_file(&file).map_err(|error| match error {
        StreamError::Io(source) => io(source),
        StreamError::Batch(source) => refused(source),
    })
}

/// The token store of a token file in the folder `work`, made there unless it was before.
///
/// # Errors
/// [`Error::Tokens`] for a file that is none; [`Error::Store`].
pub fn store(path: &Path, name: &str, work: &Path) -> Result<TokenStore, Error> {
    let place = work.join(format!("{name}.store"));
    import_once(path, &place).map_err(|error| match error {
        StoreError::Batch {
            source: StreamError::Batch(source),
            ..
        } => Error::Tokens {
            path: path.into(),
            source,
        },
        error => Error::Store(error),
    })
}

fn comparable(first: (&Path, &Header), second: (&Path, &Header)) -> Result<(), Error> {
    let made = |(path, header): (&Path, &Header)| {
        Box::new(Made {
            path: path.into(),
            header: header.clone(),
        })
    };
    first
        .1
        .comparable(second.1)
        .map_err(|source| Error::Incomparable {
            first: made(first),
            second: made(second),
            source,
        })
}

fn read_ids(path: &Path, tokens: &Path, rows: usize) -> Result<Vec<String>, Error> {
    let mut table = TableFile::open(path, ["row", "record_id"])?;
    let refused = |what: String| Error::Ids {
        ids: path.into(),
        tokens: tokens.into(),
        what,
    };
    let mut ids = Vec::with_capacity(rows);
    while let Some((line, [row, id])) = table.next_row()? {
        if row.parse() != Ok(ids.len() as u64 + 1) {
            let expected = ids.len() + 1;
            return Err(refused(format!("line {line} is not of row {expected}")));
        }
        ids.push(id.to_owned());
    }
    if ids.len() != rows {
        return Err(refused(format!(
            "it has {} rows, the tokens {rows}",
            ids.len()
        )));
    }
    Ok(ids)
}
