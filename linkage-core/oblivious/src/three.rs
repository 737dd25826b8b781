//! Tables of three owners: counts of joint records by A's, B's and C's categories.
//!
//! C writes its categories as one 0/1 vector per layer over all positions of the run, and splits
//! each into two vectors of words that add up to it modulo 2^22: A gets a seed that the first is
//! expanded from, B the second. Then the cell of row c, column d and layer e is
//! `<A_c * first_e, B_d> + <A_c, B_d * second_e>`: A encrypts the vectors `A_c * first_e` and
//! `A_c`, and B adds up the former over its records of column d, and the latter weighted with its
//! words.
//!
//! | step | call | who | sends |
//! |---|---|---|---|
//! | agree | [`RunContext::derive`] | A, B, C | A and B their nonces, also to C |
//! | split | [`Splitter::seed_message`], [`Splitter::split_chunk`] | C | 32 bytes to A, 2.75 bytes per position and layer to B |
//! | encrypt | [`Encryptor::encrypt_split`](crate::encrypt::Encryptor::encrypt_split) | A | per position 5 bytes for each row and layer, 8 for each row, to B |
//! | add up | [`Evaluator::absorb_split`](crate::evaluate::Evaluator::absorb_split) | B | nothing |
//!
//! Everything else, public key, masked table and shares, is as in a table of two owners.
//!
//! # What protects whom
//! A and B are protected from each other as in a table of two owners, and from C, who receives
//! nothing. C is protected from A and from B, each of whom sees vectors that are uniform by
//! themselves. **A and B together read all of C's categories**, whatever the noise. C adds none:
//! the analyst together with A faces B's noise, together with B A's noise.
//!
//! # Example
//! ```
//! use linkage_oblivious::context::{Nonce, RunContext, RunId};
//! use linkage_oblivious::{encrypt::Encryptor, evaluate::Evaluator, params::TableShape, shares};
//! use linkage_oblivious::three::Splitter;
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! # let mut rng = ChaCha20Rng::seed_from_u64(1);
//! # let mut noise_a = || 0; let mut noise_b = || 0;
//! let shape = TableShape::three_way(4096, 1, 2, 2)?;
//! let (nonce_a, nonce_b) = (Nonce::random(&mut rng), Nonce::random(&mut rng));
//! let context = RunContext::derive(RunId::new([7; 16]), nonce_a, nonce_b, shape)?;
//!
//! let mut owner_c = Splitter::new(&context, &mut rng)?;
//! let mut layers = vec![None; 4096];
//! layers[11] = Some(1);
//! let split = owner_c.split_chunk(0, &layers)?;
//!
//! let mut owner_a = Encryptor::new(&context, &mut rng);
//! let mut rows = vec![None; 4096];
//! rows[11] = Some(0);
//! let chunk = owner_a.encrypt_split(0, &rows, &owner_c.seed_message())?;
//!
//! let mut owner_b = Evaluator::new(&context, owner_a.public_key(), &[(11, 1), (500, 0)])?;
//! owner_b.absorb_split(0, &chunk, &split)?;
//! let (masked_table, mask_share) = owner_b.finish(&mut noise_b, &mut rng)?;
//!
//! let phase_share = owner_a.open(&masked_table, &mut noise_a, &mut rng)?;
//! assert_eq!(shares::combine(&phase_share, &mask_share)?, [0, 0, 0, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand::CryptoRng;
use ring::hmac;
use zeroize::Zeroizing;

use crate::context::RunContext;
use crate::params::{Measure, WORD_BITS};
use crate::polynomial::generator;
use crate::wire::{self, INDEX_BYTES, Kind};

const WORDS_LABEL: &[u8] = b"linkage oblivious v1 split";

/// All bits of a word.
const WORD_MASK: u32 = (1 << WORD_BITS) - 1;

/// Words that travel together, in whole bytes.
const PACK_WORDS: usize = 4;
const PACK_BYTES: usize = PACK_WORDS * WORD_BITS as usize / 8;

/// Why owner C stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table is not one of three owners.
    #[error("the table is not one of three owners")]
    Measure,
    /// The table has no chunk of this number.
    #[error("no chunk {0} in this table")]
    ChunkOutOfRange(u32),
    /// The chunk was split before. A second one with the same seed would show the difference of
    /// both to B.
    #[error("chunk {0} was split before")]
    ChunkRepeated(u32),
    /// A chunk takes exactly one entry per position.
    #[error("{found} entries for the {expected} positions of a chunk")]
    ChunkLength {
        /// Positions of a chunk of this table.
        expected: usize,
        /// Entries given.
        found: usize,
    },
    /// A category isn't a layer of the table.
    #[error("category {0} is not a layer of this table")]
    Category(u16),
}

