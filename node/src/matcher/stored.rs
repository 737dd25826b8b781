//! Accepted batches as the run reads them: token stores, mapped from disk, so that the memory of a
//! run does not grow with the owners' records.
//!
//! Where owners send keys first, a store is put together from the keys and from the tokens that
//! were asked for; a record whose token was not asked for has none.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use linkage_core::ask::{self, AskFilter, WholeBatch};
use linkage_core::encode::Header;
use linkage_core::encode::batch::{Batch, BatchError, BatchReader, BatchWriter, Row, StreamError};
use linkage_core::run::{self, Deciding, Outcome};
use linkage_core::schema::Schema;
use linkage_engine::store::{StoreError, TokenStore, Verify, import_once};

use super::spool;
use crate::fault::Fault;
use crate::store::matcher::Upload;

/// Where the token store of an upload lies.
pub(super) fn path(dir: &Path, id: &[u8; 16]) -> PathBuf {
    dir.join(format!("{}.store", hex::encode(id)))
}

/// Makes the token store of a whole batch.
pub(super) fn of_whole(dir: &Path, upload: &Upload) -> Result<(), Fault> {
    import_once(&spool::path(dir, &upload.id), &path(dir, &upload.id))?;
    Ok(())
}

/// Makes the token store of `keys` and the tokens of the rows that `filter` hits, which are all
/// those of `tokens`, in their order. `whole` is the header of the whole batch.
pub(super) fn of_parts(
    dir: &Path,
    keys: &Upload,
    tokens: Option<&Upload>,
    filter: &AskFilter,
    whole: &Header,
) -> Result<(), Fault> {
    let together = path(dir, &keys.id).with_extension("whole");
    let file = super::private_file(&together)?;
    let mut writer = BatchWriter::new(BufWriter::new(&file), whole)?;
    let mut reader = reader(dir, keys)?;
    let mut answer = tokens.map(|tokens| Answer::open(dir, tokens)).transpose()?;
    let mut group = Batch::new(reader.header().clone());
    let none = vec![0; whole.layout().words()];
    let (mut link_keys, mut block_keys) = (vec![], vec![]);
    while reader.read_group(&mut group)? > 0 {
        let columns = group.columns();
        for row in 0..columns.len() {
            link_keys.clear();
            let keys = (0..columns.link_keys.len()).map(|at| columns.link_key(row, at));
            link_keys.extend(keys.map(|key| key.map(u128::to_be_bytes)));
            block_keys.clear();
            block_keys.extend((0..columns.block_keys.len()).map(|at| columns.block_key(row, at)));
            let is_asked = filter.hits(block_keys.iter().flatten().copied());
            let token = match &mut answer {
                Some(answer) if is_asked => answer.next()?,
                _ => None,
            };
            if is_asked && token.is_none() {
                return Err(BatchError::Row("a token that was asked for is missing").into());
            }
            writer.push(&Row {
                token: token.unwrap_or(&none),
                link_keys: &link_keys,
                block_keys: &block_keys,
                classes: &[],
            })?;
        }
        group.clear();
    }
    writer.finish()?.0.flush()?;
    import_once(&together, &path(dir, &keys.id))?;
    Ok(std::fs::remove_file(&together)?)
}

fn reader(dir: &Path, upload: &Upload) -> Result<BatchReader<BufReader<File>>, Fault> {
    let file = File::open(spool::path(dir, &upload.id))?;
    Ok(BatchReader::new(BufReader::new(file))?)
}

/// The tokens of an answer, one after the other.
struct Answer {
    reader: BatchReader<BufReader<File>>,
    group: Batch,
    at: usize,
}

impl Answer {
    fn open(dir: &Path, upload: &Upload) -> Result<Self, Fault> {
        let reader = reader(dir, upload)?;
        let group = Batch::new(reader.header().clone());
        Ok(Self {
            reader,
            group,
            at: 0,
        })
    }

    fn next(&mut self) -> Result<Option<&[u64]>, StreamError> {
        if self.at == self.group.len() {
            self.group.clear();
            self.at = 0;
            self.reader.read_group(&mut self.group)?;
        }
        self.at += 1;
        let columns = self.group.columns();
        let there = self.at <= columns.len();
        Ok(there.then(|| columns.token(self.at - 1)))
    }
}

/// Links the batches whose token stores lie in `dir`, in the order of `uploads`: what a run does,
/// and what anybody does who checks it.
///
/// # Errors
/// When a store is missing or damaged, or two are not comparable.
pub fn link_stored(
    dir: &Path,
    uploads: &[Upload],
    schema: &Schema,
    keep_assigned: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, Fault> {
    let stores: Vec<TokenStore> = uploads
        .iter()
        .map(|upload| TokenStore::open(&path(dir, &upload.id), Verify::Checksums))
        .collect::<Result<_, StoreError>>()?;
    let columns: Vec<_> = stores.iter().map(TokenStore::columns).collect();
    let asked = WholeBatch::of(schema).is_none();
    let settings = if asked {
        ask::candidates(&schema.candidates)
    } else {
        schema.candidates.clone()
    };
    let deciding = Deciding {
        settings: schema.decide,
        keep_assigned,
        asked,
    };
    Ok(run::link(&columns, &settings, deciding, progress)?)
}
