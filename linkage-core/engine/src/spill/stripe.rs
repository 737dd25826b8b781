//! A range of one owner's rows with their tokens in memory.

use linkage_core::encode::{Columns, Header};
use linkage_core::schema::LinkRole;
use rayon::prelude::*;

use crate::error::Error;
use crate::store::{Kind, TokenStore};

/// Rows read at once.
const READ_ROWS: usize = 16_384;

/// The rows of a stripe.
pub(crate) struct Stripe {
    /// The stripe's first row in the store.
    pub first: u32,
    words: Vec<u64>,
    ones: Vec<u16>,
    /// For each column of link keys that can support an identity, a bit for each row that has it.
    present: Vec<Option<Vec<u64>>>,
}

impl Stripe {
    /// Reads at most `rows` rows from row `first` on.
    pub fn read(store: &TokenStore, first: u32, rows: u32) -> Result<Self, Error> {
        let rows = u64::from(rows).min(store.header().rows.saturating_sub(first.into())) as usize;
        let width = (store.header().token_bits as usize).div_ceil(64);
        let (mut words, mut ones) = (vec![0_u64; rows * width], vec![0_u16; rows]);
        let from = |chunk: usize| u64::from(first) + (chunk * READ_ROWS) as u64;
        words
            .par_chunks_mut(READ_ROWS * width)
            .enumerate()
            .try_for_each(|(at, chunk)| store.read((Kind::Tokens, 0), from(at), chunk))?;
        ones.par_chunks_mut(READ_ROWS)
            .enumerate()
            .try_for_each(|(at, chunk)| store.read((Kind::Ones, 0), from(at), chunk))?;
        let columns = store.header().link_columns.iter().enumerate();
        let present = columns.map(|(column, link)| {
            let supports = link.role == LinkRole::Link && has_identity(store.header(), link.rule);
            supports
                .then(|| present(store, column, first, rows))
                .transpose()
        });
        Ok(Self {
            first,
            words,
            ones,
            present: present.collect::<Result<_, _>>()?,
        })
    }

    /// The tokens as columns; the keys are not there.
    pub fn columns<'a>(&'a self, header: &'a Header) -> Columns<'a> {
        Columns {
            header,
            words: &self.words,
            ones: &self.ones,
            link_keys: vec![],
            block_keys: vec![],
            classes: vec![],
        }
    }

    /// Whether `row` of the stripe has a key in column `column`; only known of supports.
    pub fn has_link_key(&self, column: usize, row: u32) -> bool {
        let bits = self.present.get(column).and_then(Option::as_ref);
        let word = bits.and_then(|bits| bits.get(row as usize / 64));
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

/// Whether `rule` has an identity that its other columns support.
fn has_identity(header: &Header, rule: u8) -> bool {
    let mut columns = header.link_columns.iter();
    columns.any(|column| column.rule == rule && column.role == LinkRole::Identity)
}

fn present(store: &TokenStore, column: usize, first: u32, rows: usize) -> Result<Vec<u64>, Error> {
    let mut bits = vec![0_u64; rows.div_ceil(64)];
    bits.par_chunks_mut(READ_ROWS / 64)
        .enumerate()
        .try_for_each_init(Vec::new, |keys, (at, bits)| {
            let from = at * READ_ROWS;
            keys.resize(READ_ROWS.min(rows - from), 0_u128);
            let row = u64::from(first) + from as u64;
            store.read((Kind::LinkKeys, column), row, keys)?;
            for (word, keys) in bits.iter_mut().zip(keys.chunks(64)) {
                *word = (0..)
                    .zip(keys)
                    .fold(0, |word, (bit, key)| word | u64::from(*key != 0) << bit);
            }
            Ok::<(), Error>(())
        })?;
    Ok(bits)
}
