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
use crate::encrypt::modulo_2_64;
use crate::keys::PublicKey;
use crate::layout::{Sum, Term};
use crate::masked::MaskedTable;
use crate::params::{BodyWidth, Measure};
use crate::polynomial::{Products, Rotations, expand_mask};
use crate::shares::MaskShare;
use crate::three::SplitChunk;
use crate::wire::{self, INDEX_BYTES, Kind};

/// Why owner B stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More records than cells stay exact for.
    #[error("{found} records: at most {most} keep the table exact")]
    TooManyRecords {
        /// Most records of such a table.
        most: usize,
        /// Records given.
        found: usize,
    },
    /// A record lies outside the positions of the run.
    #[error("position {0} is not a position of this table")]
    Position(u32),
    /// Two records share a position.
    #[error("position {0} holds two records")]
    PositionRepeated(u32),
    /// A record's category isn't a column of the table.
    #[error("category {0} is not a column of this table")]
    Category(u16),
    /// Only a table of three owners takes a part of C's for each chunk.
    #[error("the table has another number of owners than the call")]
    Owners,
    /// The public key is refused.
    #[error("public key refused")]
    PublicKey(#[source] wire::Error),
    /// A chunk is refused.
    #[error("chunk refused")]
    Chunk(#[source] wire::Error),
    /// C's part of a chunk is refused.
    #[error("split chunk refused")]
    SplitChunk(#[source] wire::Error),
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
    pub(crate) sums: Vec<ColumnSum>,
    /// For C's words; made once, as it holds tables of roots of unity.
    products: Products,
    absorbed: Vec<bool>,
}

/// Sum over the records of one column.
pub(crate) struct ColumnSum {
    of: Sum,
    /// Mask of the sum: shows B's records until it is re-randomised.
    pub(crate) mask: Zeroizing<Vec<u64>>,
    /// Body of each vector that it is made of.
    pub(crate) bodies: Zeroizing<Vec<u64>>,
}

/// One chunk of A's, and what multiplies its mask.
struct Encrypted<'c> {
    mask: Vec<u64>,
    rotations: Rotations,
    products: &'c Products,
    vectors: Vec<(&'c [u8], BodyWidth)>,
}

impl Evaluator {
    /// Takes A's public key and B's records as (position, column).
    ///
    /// # Errors
    /// Refuses a foreign or damaged key, more records than
    /// [`TableShape::records_max`](crate::params::TableShape::records_max), and records that don't
    /// fit the table or share a position.
    pub fn new(
        context: &RunContext,
        public_key: &[u8],
        records: &[(u32, u16)],
    ) -> Result<Self, Error> {
        let shape = context.shape();
        let (found, most) = (records.len(), shape.records_max());
        if found > most {
            return Err(Error::TooManyRecords { most, found });
        }
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
        let sum = |of: Sum| ColumnSum {
            mask: Zeroizing::new(vec![0; shape.positions_per_chunk()]),
            bodies: Zeroizing::new(vec![0; of.vectors.len()]),
            of,
        };
        Ok(Self {
            context: context.clone(),
            public_key: PublicKey::decode(context, public_key).map_err(Error::PublicKey)?,
            categories,
            sums: (0..shape.sums_made())
                .map(|number| sum(shape.sum(number)))
                .collect(),
            products: Products::new(context.parameters()),
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
        if self.context.shape().measure() == Measure::CountOfThree {
            return Err(Error::Owners);
        }
        self.add(chunk, message, &[])
    }

    /// Adds one chunk of a table of three owners: A's ciphertexts and C's part; chunks may come in
    /// any order, each once.
    ///
    /// Columns, and layers within them, are summed in parallel on the current rayon pool.
    ///
    /// # Errors
    /// Refuses a foreign, damaged, misplaced or repeated chunk of either; a refused call changes
    /// nothing.
    pub fn absorb_split(
        &mut self,
        chunk: u32,
        message: &[u8],
        split_chunk: &[u8],
    ) -> Result<(), Error> {
        if self.context.shape().measure() != Measure::CountOfThree {
            return Err(Error::Owners);
        }
        let split = SplitChunk::decode(&self.context, split_chunk).map_err(Error::SplitChunk)?;
        check_chunk(chunk, split.chunk)?;
        self.add(chunk, message, &split.words)
    }

    /// `words` are C's by layer, none in a table of two owners.
    fn add(
        &mut self,
        chunk: u32,
        message: &[u8],
        words: &[Zeroizing<Vec<u32>>],
    ) -> Result<(), Error> {
        let shape = self.context.shape();
        let payload_bytes = INDEX_BYTES + shape.vector_bytes();
        let payload = self
            .context
            .envelope()
            .unseal(Kind::Chunk, payload_bytes, message)
            .map_err(Error::Chunk)?;
        let (found, mut rest) = wire::split_index(payload).map_err(Error::Chunk)?;
        check_chunk(chunk, found)?;
        let absorbed = self
            .absorbed
            .get_mut(chunk as usize)
            .ok_or(Error::ChunkOutOfRange(chunk))?;
        if std::mem::replace(absorbed, true) {
            return Err(Error::ChunkRepeated(chunk));
        }

        let mask = expand_mask(
            self.context.parameters(),
            self.context.chunk_mask_seed(chunk),
        );
        let mut vectors = Vec::with_capacity(shape.vectors());
        for (count, width) in shape.widths() {
            let bytes = shape.body_bytes(width);
            let places = rest.chunks_exact(bytes).take(count);
            vectors.extend(places.map(|place| (place, width)));
            rest = rest.get(count * bytes..).unwrap_or_default();
        }
        let slots = self.slots_by_column(chunk);
        let encrypted = Encrypted {
            rotations: Rotations::new(&mask),
            mask,
            products: &self.products,
            vectors,
        };
        self.sums.par_iter_mut().for_each(|sum| {
            if let Some(slots) = slots.get(sum.of.column) {
                let words = sum.of.layer.and_then(|layer| words.get(layer));
                sum.add(slots, words, &encrypted);
            }
        });
        Ok(())
    }

    /// Slots of B's records in one chunk, by column.
    fn slots_by_column(&self, chunk: u32) -> Zeroizing<Vec<Vec<usize>>> {
        let shape = self.context.shape();
        let mut slots = Zeroizing::new(vec![Vec::new(); usize::from(shape.columns())]);
        let size = shape.positions_per_chunk();
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
    /// counts, `2^42` for counts of three owners, and for sums of the bound V that A's values were
    /// clipped to, times `2^27`: A and the analyst know A's errors, so noise in whole units would
    /// leave the error sum, which depends on B's records, in the clear.
    ///
    /// One record of B moves its column by the joint record's units and by A's errors, in L1 norm
    /// by at most
    /// * `2^40 + rows * (2^17 + 2^23)` for counts: the guarantee is
    ///   `epsilon * (1 + rows * 2^-16.9)`;
    /// * `V * 2^27 + rows * 2^3` for sums: `epsilon * (1 + rows / V * 2^-24)`;
    /// * `2^42 + rows * layers * (2^3 + 2^23 + 2^25)` for counts of three owners, as A's errors
    ///   meet words of 22 bits: `epsilon * (1 + rows * layers * 2^-16.6)`.
    ///
    /// One record of C moves one word by one, or from one end of its range to the other: by at most
    /// `2^42 + rows * 2^25`, so the guarantee covers C too.
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
            Zeroizing::new(self.sums.iter().map(|_| random_seed(rng)).collect());
        let hidden: Vec<ColumnSum> = self
            .sums
            .into_par_iter()
            .zip(seeds.par_iter())
            .map(|(sum, seed)| sum.rerandomise(&self.public_key, *seed))
            .collect();
        let body = |term: Term| hidden.get(term.sum).map_or(0, |sum| sum.body(term.vector));
        let sums = self
            .context
            .shape()
            .terms()
            .map(|terms| terms.fold(0, |sum: u64, term| sum.wrapping_add(body(term))));
        let bodies: Zeroizing<Vec<u64>> = Zeroizing::new(
            sums.zip(noise.iter())
                .zip(one_time_pad.iter())
                .map(|((sum, noise), pad)| sum.wrapping_add(*noise).wrapping_add(*pad))
                .collect(),
        );
        let masks = hidden.into_iter().map(|sum| sum.mask).collect();
        let message = MaskedTable::new(masks, bodies).encode(&self.context);
        Ok((
            message,
            MaskShare::new(*self.context.envelope(), one_time_pad),
        ))
    }
}

impl ColumnSum {
    /// Adds the records at `slots` of one chunk, weighted with `words` where there are any.
    fn add(
        &mut self,
        slots: &[usize],
        words: Option<&Zeroizing<Vec<u32>>>,
        encrypted: &Encrypted<'_>,
    ) {
        let weight = |slot: usize| words.map_or(1, |words| words.get(slot).copied().unwrap_or(0));
        let weighted = slots.iter().map(|slot| (*slot, weight(*slot)));
        let terms: Zeroizing<Vec<(usize, u32)>> = Zeroizing::new(weighted.collect());
        match words {
            None => encrypted.rotations.add_to(slots, &mut self.mask),
            Some(_) => encrypted
                .products
                .add_to(&encrypted.mask, &terms, &mut self.mask),
        }
        let vectors = encrypted.vectors.get(self.of.vectors.clone());
        for (body, (vector, width)) in self.bodies.iter_mut().zip(vectors.unwrap_or_default()) {
            let sum = bodies::weighted_sum(&terms, *width, vector);
            *body = body.wrapping_add(sum);
        }
    }

    /// Body of a vector, by its number in the table.
    fn body(&self, vector: usize) -> u64 {
        let place = vector.checked_sub(self.of.vectors.start);
        place
            .and_then(|place| self.bodies.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// Adds a fresh encryption of zero, so that the mask says nothing about B's records.
    pub(crate) fn rerandomise(mut self, public_key: &PublicKey, seed: [u8; 16]) -> Self {
        let zero = public_key.encrypt_zero(seed);
        add_to_each(&mut self.mask, &zero.mask);
        let zeros = zero.bodies.get(self.of.vectors.clone());
        add_to_each(&mut self.bodies, zeros.unwrap_or_default());
        self
    }
}

fn check_chunk(expected: u32, found: u32) -> Result<(), Error> {
    if found != expected {
        return Err(Error::ChunkMismatch { expected, found });
    }
    Ok(())
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
