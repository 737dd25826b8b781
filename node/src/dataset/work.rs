//! A block of a source, normalised and encoded: what the cores do in parallel.

use linkage_core::encode::Encoder;
use linkage_core::encode::batch::{BatchError, RowLayout};
use linkage_core::normalise::Normaliser;
use linkage_core::record::{FieldState, NormalRecord};
use zeroize::Zeroizing;

use super::NO_VALUE;
use crate::ingest::{Block, Parser, Reject};

/// Records encoded at a time: a multiple of the encoder's groups, few enough that the canonical
/// values of a block are never all in memory.
const GROUP: usize = 128;

/// What turns blocks of one source into rows of one batch.
pub(super) struct Worker<'a> {
    pub(super) parser: Parser,
    pub(super) normaliser: Normaliser<'a>,
    pub(super) encoder: Encoder<'a>,
    pub(super) layout: RowLayout,
}

/// The usable rows of a block, part by part, and the rejected ones.
pub(super) struct Done {
    pub(super) block: Block,
    pub(super) rows: Vec<DoneRow>,
    ids: Zeroizing<String>,
    /// States of the fields, row after row.
    pub(super) states: Vec<FieldState>,
    /// Attribute values, row after row; [`NO_VALUE`] for none.
    pub(super) attributes: Vec<u8>,
    /// Packed rows of the batch.
    pub(super) packed: Vec<u8>,
    pub(super) rejects: Vec<Reject>,
}

/// Where a row came from and where its identity ends.
pub(super) struct DoneRow {
    /// Row in the file.
    pub(super) number: u64,
    id_end: usize,
}

impl Done {
    /// Identity of row `at`.
    pub(super) fn id(&self, at: usize) -> &str {
        let end = |at: usize| self.rows.get(at).map_or(0, |row| row.id_end);
        let start = at.checked_sub(1).map_or(0, end);
        self.ids.get(start..end(at)).unwrap_or("")
    }
}

impl Worker<'_> {
    /// Normalises and encodes a block.
    pub(super) fn block(&self, block: Block) -> Result<Done, BatchError> {
        let mut done = Done {
            rows: vec![],
            ids: Zeroizing::default(),
            states: vec![],
            attributes: vec![],
            packed: vec![],
            rejects: vec![],
            block,
        };
        let mut failure = None;
        let (mut rows, mut rejects, mut waiting) = (vec![], vec![], vec![]);
        let mut pack = |waiting: &mut Vec<NormalRecord>| {
            self.encoder.rows_here(waiting, |row| {
                if let Err(error) = self.layout.pack(row, &mut done.packed) {
                    failure = Some(error);
                }
            });
            waiting.clear();
        };
        self.parser.rows(&done.block, &mut |row| match row {
            Err(reject) => rejects.push(reject),
            Ok(row) => {
                let normal = self.normaliser.record(&row.record);
                done.states.extend(normal.states());
                waiting.push(normal);
                if waiting.len() == GROUP {
                    pack(&mut waiting);
                }
                append(&mut done.ids, &row.record.id);
                let values = row.attributes.iter();
                done.attributes.extend(values.map(|value| {
                    let value = value.and_then(|value| u8::try_from(value).ok());
                    value.unwrap_or(NO_VALUE)
                }));
                rows.push(DoneRow {
                    number: row.number,
                    id_end: done.ids.len(),
                });
            }
        });
        pack(&mut waiting);
        (done.rows, done.rejects) = (rows, rejects);
        failure.map_or(Ok(done), Err)
    }
}

/// Appends a text. More room is made by moving, so that no copy is left behind unwiped.
fn append(to: &mut Zeroizing<String>, text: &str) {
    if to.capacity() < to.len() + text.len() {
        let room = (to.len() + text.len()).max(16 * 1024) * 2;
        let mut larger = Zeroizing::new(String::with_capacity(room));
        larger.push_str(to);
        *to = larger;
    }
    to.push_str(text);
}
