//! A batch, as it comes from a file or a stream, to a token store.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use linkage_core::encode::batch::{Batch, BatchReader, DIGEST_BYTES};

use super::head::{Head, Kind, Place};
use super::{HeadError, StoreError, TokenStore, Verify};
use crate::durable::NewFile;

/// Reads a batch to its end, checks it, and puts a token store of its records at `path`. Holds one
/// row group. The file appears only when it is complete and on disk; one that is there is replaced.
///
/// # Errors
/// [`StoreError::Batch`] when `input` fails or is no batch; [`StoreError::Io`].
pub fn import(input: impl Read, path: &Path) -> Result<(), StoreError> {
    if cfg!(target_endian = "big") {
        return Err(StoreError::head(path)(HeadError::Endian));
    }
    let io = StoreError::io(path);
    let refused = |source| StoreError::Batch {
        path: path.into(),
        source,
    };
    let mut reader = BatchReader::new(input).map_err(refused)?;
    let mut head = Head::new(reader.header().clone());
    let new = NewFile::new(path).map_err(&io)?;
    let mut group = Batch::new(reader.header().clone());
    let mut first = 0;
    loop {
        let rows = reader.read_group(&mut group).map_err(refused)?;
        if rows == 0 {
            break;
        }
        append(&new.file, &mut head, &group, first).map_err(&io)?;
        first += rows as u64;
        group.clear();
    }
    // Known at the end, which the loop has reached.
    head.digest = reader.digest().unwrap_or_default();
    new.file.write_all_at(&head.encode(), 0).map_err(&io)?;
    // Without rows no column is written; the file has its full length all the same.
    new.file.set_len(head.file_bytes()).map_err(&io)?;
    new.place().map_err(&io)
}

/// The store at `path` of the batch in the file `tokens`, made unless it is there already. A store
/// is taken to be of this batch if it states the digest that the file ends with.
///
/// # Errors
/// As [`import`] and [`TokenStore::open`]; [`StoreError::Io`] for `tokens`, too.
pub fn import_once(tokens: &Path, path: &Path) -> Result<TokenStore, StoreError> {
    let io = StoreError::io(tokens);
    let mut file = File::open(tokens).map_err(&io)?;
    let length = file.metadata().map_err(&io)?.len();
    let mut digest = [0; DIGEST_BYTES];
    if let Some(at) = length.checked_sub(DIGEST_BYTES as u64) {
        file.read_exact_at(&mut digest, at).map_err(&io)?;
    }
    let there = match TokenStore::open(path, Verify::Checksums) {
        Ok(store) => Some(store).filter(|store| *store.digest() == digest),
        // A damaged or missing store is made from the batch again, which says what is wrong.
        Err(_) => None,
    };
    if let Some(store) = there {
        return Ok(store);
    }
    import(BufReader::new(&mut file), path)?;
    TokenStore::open(path, Verify::Head)
}

/// Writes one row group's columns to their places.
fn append(file: &File, head: &mut Head, group: &Batch, first_row: u64) -> io::Result<()> {
    let columns = group.columns();
    for (place, checksums) in head.places.iter().zip(&mut head.checksums) {
        let Place { kind, index, .. } = *place;
        let index = usize::from(index);
        let bytes: Option<&[u8]> = match kind {
            Kind::Tokens => Some(bytemuck::cast_slice(columns.words)),
            Kind::Ones => Some(bytemuck::cast_slice(columns.ones)),
            Kind::LinkKeys => columns
                .link_keys
                .get(index)
                .map(|c| bytemuck::cast_slice(c)),
            Kind::BlockKeys => columns
                .block_keys
                .get(index)
                .map(|c| bytemuck::cast_slice(c)),
            Kind::Classes => columns.classes.get(index).map(|c| bytemuck::cast_slice(c)),
        };
        let bytes = bytes.unwrap_or(&[]);
        checksums.push(crc32c::crc32c(bytes));
        file.write_all_at(bytes, place.offset + first_row * place.width)?;
    }
    Ok(())
}
