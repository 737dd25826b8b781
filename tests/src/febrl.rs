//! Registers from the Febrl data sets in `tests/data`, as the matcher gets them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use linkage_core::encode::Batch;
use linkage_core::keys::ProjectKey;
use linkage_core::schema::{Profile, Schema};
use linkage_node::dataset::{self, Job};

/// A register and, apart from it, the people by row.
pub type Register = (Batch, Vec<Option<u64>>);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The template for such data under a profile.
///
/// # Errors
/// When it cannot be read, or would compare the number that all copies of a person carry: that
/// would settle every pair.
pub fn schema(profile: Profile) -> Result<Schema> {
    let text = std::fs::read_to_string(root().join("node/schemas/person-latin.toml"))?;
    let mut schema = Schema::parse(&text)?;
    schema.token.profile = profile;
    ensure!(schema.columns().all(|column| column != "soc_sec_id"));
    Ok(schema)
}

/// The person's number in an id such as `rec-1070-org` or `rec-1070-dup-0`.
fn person(id: &str) -> Result<u64> {
    let number = id.split('-').nth(1).context("an id without a number")?;
    Ok(number.parse()?)
}

/// The rows of `file` whose id and person are kept, encoded.
///
/// # Errors
/// When the file cannot be read, or a row of it was rejected.
pub fn register(
    schema: &Schema,
    key: u8,
    file: &str,
    kept: impl Fn(&str, u64) -> bool,
) -> Result<Register> {
    let source = root().join("tests/data").join(file);
    let scratch = tempfile::tempdir()?;
    let rejects = scratch.path().join("rejects.csv");
    let some = scratch.path().join("some.csv");
    keep(&source, &some, kept)?;
    let job = Job {
        source: &some.as_path().into(),
        schema,
        key: &ProjectKey::from_bytes([key; 32]),
        project: [0; 32],
        rejects: &rejects,
        scratch: scratch.path(),
        dummies_share: 0.0,
    };
    let (bytes, encoded) = dataset::encode(&job, Vec::new(), &mut |_| {})?;
    ensure!(encoded.summary.rejected_rows() == 0, "rows were rejected");
    let people: Result<Vec<_>> = encoded.ids().map(|id| Ok(Some(person(id)?))).collect();
    Ok((Batch::decode(&bytes)?, people?))
}

/// Writes the rows of `from` that are kept to `to`.
fn keep(from: &Path, to: &Path, kept: impl Fn(&str, u64) -> bool) -> Result<()> {
    let text = std::fs::read_to_string(from)?;
    let (header, rows) = text.split_once('\n').context("no header")?;
    let mut some = format!("{header}\n");
    for row in rows.lines() {
        let (id, _) = row.split_once(',').context("no id")?;
        let id = id.trim();
        if kept(id, person(id)?) {
            some.push_str(row);
            some.push('\n');
        }
    }
    Ok(std::fs::write(to, some)?)
}
