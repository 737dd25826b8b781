//! Key passes beyond main memory.
//!
//! ```text
//! scatter  a column of keys -> partitions by a spread of the key: (key, row)
//! join     a partition of each side -> blocks (rows that share a key), cut by pairs of stripes
//! stripe   a range of rows whose tokens are in memory
//! cell     all blocks of a pair of stripes -> scored pairs in order of (a, b), each once
//! ```
//!
//! What lies on disk between join and cell are blocks, not pairs: a block of 40 by 40 rows takes
//! 324 bytes, its pairs would take 12 800. A cell's pairs are compared with the tokens of both
//! stripes in memory, so that nothing on disk is read at random.

pub(crate) mod block;
pub(crate) mod cell;
pub(crate) mod hit;
pub(crate) mod join;
pub(crate) mod plan;
pub(crate) mod scatter;
pub(crate) mod streams;
pub(crate) mod stripe;
