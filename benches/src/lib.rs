//! Data for the benches, the same in every run.

use std::path::{Path, PathBuf};

use linkage_core::encode::batch::{Batch, Header, Row};
use linkage_core::keys::KeyId;
use linkage_core::schema::{Agreement, LinkColumn, LinkRole, Profile, Suite};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        pack: [0; 32],
        suite: Suite::HmacSha256,
        profile: Profile::PlainClk,
        agreement,
        token_bits,
        link_columns: vec![LinkColumn {
            rule: 0,
            role: LinkRole::Link,
        }],
        block_keys,
        classes: 0,
        segments: vec![],
        rows: rows.into(),
    }
}

/// A batch of `header.rows` unrelated records: half of the bits set, which is near the fill of real
/// tokens, and keys that no two records share.
pub fn strangers(header: Header, rng: &mut impl Rng) -> Batch {
    let mut batch = Batch::new(header);
    for _ in 0..batch.header().rows {
        let block_keys: Vec<_> = (0..batch.header().block_keys)
            .map(|_| rng.random())
            .collect();
        push(&mut batch, rng.random(), &block_keys, rng);
    }
    batch
}

/// A batch in which row `i` has the keys of `people[i]`, equal for equal people. Others share block
/// keys by chance: each is one of `block_values`. Tokens are random.
pub fn register(header: Header, people: &[u32], block_values: u32, rng: &mut impl Rng) -> Batch {
    let mut batch = Batch::new(header);
    for person in people {
        let mut keys = ChaCha20Rng::seed_from_u64(person.wrapping_add(1).into());
        let link_key = keys.random();
        // Spread over all 64 bits as the keyed tags are.
        let mut block_key = || {
            (u64::from(keys.random_range(0..block_values)) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let block_keys: Vec<_> = (0..batch.header().block_keys)
            .map(|_| block_key())
            .collect();
        push(&mut batch, link_key, &block_keys, rng);
    }
    batch
}

#[allow(
    clippy::expect_used,
    reason = "a bench fails by panicking; the row is made for the header"
)]
fn push(batch: &mut Batch, link_key: [u8; 16], block_keys: &[u64], rng: &mut impl Rng) {
    let token: Vec<u64> = (0..batch.width()).map(|_| rng.next_u64()).collect();
    let block_keys: Vec<_> = block_keys.iter().copied().map(Some).collect();
    let row = Row {
        token: &token,
        link_keys: &[Some(link_key)],
        block_keys: &block_keys,
        classes: &[],
    };
    batch.push(&row).expect("a row of this header");
}
