//! Encodings as the Python package clkhash 0.18.3 makes them, bit for bit, for parties who use it.
//!
//! A CLK (cryptographic long-term key; Schnell, Bachteler, Reiher, BMC Medical Informatics and
//! Decision Making 9:41, 2009) is one Bloom filter over the tokens of all of a record's features.
//! **It exists here for interoperation and is breakable**: it has no hardening, so frequent tokens
//! are found by pattern mining (Christen et al., PAKDD 2018), double hashing makes lattices that
//! give tokens away (Kroll and Steinmetzer, HEALTHINF 2015), and similarities alone align data sets
//! (Vidanage et al., CIKM 2020). Whoever has the secret can guess every record. Use the project's
//! own profile unless a party cannot.
//!
//! | step | module | in -> out |
//! |---|---|---|
//! | agree | [`schema`] | linkage schema version 1, 2 or 3 -> what each column becomes |
//! | read | [`rows`] | CSV -> rows |
//! | key | [`keys`] | secret -> two keys a feature |
//! | check | [`value`] | value -> canonical value, or why it is refused |
//! | split | `tokens` | canonical value -> tokens |
//! | hash | `hash` | token -> bit indices |
//! | combine | [`encode`], `filter` | indices of all features -> encoding |
//! | report | [`faults`] | rows that cannot be used |
//! | hand over | [`mod@format`] | encodings <-> JSON or raw bytes |
//!
//! ```
//! use linkage_core::encode::clkhash::{encode::Encoder, keys::Secret, rows::Rows, schema::Schema};
//!
//! let schema = Schema::parse(r#"{
//!     "version": 3,
//!     "clkConfig": { "l": 1024, "kdf": { "type": "HKDF" } },
//!     "features": [
//!         { "identifier": "row", "ignored": true },
//!         { "identifier": "surname", "format": { "type": "string" },
//!           "hashing": { "comparison": { "type": "ngram", "n": 2 },
//!                        "strategy": { "bitsPerToken": 3 } } }
//!     ]
//! }"#)?;
//! let encoder = Encoder::new(&schema, &Secret::new(b"s3cr3t".to_vec())?)?;
//! let mut rows = Rows::new(2);
//! rows.push(&["1", "smith"]);
//! let encodings = encoder.encode(&rows)?;
//! let ones: u32 = encodings.iter().flatten().map(|byte| byte.count_ones()).sum();
//! assert_eq!(ones, 18);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod date;
pub mod encode;
pub mod faults;
mod filter;
pub mod format;
mod hash;
pub mod keys;
mod number;
mod pattern;
pub mod rows;
pub mod schema;
mod tokens;
pub mod value;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod vectors;
