//! Data for tests: batches whose keys collide, the same for the same seed.

use linkage_core::encode::batch::{BatchWriter, Header, Row};
use linkage_core::keys::KeyId;
use linkage_core::schema::{Agreement, LinkColumn, LinkRole, Profile, Suite};

/// What a batch looks like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub rows: u32,
    pub token_bits: u32,
    /// Values that a key may have: the fewer, the larger the blocks.
    pub values: u64,
    pub seed: u64,
}

/// SplitMix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014.
pub fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Two rules with identities and one without, two block keys.
pub fn header(shape: Shape) -> Header {
    let (link, identity) = (LinkRole::Link, LinkRole::Identity);
    let column = |(rule, role)| LinkColumn { rule, role };
    let columns = [
        (0, link),
        (0, link),
        (0, identity),
        (1, link),
        (2, link),
        (2, identity),
    ];
    Header {
        project: [1; 32],
        schema: [2; 32],
        key: KeyId([3; 8]),
        pack: [4; 32],
        suite: Suite::HmacSha256,
        profile: Profile::PlainClk,
        agreement: Agreement::Dice,
        token_bits: shape.token_bits,
        link_columns: columns.map(column).to_vec(),
        block_keys: 2,
        classes: 0,
        segments: vec![],
        rows: shape.rows.into(),
    }
}

/// The bytes of a batch. A tenth of the keys is absent, of tokens a twentieth is empty.
pub fn batch(shape: Shape) -> Vec<u8> {
    let header = header(shape);
    let mut writer = BatchWriter::new(Vec::new(), &header).unwrap();
    let mut state = shape.seed;
    let words = header.token_bits.div_ceil(64);
    let last = u64::MAX >> (words * 64 - header.token_bits);
    for _ in 0..shape.rows {
        let empty = mix(&mut state).is_multiple_of(20);
        let mut token: Vec<u64> = (0..words)
            .map(|_| {
                if empty {
                    0
                } else {
                    mix(&mut state) & mix(&mut state)
                }
            })
            .collect();
        *token.last_mut().unwrap() &= last;
        let mut tag = |spread: u64| {
            let value = mix(&mut state) % (shape.values * spread) + 1;
            let absent = mix(&mut state).is_multiple_of(10);
            // Spread as keyed tags are.
            (!absent).then(|| mix(&mut value.clone()) | 1)
        };
        let link_keys: Vec<_> = (0..header.link_columns.len())
            .map(|_| tag(4).map(|tag| u128::from(tag).wrapping_mul(3 << 64 | 5).to_be_bytes()))
            .collect();
        let block_keys: Vec<_> = (0..header.block_keys).map(|_| tag(1)).collect();
        let row = Row {
            token: &token,
            link_keys: &link_keys,
            block_keys: &block_keys,
            classes: &[],
        };
        writer.push(&row).unwrap();
    }
    writer.finish().unwrap().0
}
