use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::keys::KeyId;
use crate::schema::{Agreement, LinkColumn, LinkRole, Profile, Segment, Suite};

/// A batch of every part there is: two filters, classes, a rule with supports.
fn header(token_bits: u32, rows: u64) -> Header {
    let column = |rule, role| LinkColumn { rule, role };
    Header {
        project: [1; 32],
        schema: [2; 32],
        key: KeyId([3; 8]),
        pack: [4; 32],
        suite: Suite::HmacSm3,
        profile: Profile::Fields,
        agreement: Agreement::Dice,
        token_bits,
        link_columns: vec![
            column(0, LinkRole::Link),
            column(1, LinkRole::Link),
            column(1, LinkRole::Link),
            column(1, LinkRole::Identity),
        ],
        block_keys: 2,
        classes: 1,
        segments: vec![Segment::new(token_bits - 8, 500), Segment::new(8, 1)],
        rows,
    }
}

struct Owned {
    token: Vec<u64>,
    link_keys: Vec<Option<[u8; 16]>>,
    block_keys: Vec<Option<u64>>,
    classes: Vec<u16>,
}

impl Owned {
    fn row(&self) -> Row<'_> {
        Row {
            token: &self.token,
            link_keys: &self.link_keys,
            block_keys: &self.block_keys,
            classes: &self.classes,
        }
    }
}

fn rows(header: &Header, seed: u64) -> Vec<Owned> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut row = || {
        let mut bytes = vec![0; header.token_bits as usize / 8];
        rng.fill_bytes(&mut bytes);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let words = bytes.as_chunks().0.iter();
        Owned {
            token: words.map(|word| u64::from_le_bytes(*word)).collect(),
            link_keys: (0..header.link_columns.len())
                .map(|_| rng.random_bool(0.7).then(|| rng.random()))
                .collect(),
            block_keys: (0..header.block_keys)
                .map(|_| rng.random_bool(0.7).then(|| rng.random()))
                .collect(),
            classes: (0..header.classes)
                .map(|_| rng.random_range(0..3))
                .collect(),
        }
    };
    (0..header.rows).map(|_| row()).collect()
}

fn write(header: &Header, rows: &[Owned]) -> Vec<u8> {
    let mut writer = BatchWriter::new(Vec::new(), header).unwrap();
    for row in rows {
        writer.push(&row.row()).unwrap();
    }
    let (bytes, digest) = writer.finish().unwrap();
    assert!(bytes.ends_with(&digest));
    bytes
}

fn sample(rows_count: u64) -> (Header, Vec<Owned>, Vec<u8>) {
    let header = header(136, rows_count);
    let rows = rows(&header, 7);
    let bytes = write(&header, &rows);
    (header, rows, bytes)
}

#[test]
fn what_is_written_is_read_across_groups_and_any_whole_bytes_of_token() {
    for (bits, count) in [
        (16, 0),
        (24, 3),
        (64, 5),
        (136, 1),
        (24, GROUP_ROWS as u64),
        (24, GROUP_ROWS as u64 + 1),
        (24, 2 * GROUP_ROWS as u64 + 7),
    ] {
        let header = header(bits, count);
        let rows = rows(&header, count);
        let bytes = write(&header, &rows);
        let head = header.to_bytes().len() as u64;
        assert_eq!(
            bytes.len() as u64,
            head + header.body_bytes() + DIGEST_BYTES as u64
        );
        let batch = Batch::decode(&bytes).unwrap();
        assert_eq!((batch.header(), batch.len() as u64), (&header, count));
        let mut pushed = Batch::new(header);
        for (at, row) in rows.iter().enumerate() {
            pushed.push(&row.row()).unwrap();
            assert_eq!(batch.columns().token(at), row.token);
            let ones: u32 = row.token.iter().map(|word| word.count_ones()).sum();
            assert_eq!(batch.columns().ones(at), ones);
            for (column, tag) in row.link_keys.iter().enumerate() {
                assert_eq!(
                    batch.columns().link_key(at, column),
                    tag.map(u128::from_be_bytes)
                );
            }
            for (rule, tag) in row.block_keys.iter().enumerate() {
                assert_eq!(batch.columns().block_key(at, rule), *tag);
            }
            assert_eq!(batch.columns().class(at, 0).unwrap_or(0), row.classes[0]);
        }
        assert_eq!(pushed, batch);
        assert_eq!(batch.columns().link_key(rows.len(), 0), None);
        assert!(batch.columns().token(rows.len()).is_empty());
    }
}

