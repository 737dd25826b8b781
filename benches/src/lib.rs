//! Data for the benches, the same in every run.

use std::path::{Path, PathBuf};

use linkage_core::encode::{Batch, Header};
use linkage_core::keys::KeyId;
use linkage_core::schema::{Agreement, Profile};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Fixed, so that every run works on the same data.
const SEED: u64 = 20_240_101;

/// The generator of a bench's random data.
pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(SEED)
}

/// A file of the repository.
pub fn repository_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The header of synthetic rows: one link-key rule, `block_keys` block-key rules.
pub fn header(agreement: Agreement, token_bits: u32, block_keys: u8, rows: u32) -> Header {
    Header {
        project: [0; 32],
        schema: [0; 32],
        key: KeyId([0; 8]),
        profile: Profile::PlainClk,
        agreement,
        link_keys: 1,
        block_keys,
        token_bits,
        rows: rows.into(),
    }
}

/// A batch of `header.rows` unrelated records: half of the bits set, which is near the fill of real
/// tokens, and keys that no two records share.
pub fn strangers(header: Header, rng: &mut impl Rng) -> Batch {
    let rows = usize::try_from(header.rows).unwrap_or(0);
    let mut bytes = vec![0; rows * header.layout().row_bytes()];
    rng.fill_bytes(&mut bytes);
    batch(header, &bytes)
}

/// A batch in which row `i` has the keys of `people[i]`, equal for equal people. Others share block
/// keys by chance: each is one of `block_values`. Tokens are random.
pub fn register(header: Header, people: &[u32], block_values: u32, rng: &mut impl Rng) -> Batch {
    let token_bytes = header.token_bits as usize / 8;
    let mut bytes = Vec::with_capacity(people.len() * header.layout().row_bytes());
    for person in people {
        let start = bytes.len();
        bytes.resize(start + token_bytes, 0);
        if let Some(token) = bytes.get_mut(start..) {
            rng.fill_bytes(token);
        }
        let mut keys = ChaCha20Rng::seed_from_u64(person.wrapping_add(1).into());
        bytes.extend_from_slice(&keys.random::<[u8; 16]>());
        for _ in 0..header.block_keys {
            // Spread over all 64 bits as the keyed tags are.
            let value = u64::from(keys.random_range(0..block_values));
            bytes.extend_from_slice(
                &(value + 1)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .to_le_bytes(),
            );
        }
    }
    batch(header, &bytes)
}

#[allow(
    clippy::expect_used,
    reason = "a bench fails by panicking; the bytes are made for the header"
)]
fn batch(header: Header, bytes: &[u8]) -> Batch {
    let mut batch = Batch::new(header);
    batch.push_rows(bytes).expect("whole rows");
    batch
}
