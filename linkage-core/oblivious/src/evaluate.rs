//! Owner B: adds up A's ciphertexts over B's own records, column by column, and masks the result.
//!
//! The cell of row c and column d is coefficient N-1 of `ciphertext_c * sum_j X^(N-1-j)` over the
//! slots j that hold a record of column d. Of the body that coefficient is a plain sum; of the
//! mask, which all rows share, the whole product is needed: one rotation and addition per record.

use rand::CryptoRng;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::bodies;
use crate::context::RunContext;
use crate::encrypt::{INDEX_BYTES, chunk_payload_bytes, modulo_2_64, row_bytes};
use crate::keys::PublicKey;
use crate::masked::MaskedTable;
use crate::params::{BodyWidth, RECORDS_MAX};
use crate::polynomial::{Rotations, expand_mask};
use crate::shares::MaskShare;
use crate::wire::{self, Kind};

/// Why owner B stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More records than cells stay exact for.
    #[error("{0} records: at most 4190206 keep a table exact")]
    TooManyRecords(usize),
    /// A record lies outside the positions of the run.
    #[error("position {0} is not a position of this table")]
    Position(u32),
    /// Two records share a position.
    #[error("position {0} holds two records")]
    PositionRepeated(u32),
    /// A record's category isn't a column of the table.
    #[error("category {0} is not a column of this table")]
    Category(u16),
    /// The public key is refused.
    #[error("public key refused")]
    PublicKey(#[source] wire::Error),
    /// A chunk is refused.
    #[error("chunk refused")]
    Chunk(#[source] wire::Error),
    /// The table has no chunk of this number.
    #[error("no chunk {0} in this table")]
    ChunkOutOfRange(u32),
    /// The message holds another chunk than the caller names.
    #[error("chunk {found} where chunk {expected} is due")]
    ChunkMismatch {
        /// Chunk that the caller names.
        expected: u32,
        /// Chunk in the message.
        found: u32,
    },
    /// The chunk was absorbed before.
    #[error("chunk {0} was absorbed before")]
    ChunkRepeated(u32),
    /// A chunk never came.
    #[error("chunk {0} is missing")]
    ChunkMissing(u32),
}

/// Owner B's side of one table.
pub struct Evaluator {
    context: RunContext,
    public_key: PublicKey,
    /// Column of B's record at each position.
    categories: Zeroizing<Vec<Option<u16>>>,
    pub(crate) columns: Vec<ColumnSum>,
    absorbed: Vec<bool>,
}

/// Sums over the records of one column.
pub(crate) struct ColumnSum {
    /// Mask of the column: shows B's records until it is re-randomised.
    pub(crate) mask: Zeroizing<Vec<u64>>,
    /// Body of each row.
    pub(crate) bodies: Zeroizing<Vec<u64>>,
}

impl Evaluator {
    /// Takes A's public key and B's records as (position, column).
    ///
    /// # Errors
    /// Refuses a foreign or damaged key, more than [`RECORDS_MAX`] records, and records that
    /// don't fit the table or share a position.
    pub fn new(
        context: &RunContext,
        public_key: &[u8],
        records: &[(u32, u16)],
    ) -> Result<Self, Error> {
        if records.len() > RECORDS_MAX {
            return Err(Error::TooManyRecords(records.len()));
        }
        let shape = context.shape();
        let mut categories = Zeroizing::new(vec![None; shape.positions() as usize]);
        for (position, column) in records {
            if *column >= shape.columns() {
                return Err(Error::Category(*column));
            }
            let slot = categories
                .get_mut(*position as usize)
                .ok_or(Error::Position(*position))?;
            if slot.replace(*column).is_some() {
                return Err(Error::PositionRepeated(*position));
            }
        }
        let column = || ColumnSum {
            mask: Zeroizing::new(vec![0; shape.positions_per_chunk()]),
            bodies: Zeroizing::new(vec![0; usize::from(shape.rows())]),
        };
        Ok(Self {
            context: context.clone(),
            public_key: PublicKey::decode(context, public_key).map_err(Error::PublicKey)?,
            categories,
            columns: (0..shape.columns()).map(|_| column()).collect(),
            absorbed: vec![false; shape.chunks() as usize],
        })
    }

    /// Adds one chunk of A's ciphertexts; chunks may come in any order, each once.
    ///
    /// Columns are summed in parallel on the current rayon pool.
    ///
    /// # Errors
    /// Refuses a foreign, damaged, misplaced or repeated chunk; a refused call changes nothing.
    pub fn absorb(&mut self, chunk: u32, message: &[u8]) -> Result<(), Error> {
        let parameters = self.context.parameters();
        let payload_bytes = chunk_payload_bytes(self.context.shape());
        let payload = self
            .context
            .envelope()
            .unseal(Kind::Chunk, payload_bytes, message)
            .map_err(Error::Chunk)?;
        let (index, rows) = payload
            .split_first_chunk::<INDEX_BYTES>()
            .ok_or(Error::ChunkOutOfRange(chunk))?;
        let found = u32::from_le_bytes(*index);
        if found != chunk {
            return Err(Error::ChunkMismatch {
                expected: chunk,
                found,
            });
        }
        let absorbed = self
            .absorbed
            .get_mut(chunk as usize)
            .ok_or(Error::ChunkOutOfRange(chunk))?;
        if std::mem::replace(absorbed, true) {
            return Err(Error::ChunkRepeated(chunk));
        }

        let mask = expand_mask(parameters, self.context.chunk_mask_seed(chunk));
        let rotations = Rotations::new(&mask);
        let rows: Vec<&[u8]> = rows.chunks_exact(row_bytes(parameters)).collect();
        let slots = self.slots_by_column(chunk);
        self.columns
            .par_iter_mut()
            .zip(&*slots)
            .for_each(|(column, slots)| {
                column.add(slots, &rotations, &rows, parameters.body_width)
            });
        Ok(())
    }

    /// Slots of B's records in one chunk, by column.
    fn slots_by_column(&self, chunk: u32) -> Zeroizing<Vec<Vec<usize>>> {
        let mut slots = Zeroizing::new(vec![Vec::new(); self.columns.len()]);
        let size = self.context.shape().positions_per_chunk();
        let first = chunk as usize * size;
        let categories = self.categories.iter().skip(first).take(size);
        for (slot, category) in categories.enumerate() {
            let column = category.and_then(|column| slots.get_mut(usize::from(column)));
            if let Some(column) = column {
                column.push(slot);
            }
        }
        slots
    }

    /// Re-randomises, noises and masks the sums: the message for A, and B's share for the analyst.
    ///
    /// `noise` is called once per cell, row by row, and returns B's share of the noise in units of
    /// `2^-`[`scale_log2`](crate::params::TableShape::scale_log2) of a count or unit. For
    /// epsilon-differential privacy against A and the analyst together it is a discrete Laplace
    /// sample of scale `sensitivity / epsilon` over the integers, with a sensitivity of `2^40` for
    /// counts, and for sums of the bound V that A's values were clipped to, times `2^27`: A and the
    /// analyst know A's errors, so noise in whole units would leave the error sum, which depends on
    /// B's records, in the clear.
    ///
    /// One record of B moves its column by the joint record's units and by A's errors: in L1 norm
    /// by at most `2^40 + rows * (2^17 + 2^23)` for counts and `V * 2^27 + rows * 2^3` for sums. So
    /// the guarantee is `epsilon * (1 + rows * 2^-16.9)`, or `epsilon * (1 + rows / V * 2^-24)`.
    ///
    /// # Errors
    /// [`Error::ChunkMissing`] if a chunk never came.
    pub fn finish(
        self,
        mut noise: impl FnMut() -> i128,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, MaskShare), Error> {
        if let Some((chunk, _)) = (0u32..)
            .zip(&self.absorbed)
            .find(|(_, absorbed)| !**absorbed)
        {
            return Err(Error::ChunkMissing(chunk));
        }
        let cells = self.context.shape().cells();
        let noise: Zeroizing<Vec<u64>> =
            Zeroizing::new((0..cells).map(|_| modulo_2_64(noise())).collect());
        let one_time_pad: Zeroizing<Vec<u64>> =
            Zeroizing::new((0..cells).map(|_| rng.next_u64()).collect());

        let seeds: Zeroizing<Vec<[u8; 16]>> =
            Zeroizing::new(self.columns.iter().map(|_| random_seed(rng)).collect());
        let hidden: Vec<ColumnSum> = self
            .columns
            .into_par_iter()
            .zip(seeds.par_iter())
            .map(|(column, seed)| column.rerandomise(&self.public_key, *seed))
            .collect();
        let sums = (0..usize::from(self.context.shape().rows())).flat_map(|row| {
            hidden
                .iter()
                .filter_map(move |column| column.bodies.get(row))
        });
        let bodies: Zeroizing<Vec<u64>> = Zeroizing::new(
            sums.zip(noise.iter())
                .zip(one_time_pad.iter())
                .map(|((sum, noise), pad)| sum.wrapping_add(*noise).wrapping_add(*pad))
                .collect(),
        );
        let masks = hidden.into_iter().map(|column| column.mask).collect();
        let message = MaskedTable::new(masks, bodies).encode(&self.context);
        Ok((
            message,
            MaskShare::new(*self.context.envelope(), one_time_pad),
        ))
    }
}

impl ColumnSum {
    /// Adds the records at `slots` of one chunk.
    fn add(&mut self, slots: &[usize], rotations: &Rotations, rows: &[&[u8]], width: BodyWidth) {
        for slot in slots {
            rotations.add_to(*slot, &mut self.mask);
        }
        for (sum, row) in self.bodies.iter_mut().zip(rows) {
            *sum = sum.wrapping_add(bodies::sum(slots, width, row));
        }
    }

    /// Adds a fresh encryption of zero, so that the mask says nothing about B's records.
    pub(crate) fn rerandomise(mut self, public_key: &PublicKey, seed: [u8; 16]) -> Self {
        let zero = public_key.encrypt_zero(seed);
        add_to_each(&mut self.mask, &zero.mask);
        add_to_each(&mut self.bodies, &zero.bodies);
        self
    }
}

fn add_to_each(sums: &mut [u64], values: &[u64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = sum.wrapping_add(*value);
    }
}

fn random_seed(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut seed = [0; 16];
    rng.fill_bytes(&mut seed);
    seed
}
