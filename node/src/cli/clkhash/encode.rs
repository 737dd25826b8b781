//! A CSV file to encodings.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use linkage_core::encode::clkhash::encode::Encoder;
use linkage_core::encode::clkhash::faults::Faults;
use linkage_core::encode::clkhash::format::{HASH_COUNT, HASH_SIZE};
use linkage_core::encode::clkhash::rows::{self, Header, Reader};
use linkage_core::encode::clkhash::schema::{self, Schema};
use serde::Serialize;

use super::super::failure::{Blame as _, EXIT_OK, Failure};
use super::super::outputs::{self, Outputs};
use super::super::screen::{self, Form};
use super::files::{self, Format, Writer};
use super::{Fill, WARNING, secret};

/// Bytes of the source read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// Arguments of `clkhash encode`.
#[derive(Debug, Args)]
#[command(after_help = "\
Makes what `clkhash` 0.18 makes of the same file, schema (version 1, 2 or 3) and secret, bit for
bit. The columns are the schema's features, in its order. In the output the place of an encoding is
the row it comes from; so a row that the schema does not allow stops the command: all such rows are
counted, the first 20 named, and nothing is written.

A schema key that clkhash does not read is refused. `xorFolds`, which its documentation names, is
one: it reads `xor_folds`.

These encodings are breakable. Use `linkage encode` unless a party has clkhash and nothing else.

Example:
  linkage clkhash encode people.csv --schema schema.json --secret-file secret.txt --out clks.json")]
pub struct Encode {
    /// CSV file in UTF-8, one record a row
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Linkage schema of clkhash, JSON
    #[arg(long, value_name = "SCHEMA")]
    schema: PathBuf,
    /// File with the secret that all parties share; a line end at its end is not part of it
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// File to write
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// The first row names other columns than the schema: pass over it
    #[arg(long)]
    ignore_header: bool,
    /// The first row is a record
    #[arg(long, conflicts_with = "ignore_header")]
    no_header: bool,
    /// Overwrite the file of an earlier run
    #[arg(long)]
    force: bool,
}

/// Why a source or schema is refused.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the schema {} cannot be read", path.display())]
    SchemaIo {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the schema {} is not UTF-8 text", .0.display())]
    SchemaEncoding(PathBuf),
    #[error("the schema {} is refused", path.display())]
    Schema {
        path: PathBuf,
        #[source]
        source: schema::Error,
    },
    #[error("{} cannot be encoded", path.display())]
    Source {
        path: PathBuf,
        #[source]
        source: rows::Error,
    },
    #[error(
        "{} cannot be encoded: rows are known by their number, so none is left out and nothing is \
         written; correct the source or the schema",
        path.display()
    )]
    Rows {
        path: PathBuf,
        #[source]
        source: Faults,
    },
    #[error("{} has no rows", .0.display())]
    NoRows(PathBuf),
}

#[derive(Serialize)]
struct Encoded {
    out: PathBuf,
    format: &'static str,
    hash_count: u64,
    hash_size: usize,
    bits: u32,
    schema_version: u8,
    fill: Fill,
}

impl Encode {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let schema = read_schema(&self.schema).or_input()?;
        let secret = secret::read(&self.secret_file).or_input()?;
        let encoder = Encoder::new(&schema, &secret).or_input()?;
        let inputs = [&self.source, &self.schema, &self.secret_file].map(PathBuf::as_path);
        let outputs = Outputs::beside(&self.out, &[], &inputs, self.force)?;
        let fill = self.encode(&schema, &encoder, &outputs)?;
        outputs.commit()?;
        let result = Encoded {
            out: self.out,
            format: match self.format {
                Format::Json => "json",
                Format::Binary => "binary",
            },
            hash_count: fill.encodings,
            hash_size: schema.encoding_bytes(),
            bits: schema.bits,
            schema_version: schema.version,
            fill,
        };
        form.show(&result, || text(&result))?;
        if form == Form::Text {
            screen::note(WARNING);
        }
        Ok(EXIT_OK)
    }

    fn header(&self) -> Header {
        match (self.ignore_header, self.no_header) {
            (_, true) => Header::Absent,
            (true, false) => Header::Ignored,
            (false, false) => Header::Checked,
        }
    }

    fn encode(
        &self,
        schema: &Schema,
        encoder: &Encoder<'_>,
        outputs: &Outputs,
    ) -> Result<Fill, Failure> {
        let refused = |source| match source {
            rows::Error::Io(source) => Failure::from(files::Error::Io {
                path: self.source.clone(),
                source,
            }),
            source => Failure::input(Error::Source {
                path: self.source.clone(),
                source,
            }),
        };
        let (file, bar) = files::open(&self.source, "encoding").or_input()?;
        let names: Vec<&str> = schema.features.iter().map(|f| &*f.identifier).collect();
        let source = BufReader::with_capacity(BUFFER_BYTES, bar.wrap_read(file));
        let mut reader = Reader::new(source, self.header(), &names).map_err(refused)?;
        let mut writer = Writer::create(outputs, 0, self.format)?;
        let target = outputs.target(0);
        let mut rows = encoder.batch();
        let mut fill = Fill::default();
        let mut faults = Faults::default();
        while reader.read(&mut rows).map_err(refused)? {
            match encoder.encode(&rows) {
                // After a fault the rest is only checked.
                Ok(_) if faults.count() > 0 => {}
                Ok(encodings) => {
                    for encoding in encodings.iter() {
                        fill.add(encoding);
                        writer.push(encoding).map_err(outputs::io_error(&target))?;
                    }
                }
                Err(more) => faults = faults.and(more),
            }
        }
        bar.finish_and_clear();
        let path = self.source.clone();
        if faults.count() > 0 {
            let source = faults;
            return Err(Failure::input(Error::Rows { path, source }));
        }
        if fill.encodings == 0 {
            return Err(Failure::input(Error::NoRows(path)));
        }
        writer.finish(&target)?;
        Ok(fill)
    }
}

fn read_schema(path: &Path) -> Result<Schema, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            // One byte over the limit tells `parse` that the file is too large.
            file.take(schema::BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|source| Error::SchemaIo {
            path: path.into(),
            source,
        })?;
    let text = String::from_utf8(bytes).map_err(|_| Error::SchemaEncoding(path.into()))?;
    Schema::parse(&text).map_err(|source| Error::Schema {
        path: path.into(),
        source,
    })
}

fn text(result: &Encoded) -> String {
    let mut lines = vec![
        format!(
            "{} encoded into {}, {} bits each (schema version {})",
            screen::counted(result.hash_count, "record"),
            result.out.display(),
            result.bits,
            result.schema_version
        ),
        result.fill.text(u64::from(result.bits)),
    ];
    if result.format == "binary" {
        lines.push(format!(
            "Upload with the headers {HASH_COUNT}: {} and {HASH_SIZE}: {}",
            result.hash_count, result.hash_size
        ));
    }
    lines.join("\n")
}