/// Owner C's side of one table: splits one category per position between A and B.
pub struct Splitter {
    context: RunContext,
    seed: SplitSeed,
    split: Vec<bool>,
}

impl Splitter {
    /// Draws a fresh seed.
    ///
    /// # Errors
    /// [`Error::Measure`] if the table isn't one of three owners.
    pub fn new(context: &RunContext, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        if context.shape().measure() != Measure::CountOfThree {
            return Err(Error::Measure);
        }
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Ok(Self {
            context: context.clone(),
            seed: SplitSeed(seed),
            split: vec![false; context.shape().chunks() as usize],
        })
    }

    /// The message for A, 32 bytes and a header. Must not reach B, who could undo the split.
    pub fn seed_message(&self) -> Zeroizing<Vec<u8>> {
        let SplitSeed(seed) = &self.seed;
        let fill = |payload: &mut [u8]| payload.copy_from_slice(seed.as_slice());
        let envelope = self.context.envelope();
        Zeroizing::new(envelope.seal(Kind::SplitSeed, seed.len(), fill))
    }

    /// Splits one chunk: for each of its positions the layer of C's record there, or `None`.
    ///
    /// The message is for B and must not reach A: 2.75 bytes per position and layer. It can be sent
    /// again, as it is.
    ///
    /// # Errors
    /// Refuses a chunk outside the table or split before, and wrong categories; a refused call
    /// changes nothing.
    pub fn split_chunk(
        &mut self,
        chunk: u32,
        categories: &[Option<u16>],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let shape = self.context.shape();
        if categories.len() != shape.positions_per_chunk() {
            return Err(Error::ChunkLength {
                expected: shape.positions_per_chunk(),
                found: categories.len(),
            });
        }
        let layers = shape.layers();
        if let Some(category) = categories.iter().flatten().find(|layer| **layer >= layers) {
            return Err(Error::Category(*category));
        }
        let split = self
            .split
            .get_mut(chunk as usize)
            .ok_or(Error::ChunkOutOfRange(chunk))?;
        if std::mem::replace(split, true) {
            return Err(Error::ChunkRepeated(chunk));
        }

        let fill = |payload: &mut [u8]| {
            let (index, places) = payload.split_at_mut(INDEX_BYTES);
            index.copy_from_slice(&chunk.to_le_bytes());
            let places = places.chunks_exact_mut(layer_bytes(&self.context));
            for (layer, place) in (0..layers).zip(places) {
                let mut words = self.seed.words(&self.context, chunk, layer);
                for (word, category) in words.iter_mut().zip(categories) {
                    let bit = u32::from(*category == Some(layer));
                    *word = bit.wrapping_sub(*word) & WORD_MASK;
                }
                pack(&words, place);
            }
        };
        let bytes = payload_bytes(&self.context);
        let envelope = self.context.envelope();
        Ok(Zeroizing::new(envelope.seal(Kind::SplitChunk, bytes, fill)))
    }
}

/// What C sends to A: seed of the first vectors.
pub(crate) struct SplitSeed(Zeroizing<[u8; 32]>);

impl SplitSeed {
    pub(crate) fn decode(context: &RunContext, message: &[u8]) -> Result<Self, wire::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        let payload = context
            .envelope()
            .unseal(Kind::SplitSeed, seed.len(), message)?;
        seed.copy_from_slice(payload);
        Ok(Self(seed))
    }

    /// Words of one chunk of the first vector of a layer, each below 2^22.
    pub(crate) fn words(
        &self,
        context: &RunContext,
        chunk: u32,
        layer: u16,
    ) -> Zeroizing<Vec<u32>> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice());
        let mut hash = hmac::Context::with_key(&key);
        hash.update(WORDS_LABEL);
        hash.update(&chunk.to_le_bytes());
        hash.update(&layer.to_le_bytes());
        let mut seed = Zeroizing::new([0; 16]);
        for (byte, hashed) in seed.iter_mut().zip(hash.sign().as_ref()) {
            *byte = *hashed;
        }
        let mut words = Zeroizing::new(vec![0; context.shape().positions_per_chunk()]);
        generator(*seed).fill_slice_with_random_uniform(&mut words);
        words.iter_mut().for_each(|word| *word &= WORD_MASK);
        words
    }
}

/// What C sends to B for one chunk: the second vectors.
pub(crate) struct SplitChunk {
    pub(crate) chunk: u32,
    /// Words by layer, each below 2^22.
    pub(crate) words: Vec<Zeroizing<Vec<u32>>>,
}

