//! Files of encodings.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::ProgressBar;
use linkage_core::encode::clkhash::format::{self, JsonWriter, Sink, Summary};

use super::super::outputs::{self, Outputs};
use super::super::{failure::Failure, progress};
use super::Source;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why a file of encodings cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{} cannot be read", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is refused", path.display())]
    Refused {
        path: PathBuf,
        #[source]
        source: format::Error,
    },
}

/// What a file of encodings is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// {"clks": [base64, ...]}
    Json,
    /// Encodings end to end
    Binary,
}

/// Opens a file whose reading a bar shows.
pub(super) fn open(path: &Path, what: &str) -> Result<(File, ProgressBar), Error> {
    let io = |source| Error::Io {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(io(io::ErrorKind::IsADirectory.into()));
    }
    Ok((file, progress::bytes(what, metadata.len())))
}

impl Source {
    /// Reads all encodings.
    pub(super) fn read(&self, what: &str, sink: &mut impl Sink) -> Result<Summary, Failure> {
        let (file, bar) = open(&self.file, what).map_err(Failure::input)?;
        let file = bar.wrap_read(file);
        let read = match self.hash_size {
            Some(size) => {
                let file = BufReader::with_capacity(BUFFER_BYTES, file);
                format::read_raw(file, size, self.hash_count, sink)
            }
            None => format::read_json(file, sink),
        };
        bar.finish_and_clear();
        let path = self.file.clone();
        read.map_err(|error| match error {
            format::Error::Write(source) => source.into(),
            format::Error::Read(source) => Failure::from(Error::Io { path, source }),
            source => Failure::input(Error::Refused { path, source }),
        })
    }
}

/// A file being written.
pub(super) enum Writer {
    Json(JsonWriter<BufWriter<File>>),
    Binary(BufWriter<File>),
}

impl Writer {
    /// Starts the planned file with this index.
    pub(super) fn create(outputs: &Outputs, index: usize, format: Format) -> Result<Self, Failure> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, outputs.create(index)?);
        Ok(match format {
            Format::Json => Self::Json(JsonWriter::new(file)?),
            Format::Binary => Self::Binary(file),
        })
    }

    /// Adds an encoding.
    pub(super) fn push(&mut self, encoding: &[u8]) -> io::Result<()> {
        match self {
            Self::Json(json) => json.push(encoding).map_err(io_of),
            Self::Binary(file) => file.write_all(encoding),
        }
    }

    /// Ends the file.
    pub(super) fn finish(self, path: &Path) -> Result<(), outputs::Error> {
        let ended = match self {
            Self::Json(json) => json.finish().map(|_| ()).map_err(io_of),
            Self::Binary(mut file) => file.flush(),
        };
        ended.map_err(outputs::io_error(path))
    }
}

/// The error of the file beneath.
fn io_of(error: format::Error) -> io::Error {
    match error {
        format::Error::Write(error) => error,
        other => io::Error::other(other),
    }
}
