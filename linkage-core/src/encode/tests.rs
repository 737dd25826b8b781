use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::keys::KeyId;
use crate::normalise::Normaliser;
use crate::record::RawRecord;

const TODAY: crate::record::Day = crate::record::Day {
    year: 2026,
    month: 1,
    day: 1,
};

fn schema() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [token]
        features_min = 4
        [[field]]
        name = "name"
        kind = "name"
        feature = [{ kind = "q-gram", q = 2, bits = 200 }]
        [[field]]
        name = "born"
        kind = "date"
        feature = [{ kind = "date-components", bits = 120 }, { kind = "positional-q-gram", q = 1, bits = 60 }]
        [[link_key]]
        name = "name+born"
        parts = [{ field = "name" }, { field = "born" }]
        [[block_key]]
        name = "surname+year"
        parts = [{ field = "name", take = "prefix", length = 1 }, { field = "born", take = "year" }]
        "#,
    )
    .unwrap()
}

fn encode(schema: &Schema, key: u8, rows: &[[&str; 2]]) -> Vec<EncodedRecord> {
    let key = ProjectKey::from_bytes([key; 32]);
    let normaliser = Normaliser::new(schema, TODAY);
    let records: Vec<_> = rows
        .iter()
        .map(|values| {
            normaliser.record(&RawRecord {
                id: Zeroizing::new("r".into()),
                values: values
                    .iter()
                    .map(|v| Zeroizing::new((*v).to_owned()))
                    .collect(),
            })
        })
        .collect();
    Encoder::new(schema, &key).records(&records)
}

fn shared(a: &Token, b: &Token) -> u32 {
    a.words()
        .iter()
        .zip(b.words())
        .map(|(a, b)| (a & b).count_ones())
        .sum()
}

#[test]
fn equal_records_have_equal_encodings_and_similar_ones_similar_tokens() {
    let schema = schema();
    let got = encode(
        &schema,
        1,
        &[
            ["欧阳修明", "1985-03-07"],
            ["欧阳休明", "1985-03-07"],
            ["欧阳修明", "1985/3/7"],
            ["王小芳", "1991-11-30"],
        ],
    );
    assert_eq!(got[0], got[2]);
    assert!(shared(&got[0].token, &got[1].token) > 2 * shared(&got[0].token, &got[3].token));
    assert_eq!(got[0].link_keys, got[2].link_keys);
    assert_ne!(got[0].link_keys, got[1].link_keys);
}

#[test]
fn another_key_gives_another_world() {
    let schema = schema();
    let rows = [["欧阳修明", "1985-03-07"]];
    let (a, b) = (&encode(&schema, 1, &rows)[0], &encode(&schema, 2, &rows)[0]);
    assert_ne!(a.link_keys, b.link_keys);
    assert_ne!(a.block_keys, b.block_keys);
    let expected = a.token.ones() * b.token.ones() / 1024;
    assert!(shared(&a.token, &b.token) < expected * 2);
}

#[test]
fn a_thin_record_has_no_token_and_keeps_its_keys() {
    let schema = schema();
    let got = &encode(&schema, 1, &[["王", ""]])[0];
    assert_eq!(got.token.ones(), 0);
    assert_eq!(got.link_keys, [None]);
    let got = &encode(&schema, 1, &[["", "1985-03-07"]])[0];
    assert!(got.token.ones() > 0);
    assert_eq!(
        (&got.link_keys[..], &got.block_keys[..]),
        (&[None][..], &[None][..])
    );
}

#[test]
fn positions_are_uniform_and_nested() {
    let key = ProjectKey::from_bytes([3; 32]).positions("f");
    let mut counts = [0_u32; 320];
    for item in 0_u32..4000 {
        let mut long = vec![];
        positions(&key, &item.to_be_bytes(), 20, 320, |p| long.push(p));
        let mut short = vec![];
        positions(&key, &item.to_be_bytes(), 7, 320, |p| short.push(p));
        assert_eq!(short, long[..7]);
        long.iter().for_each(|p| counts[*p as usize] += 1);
    }
    // 80 000 draws into 320 cells: chi-square with 319 degrees of freedom is below 420 in 99.99 %.
    let expected = 250.0;
    let chi: f64 = counts
        .iter()
        .map(|c| (f64::from(*c) - expected).powi(2) / expected)
        .sum();
    assert!(chi < 420.0, "{chi}");
}

/// Fixes the encoding bit for bit: a change here changes every token ever sent.
#[test]
fn golden_encoding() {
    let schema = schema();
    let records = encode(
        &schema,
        42,
        &[["欧阳修明", "1985-03-07"], ["Ann Lee", "2001-12-31"]],
    );
    let header = Header::new([9; 32], &schema, KeyId([1; 8]), 2);
    let bytes = Batch::encode(&header, &records);
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes[80..]);
    assert_eq!(records[0].token.ones(), 324);
    assert_eq!(
        hex::encode(digest),
        "a0314c91897c089dae30ac0d5943124166aea7e79a98be9f918be9eae13feb39"
    );
}

fn sample() -> (Header, Vec<EncodedRecord>, Vec<u8>) {
    let schema = schema();
    let records = encode(
        &schema,
        1,
        &[
            ["欧阳修明", "1985-03-07"],
            ["王", ""],
            ["Ann Lee", "2001-12-31"],
        ],
    );
    let header = Header::new([9; 32], &schema, KeyId([1; 8]), 3);
    let bytes = Batch::encode(&header, &records);
    (header, records, bytes)
}

#[test]
fn a_batch_round_trips() {
    let (header, records, bytes) = sample();
    let batch = Batch::decode(&bytes).unwrap();
    assert_eq!(batch.header(), &header);
    for (row, record) in records.iter().enumerate() {
        assert_eq!(batch.token(row), record.token.words());
        assert_eq!(batch.ones(row), record.token.ones());
        assert_eq!(
            batch.link_key(row, 0),
            record.link_keys[0].map(u128::from_be_bytes)
        );
        assert_eq!(batch.block_key(row, 0), record.block_keys[0]);
    }
}

#[test]
fn incomparable_batches_are_refused_by_name() {
    let (header, ..) = sample();
    let mut other = header.clone();
    other.key = KeyId([2; 8]);
    assert_eq!(
        header.comparable(&other),
        Err(BatchError::Incomparable("keys"))
    );
    let mut other = header.clone();
    other.token_bits = 512;
    assert_eq!(
        header.comparable(&other),
        Err(BatchError::Incomparable("token lengths"))
    );
    assert_eq!(header.comparable(&header), Ok(()));
}

proptest! {
    #[test]
    fn any_flipped_bit_or_cut_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (_, _, bytes) = sample();
        let at = at.index(bytes.len());
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        prop_assert!(Batch::decode(&flipped).is_err());
        prop_assert!(Batch::decode(&bytes[..at]).is_err());
        let mut longer = bytes;
        longer.push(0);
        prop_assert!(Batch::decode(&longer).is_err());
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), keep in any::<bool>()) {
        let mut bytes = bytes;
        if keep {
            let (header, ..) = sample();
            bytes.splice(0..0, header.to_bytes());
        }
        let _ = Batch::decode(&bytes);
    }
}