impl SplitChunk {
    pub(crate) fn decode(context: &RunContext, message: &[u8]) -> Result<Self, wire::Error> {
        let bytes = payload_bytes(context);
        let payload = context
            .envelope()
            .unseal(Kind::SplitChunk, bytes, message)?;
        let (index, places) = wire::split_index(payload)?;
        let places = places.chunks_exact(layer_bytes(context));
        Ok(Self {
            chunk: index,
            words: places.map(unpack).collect(),
        })
    }
}

fn layer_bytes(context: &RunContext) -> usize {
    context.shape().positions_per_chunk() / PACK_WORDS * PACK_BYTES
}

fn payload_bytes(context: &RunContext) -> usize {
    INDEX_BYTES + usize::from(context.shape().layers()) * layer_bytes(context)
}

fn pack(words: &[u32], place: &mut [u8]) {
    let (packs, _) = words.as_chunks::<PACK_WORDS>();
    let (places, _) = place.as_chunks_mut::<PACK_BYTES>();
    for (place, words) in places.iter_mut().zip(packs) {
        let joined = words.iter().rev().fold(0u128, |joined, word| {
            (joined << WORD_BITS) | u128::from(*word)
        });
        for (byte, joined) in place.iter_mut().zip(joined.to_le_bytes()) {
            *byte = joined;
        }
    }
}

fn unpack(place: &[u8]) -> Zeroizing<Vec<u32>> {
    let (places, _) = place.as_chunks::<PACK_BYTES>();
    let mut words = Zeroizing::new(Vec::with_capacity(places.len() * PACK_WORDS));
    for place in places {
        let joined = place.iter().rev().fold(0u128, |joined, byte| {
            (joined << u8::BITS) | u128::from(*byte)
        });
        for at in 0..PACK_WORDS as u32 {
            words.push((joined >> (at * WORD_BITS)) as u32 & WORD_MASK);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Nonce, RunId};
    use crate::params::TableShape;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    fn context() -> RunContext {
        let shape = TableShape::three_way(8192, 1, 1, 3).unwrap();
        let nonces = (Nonce::new([1; 32]), Nonce::new([2; 32]));
        RunContext::derive(RunId::new([3; 16]), nonces.0, nonces.1, shape).unwrap()
    }

    #[test]
    fn words_are_packed_and_unpacked() {
        let words: Vec<u32> = (0..16).map(|k| (k * 0x0ab_cdef) & WORD_MASK).collect();
        let mut place = vec![0; 44];
        pack(&words, &mut place);
        assert_eq!(*unpack(&place), words);
        pack(&[WORD_MASK; 16], &mut place);
        assert_eq!(place, [255; 44]);
    }

    #[test]
    fn both_parts_add_up_to_the_categories() {
        let context = context();
        let mut c = Splitter::new(&context, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let categories: Vec<_> = (0..4096).map(|j| (j % 5 < 3).then_some(j % 5)).collect();
        let seed = SplitSeed::decode(&context, &c.seed_message()).unwrap();
        for chunk in [1, 0] {
            let message = c.split_chunk(chunk, &categories).unwrap();
            let for_b = SplitChunk::decode(&context, &message).unwrap();
            assert_eq!(for_b.chunk, chunk);
            for (layer, second) in (0..).zip(&for_b.words) {
                let first = seed.words(&context, chunk, layer);
                let sums = first.iter().zip(second.iter());
                let sums: Vec<u32> = sums.map(|(a, b)| (a + b) & WORD_MASK).collect();
                let of_layer = |category: &Option<u16>| u32::from(*category == Some(layer));
                assert_eq!(sums, categories.iter().map(of_layer).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn each_part_alone_is_uniform() {
        let context = context();
        let mut c = Splitter::new(&context, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        let message = c.split_chunk(0, &[Some(1); 4096]).unwrap();
        let second = SplitChunk::decode(&context, &message).unwrap().words;
        let first = (0..3).map(|layer| c.seed.words(&context, 0, layer));
        for words in first.chain(second) {
            for bit in 0..WORD_BITS {
                let ones: u32 = words.iter().map(|word| (word >> bit) & 1).sum();
                assert!(
                    (2048 - 150..2048 + 150).contains(&ones),
                    "bit {bit}: {ones}"
                );
            }
            let distinct: std::collections::HashSet<_> = words.iter().collect();
            assert!(distinct.len() > 4050, "{} of 4096 words", distinct.len());
        }
    }
}
