//! Oblivious tables: counts of two owners' joint records by A's and B's categories, or sums of A's
//! values over them, such that neither owner sees the other's data and the analyst sees noised
//! cells only.
//!
//! Both owners hold positions from the matcher; a joint record has the same position at both.
//!
//! | step | call | who | sends | other side learns |
//! |---|---|---|---|---|
//! | agree | [`context::RunContext::derive`] | A, B | a nonce each, A first | nothing |
//! | key | [`encrypt::Encryptor::new`] | A | public key to B, 16 or 32 KiB per row | nothing (ring-LWE) |
//! | encrypt counts | [`encrypt::Encryptor::encrypt_chunk`] | A | 5 bytes per position and row to B | nothing (ring-LWE) |
//! | or sums | [`encrypt::Encryptor::encrypt_values`] | A | 8 bytes per position and row to B | nothing (ring-LWE) |
//! | add up | [`evaluate::Evaluator::absorb`] | B | nothing | |
//! | mask | [`evaluate::Evaluator::finish`] | B | masked table to A, mask share to the analyst | nothing (ring-LWE, uniform mask) |
//! | open | [`encrypt::Encryptor::open`] | A | phase share to the analyst | |
//! | combine | [`shares::combine`] | analyst | | noised counts or sums |
//!
//! # How it works
//! A encrypts, per chunk of 2048 positions and per row, the polynomial whose coefficient j is 1
//! where position j holds a record of that row. B multiplies by the sum of `X^(2047-j)` over its
//! own records of a column: coefficient 2047 of the product counts the joint records.
//!
//! For sums, coefficient j is the value of A's record, and a chunk has 4096 positions. The owner of
//! the measure is A. Values are whole numbers from 0; A clips and quantises them beforehand.
//!
//! A third owner's categories can take part in a table of counts: see [`three`].
//!
//! Counts and sums are exact before noise; see [`params::RECORDS_MAX`] for the bound.
//!
//! # What protects whom
//! * B re-randomises every result mask by a fresh encryption of zero. Without it the mask is a
//!   known polynomial times B's records, and A divides.
//! * B masks every phase uniformly modulo 2^64, not only in the bits of the count: A knows the
//!   encryption errors, whose sum would tell B's records.
//! * A blurs every phase before it gives it out, and its keys open one table only. Exact phases are
//!   linear equations in a secret key.
//! * Both owners add noise of full resolution, so the analyst together with either owner faces the
//!   other owner's noise.
//! * Seeds of masks come from both owners' nonces and the run; every message carries their tag.
//!
//! # What it doesn't protect against
//! Owners are taken to follow the protocol. A B that sends a masked table of its own making turns
//! [`encrypt::Encryptor::open`] into an oracle: together with the analyst it reads A's key, hence
//! A's categories of this run, out of the high bits of a few cells, whatever the noise. An A that
//! encrypts a single record learns, with the analyst, that record's noised column; an A that
//! encrypts values above the agreed bound learns more than B's noise was made for. A and B together
//! learn who is linked, as they pool positions. Memory inside tfhe, its transforms and ring
//! (generator states, intermediate values, keyed hashes) isn't zeroized.
//!
//! # Example
//! ```
//! use linkage_oblivious::context::{Nonce, RunContext, RunId};
//! use linkage_oblivious::{encrypt::Encryptor, evaluate::Evaluator, params::TableShape, shares};
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! # let mut rng = ChaCha20Rng::seed_from_u64(1);
//! # let mut noise_a = || 0; let mut noise_b = || 0;
//! let shape = TableShape::new(2048, 2, 3)?;
//! let (nonce_a, nonce_b) = (Nonce::random(&mut rng), Nonce::random(&mut rng));
//! let context = RunContext::derive(RunId::new([7; 16]), nonce_a, nonce_b, shape)?;
//!
//! let mut owner_a = Encryptor::new(&context, &mut rng);
//! let mut categories = vec![None; 2048];
//! categories[11] = Some(1);
//! categories[12] = Some(0);
//! let chunk = owner_a.encrypt_chunk(0, &categories)?;
//!
//! let mut owner_b = Evaluator::new(&context, owner_a.public_key(), &[(11, 2), (500, 0)])?;
//! owner_b.absorb(0, &chunk)?;
//! let (masked_table, mask_share) = owner_b.finish(&mut noise_b, &mut rng)?;
//!
//! let phase_share = owner_a.open(&masked_table, &mut noise_a, &mut rng)?;
//! assert_eq!(shares::combine(&phase_share, &mask_share)?, [0, 0, 0, 0, 0, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod params;

pub mod context;
pub mod encrypt;
pub mod evaluate;
pub mod shares;
pub mod three;
pub mod wire;

mod bodies;
mod keys;
mod layout;
mod masked;
mod polynomial;

#[cfg(test)]
mod attacks;
