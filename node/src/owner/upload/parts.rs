//! The parts in which a batch travels where keys are sent first: the keys of every row, and the
//! tokens of the rows that the matcher asked for. Both are cut from the encoded batch in the
//! outbox, group by group.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use linkage_core::ask::AskFilter;
use linkage_core::encode::Columns;
use linkage_core::encode::batch::{Batch, BatchReader, BatchWriter, Row, StreamError};

use super::PrivateFile;
use crate::fault::Fault;

/// Writes the keys of every row of the batch at `whole` to `path`.
pub(in crate::owner) fn write_keys(whole: &Path, path: &Path) -> Result<(), Fault> {
    let mut reader = BatchReader::new(BufReader::new(File::open(whole)?))?;
    let partial = PrivateFile::new(path)?;
    let header = reader.header().keys_only();
    let mut writer = BatchWriter::new(BufWriter::new(&partial.file), &header)?;
    each_group(&mut reader, |columns| {
        let (mut link_keys, mut block_keys) = (vec![], vec![]);
        for row in 0..columns.len() {
            link_keys.clear();
            let keys = (0..columns.link_keys.len()).map(|at| columns.link_key(row, at));
            link_keys.extend(keys.map(|key| key.map(u128::to_be_bytes)));
            block_keys.clear();
            block_keys.extend((0..columns.block_keys.len()).map(|at| columns.block_key(row, at)));
            writer.push(&Row {
                token: &[],
                link_keys: &link_keys,
                block_keys: &block_keys,
                classes: &[],
            })?;
        }
        Ok(())
    })?;
    writer.finish()?.0.flush()?;
    partial.commit()
}

/// How many rows of the batch at `whole` a filter hits, and how many there are.
pub(in crate::owner) fn count_hits(whole: &Path, filter: &AskFilter) -> Result<(u64, u64), Fault> {
    let mut reader = BatchReader::new(BufReader::new(File::open(whole)?))?;
    let (mut hits, mut rows) = (0, 0);
    each_group(&mut reader, |columns| {
        rows += columns.len() as u64;
        hits += (0..columns.len())
            .filter(|row| is_hit(columns, *row, filter))
            .count() as u64;
        Ok(())
    })?;
    Ok((hits, rows))
}

/// Writes the tokens of the `hits` rows that a filter hits, in the order of the rows.
pub(in crate::owner) fn write_tokens(
    whole: &Path,
    filter: &AskFilter,
    hits: u64,
    path: &Path,
) -> Result<(), Fault> {
    let mut reader = BatchReader::new(BufReader::new(File::open(whole)?))?;
    let partial = PrivateFile::new(path)?;
    let header = reader.header().tokens_only(hits);
    let mut writer = BatchWriter::new(BufWriter::new(&partial.file), &header)?;
    each_group(&mut reader, |columns| {
        for row in (0..columns.len()).filter(|row| is_hit(columns, *row, filter)) {
            writer.push(&Row {
                token: columns.token(row),
                link_keys: &[],
                block_keys: &[],
                classes: &[],
            })?;
        }
        Ok(())
    })?;
    writer.finish()?.0.flush()?;
    partial.commit()
}

fn is_hit(columns: &Columns<'_>, row: usize, filter: &AskFilter) -> bool {
    let keys = columns
        .block_keys
        .iter()
        .filter_map(|column| column.get(row));
    filter.hits(keys.copied())
}

fn each_group(
    reader: &mut BatchReader<BufReader<File>>,
    mut each: impl FnMut(&Columns<'_>) -> Result<(), StreamError>,
) -> Result<(), Fault> {
    let mut group = Batch::new(reader.header().clone());
    while reader.read_group(&mut group)? > 0 {
        each(&group.columns())?;
        group.clear();
    }
    Ok(())
}