#[test]
fn groups_come_one_by_one_and_the_end_is_checked() {
    let (header, rows, mut bytes) = sample(GROUP_ROWS as u64 + 5);
    let mut reader = BatchReader::new(bytes.as_slice()).unwrap();
    let mut group = Batch::new(header);
    assert_eq!(reader.read_group(&mut group).unwrap(), GROUP_ROWS);
    group.clear();
    assert_eq!(reader.read_group(&mut group).unwrap(), 5);
    assert_eq!(group.len(), 5);
    assert_eq!(group.columns().token(4), rows[GROUP_ROWS + 4].token);
    assert_eq!(reader.read_group(&mut group).unwrap(), 0);
    assert_eq!(reader.read_group(&mut group).unwrap(), 0);

    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let mut reader = BatchReader::new(bytes.as_slice()).unwrap();
    let error = loop {
        match reader.read_group(&mut group) {
            Ok(rows) => assert!(rows > 0, "accepted"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("checksum"), "{error}");
}

/// The file was written by this test's writer and must stay readable for good: a batch may lie in a
/// matcher's store when its program is renewed.
#[test]
fn the_format_stays_as_it_is() {
    let golden = include_bytes!("../../../tests/data/batch-v1.tokens");
    let (header, rows, bytes) = sample(5);
    assert_eq!(bytes, golden);
    let batch = Batch::decode(golden).unwrap();
    assert_eq!(batch.header(), &header);
    assert_eq!(batch.columns().token(4), rows[4].token);
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let (header, rows, _) = sample(1);
    let good = &rows[0];
    let mut beyond = good.token.clone();
    beyond[2] |= 1 << 8;
    let refused = |row: Row<'_>| {
        Batch::new(header.clone())
            .push(&row)
            .unwrap_err()
            .to_string()
    };
    let row = |token| Row {
        token,
        ..good.row()
    };
    assert!(refused(row(&beyond)).contains("beyond its length"));
    assert!(refused(row(&beyond[..2])).contains("another length"));
    let fewer = Row {
        link_keys: &good.link_keys[1..],
        ..good.row()
    };
    assert!(refused(fewer).contains("number of keys"));
    let fewer = Row {
        classes: &[],
        ..good.row()
    };
    assert!(refused(fewer).contains("frequency classes"));

    let mut writer = BatchWriter::new(Vec::new(), &header).unwrap();
    assert!(writer.push_packed(&[0; 3]).is_err());
    let missing = writer.finish().unwrap_err().to_string();
    assert!(missing.contains("announces 1 rows, not 0"), "{missing}");
    let mut writer = BatchWriter::new(Vec::new(), &header).unwrap();
    writer.push(&good.row()).unwrap();
    writer.push(&good.row()).unwrap();
    assert!(writer.finish().is_err());
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    type Change = fn(&mut Header);
    let changes: [(Change, &str); 13] = [
        (|h| h.segments[1].swaps_with = Some(0), "swap with others"),
        (|h| h.segments[0].swaps_with = Some(0), "swap with others"),
        (|h| h.segments[0].swaps_with = Some(7), "swap with others"),
        (
            |h| h.segments.iter_mut().for_each(|s| s.frequency = true),
            "not those of",
        ),
        (|h| h.token_bits = 12, "multiple of 8"),
        (|h| h.token_bits = TOKEN_BITS_MAX + 8, "multiple of 8"),
        (|h| h.rows = 1 << 32, "4 294 967 295"),
        (|h| h.profile = Profile::Hardened, "frequency classes"),
        (|h| h.segments.clear(), "add up"),
        (|h| h.segments[0].bits += 8, "add up"),
        (|h| h.segments[0].weight = 0, "no weight"),
        (|h| h.link_columns.reverse(), "out of order"),
        (|h| h.link_columns.truncate(0), ""),
    ];
    for (change, expected) in changes {
        let mut header = header(136, 1);
        change(&mut header);
        match Header::from_bytes(&header.to_bytes()) {
            Ok(read) => assert!(expected.is_empty() && read == header),
            Err(error) => {
                let error = error.to_string();
                assert!(!expected.is_empty() && error.contains(expected), "{error}");
            }
        }
    }
    let mut newer = header(136, 1).to_bytes();
    newer[8] = 3;
    assert_eq!(Header::from_bytes(&newer), Err(BatchError::Version(3)));
    // Two filters of one length that swap with each other.
    let mut swapping = header(136, 1);
    swapping.segments = vec![Segment::new(64, 1), Segment::new(64, 1), Segment::new(8, 1)];
    swapping.segments[0].frequency = true;
    (
        swapping.segments[0].swaps_with,
        swapping.segments[1].swaps_with,
    ) = (Some(1), Some(0));
    let mut bytes = swapping.to_bytes();
    assert_eq!(Header::from_bytes(&bytes).as_ref(), Ok(&swapping));
    // The last segment's two bytes: no classes, no partner. A version 2 without any is none.
    let end = bytes.len();
    for segment in 0..3 {
        bytes[end - 8 * segment - 2..end - 8 * segment].fill(0);
    }
    let refusal = Header::from_bytes(&bytes).unwrap_err().to_string();
    assert!(refusal.contains("its version"), "{refusal}");
}

#[test]
fn incomparable_batches_are_refused_by_name() {
    type Change = fn(&mut Header);
    let header = header(136, 1);
    let changes: [(Change, &str); 12] = [
        (|h| h.project[0] = 9, "different projects"),
        (|h| h.key = KeyId([9; 8]), "keys differ"),
        (|h| h.schema[0] = 9, "schemas differ"),
        (|h| h.pack[0] = 9, "data packs"),
        (|h| h.suite = Suite::HmacSha256, "hash functions"),
        (|h| h.profile = Profile::PlainClk, "profiles"),
        (|h| h.token_bits = 512, "token lengths"),
        (|h| h.agreement = Agreement::Hamming, "agreement"),
        (|h| h.segments[0].weight = 9, "filters"),
        (|h| h.link_columns[0].rule = 9, "link keys"),
        (|h| h.block_keys = 9, "block keys"),
        (|h| h.classes = 9, "frequency classes"),
    ];
    for (change, expected) in changes {
        let mut other = header.clone();
        change(&mut other);
        let error = header.comparable(&other).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut more = header.clone();
    more.rows = 99;
    assert_eq!(header.comparable(&more), Ok(()));
}

proptest! {
    #[test]
    fn any_flipped_bit_or_cut_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (_, _, bytes) = sample(3);
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
    fn arbitrary_bytes_do_not_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        keep in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if keep {
            bytes.splice(0..0, header(136, 3).to_bytes());
        }
        let _ = Batch::decode(&bytes);
    }

    #[test]
    fn a_header_that_is_read_is_written_alike(
        changes in prop::collection::vec((14_usize..200, any::<u8>()), 0..4),
    ) {
        let mut bytes = header(136, 3).to_bytes();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(read) = Header::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}
