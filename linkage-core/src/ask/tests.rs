use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::encode::batch::{Batch, Header, Row};
use crate::keys::KeyId;
use crate::schema::Schema;

fn schema(extra: &str) -> Schema {
    Schema::parse(&format!(
        "version = 1\nentity = \"persons\"\nid_column = \"id\"\n{extra}\
         [token]\nprofile = \"plain-clk\"\nbits = 256\n\
         [[field]]\nname = \"n\"\nkind = \"name\"\nfeature = [{{ kind = \"whole\", bits = 9 }}]\n\
         [[link_key]]\nname = \"l\"\nparts = [{{ field = \"n\" }}]\n\
         [[block_key]]\nname = \"b\"\nparts = [{{ field = \"n\" }}]\n"
    ))
    .unwrap()
}

/// Keys of records: a link key and a block key each.
fn batch(records: &[(u8, u64)]) -> Batch {
    let header = Header::new([1; 32], &schema(""), KeyId([2; 8]), records.len() as u64);
    let mut batch = Batch::new(header.keys_only());
    for (link, block) in records {
        let link = (*link != 0).then_some([*link; 16]);
        let block = (*block != 0).then_some(*block);
        let row = Row {
            token: &[],
            link_keys: &[link],
            block_keys: &[block],
            classes: &[],
        };
        batch.push(&row).unwrap();
    }
    batch
}

fn wanted(batches: &[Batch]) -> Wanted {
    let columns: Vec<_> = batches.iter().map(Batch::columns).collect();
    Wanted::find(&columns, &mut ChaCha20Rng::seed_from_u64(1)).unwrap()
}

#[test]
fn only_keys_of_records_without_a_partner_are_wanted_and_of_owners_that_have_them() {
    // The two are each other's only partner; a stranger shares a block with each.
    let a = batch(&[(0, 7), (0, 8)]);
    let b = batch(&[(0, 7), (0, 9)]);
    let found = wanted(&[a, b]);
    assert_eq!((found.keys(0), found.keys(1)), (&[7][..], &[7][..]));
    let nothing = wanted(&[batch(&[(0, 0)]), batch(&[(0, 7)])]);
    assert!(nothing.keys(0).is_empty() && nothing.keys(1).is_empty());
}

#[test]
fn what_link_keys_settle_is_not_asked_for_except_for_a_sample() {
    let (mut a, mut b) = (vec![], vec![]);
    for at in 0..20_000_u64 {
        let key = at.to_be_bytes();
        let link: [u8; 16] = [key, key].concat().try_into().unwrap();
        a.push((link, at + 1));
        b.push((link, at + 1));
    }
    let make = |records: &[([u8; 16], u64)]| {
        let header = Header::new([1; 32], &schema(""), KeyId([2; 8]), records.len() as u64);
        let mut batch = Batch::new(header.keys_only());
        for (link, block) in records {
            let row = Row {
                token: &[],
                link_keys: &[Some(*link)],
                block_keys: &[Some(*block)],
                classes: &[],
            };
            batch.push(&row).unwrap();
        }
        batch
    };
    let found = wanted(&[make(&a), make(&b)]);
    assert_eq!(found.keys(0), found.keys(1));
    // Binomial with mean 500 and standard deviation 22; five of them. The record with the link key
    // of zeros has none.
    let asked = found.keys(0).len();
    assert!((390..=610).contains(&asked), "{asked}");
}

#[test]
fn doubtful_partners_are_asked_for() {
    // Two records of b share a's key: which of them is a's is for the tokens to say.
    let found = wanted(&[batch(&[(1, 7)]), batch(&[(1, 7), (1, 8)])]);
    assert_eq!((found.keys(0), found.keys(1)), (&[7][..], &[7][..]));
    // A chain over three owners that joins two records of the first.
    let chain = [batch(&[(1, 7), (2, 8)]), batch(&[(1, 7)]), batch(&[(2, 8)])];
    assert_eq!(wanted(&chain).keys(0), [7, 8]);
}

#[test]
fn the_filter_hits_what_it_is_over_and_little_else() {
    let keys: Vec<u64> = (1..=10_000).map(|at| at * 0x9e37_79b9).collect();
    let seed = std::array::from_fn(|at| at as u8);
    let filter = AskFilter::over(&keys, 8, &seed).unwrap();
    assert!(keys.iter().all(|key| filter.hits([0, *key].into_iter())));
    assert!(!filter.hits([0; 8].into_iter()));
    let rows = 20_000_u64;
    let other = |row: u64| (0..8).map(move |column| (row << 20 | column << 60 | 1) ^ 0x5555_0000);
    let hit = (0..rows).filter(|row| filter.hits(other(*row))).count();
    let rate = hit as f64 / rows as f64;
    // Standard error 0.0015; five of them.
    assert!((rate - ROW_FALSE_POSITIVE_RATE).abs() < 0.01, "{rate}");
}

#[test]
fn a_filter_is_read_back_and_a_false_one_is_refused() {
    let filter = AskFilter::over(&[5, 6], 2, &[3; 32]).unwrap();
    let bytes = filter.to_bytes();
    // The seed travels: it is public.
    assert!(bytes.windows(16).any(|window| window == [3; 16]));
    let read = AskFilter::from_bytes(bytes.clone()).unwrap();
    assert!(read.hits([5].into_iter()) && read.hits([6].into_iter()));
    for cut in 0..bytes.len() {
        assert!(
            AskFilter::from_bytes(bytes[..cut].to_vec()).is_err(),
            "{cut}"
        );
    }
    let mut endless = bytes;
    endless[9..13].copy_from_slice(&u32::MAX.to_le_bytes());
    endless[9..13].reverse();
    assert!(AskFilter::from_bytes(endless).is_err());
}

#[test]
fn which_schemas_send_whole_batches() {
    assert_eq!(WholeBatch::of(&schema("")), None);
    let bits = schema("[candidates]\nlsh = \"auto\"\n");
    assert_eq!(WholeBatch::of(&bits), Some(WholeBatch::TokenBits));
    let mut blind = schema("");
    blind.block_keys.clear();
    assert_eq!(WholeBatch::of(&blind), Some(WholeBatch::NoBlockKeys));
}

proptest! {
    #[test]
    fn any_bytes_are_a_filter_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(filter) = AskFilter::from_bytes(bytes) {
            let _ = filter.hits([1, 2, 3].into_iter());
        }
    }

    /// A pair that no link key settles and that shares a block has both its tokens.
    #[test]
    fn every_pair_that_tokens_could_link_is_asked_for(
        a in prop::collection::vec((0_u8..6, 0_u64..6), 1..12),
        b in prop::collection::vec((0_u8..6, 0_u64..6), 1..12),
        c in prop::collection::vec((0_u8..6, 0_u64..6), 1..12),
    ) {
        let owners = [a, b, c];
        let batches: Vec<Batch> = owners.iter().map(|records| batch(records)).collect();
        let wanted = wanted(&batches);
        let asked = |owner: usize, block: u64| wanted.keys(owner).contains(&block);
        for (p, first) in owners.iter().enumerate() {
            for (q, second) in owners.iter().enumerate().filter(|(q, _)| *q != p) {
                for (link, block) in first {
                    let partner = |records: &[(u8, u64)]| {
                        records.iter().filter(|(other, _)| *other == *link && *link != 0).count()
                    };
                    let alone = partner(second) == 0;
                    if *block != 0 && alone && second.iter().any(|(_, other)| other == block) {
                        prop_assert!(asked(q, *block), "{p} {q} {block}");
                    }
                }
            }
        }
    }
}
