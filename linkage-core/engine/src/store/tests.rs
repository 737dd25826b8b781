use std::fs;
use std::os::unix::fs::PermissionsExt;

use linkage_core::encode::Batch;
use linkage_core::encode::batch::{BatchError, StreamError};
use proptest::prelude::*;

use super::*;
use crate::sample::{self, Shape};

fn shape(rows: u32, token_bits: u32) -> Shape {
    Shape {
        rows,
        token_bits,
        values: 50,
        seed: 7,
    }
}

/// A store of a batch, at `path`.
pub(crate) fn store(shape: Shape, path: &Path) -> TokenStore {
    import(sample::batch(shape).as_slice(), path).unwrap();
    TokenStore::open(path, Verify::Ones).unwrap()
}

/// The bytes of a store.
fn bytes(shape: Shape) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    import(sample::batch(shape).as_slice(), &path).unwrap();
    fs::read(path).unwrap()
}

fn open(bytes: &[u8], verify: Verify) -> Result<TokenStore, StoreError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    fs::write(&path, bytes).unwrap();
    TokenStore::open(&path, verify)
}

fn refusal(bytes: &[u8]) -> HeadError {
    match open(bytes, Verify::Checksums) {
        Err(StoreError::Head { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_has_the_columns_of_its_batch() {
    // Group boundaries, and lengths that end within a word or a byte of it.
    for (rows, bits) in [
        (0, 64),
        (1, 8),
        (100, 136),
        (16_384, 64),
        (16_385, 72),
        (40_000, 512),
    ] {
        let shape = shape(rows, bits);
        let encoded = sample::batch(shape);
        let batch = Batch::decode(&encoded).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let store = store(shape, &path);
        let (expected, found) = (batch.columns(), store.columns());
        assert_eq!(expected.header, found.header);
        assert_eq!(expected.words, found.words);
        assert_eq!(expected.ones, found.ones);
        assert_eq!(expected.link_keys, found.link_keys);
        assert_eq!(expected.block_keys, found.block_keys);
        assert_eq!(expected.classes, found.classes);
        assert_eq!(store.len(), batch.len());
        assert_eq!(store.digest().as_slice(), &encoded[encoded.len() - 32..]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_damaged_batch_leaves_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let mut batch = sample::batch(shape(100, 64));
    let end = batch.len() - 1;
    batch[end] ^= 1;
    let refused = import(batch.as_slice(), &path);
    let checksum = StreamError::Batch(BatchError::Checksum);
    assert!(
        matches!(refused, Err(StoreError::Batch { source, .. }) if source.to_string() == checksum.to_string())
    );
    assert!(import(&batch[..end], &path).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_batch_is_imported_once_and_again_when_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, path) = (folder.path().join("t"), folder.path().join("s"));
    let modified = || fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&tokens, sample::batch(shape(100, 64))).unwrap();
    assert_eq!(import_once(&tokens, &path).unwrap().len(), 100);
    let first = modified();
    assert_eq!(import_once(&tokens, &path).unwrap().len(), 100);
    assert_eq!(modified(), first);
    fs::write(&tokens, sample::batch(shape(90, 64))).unwrap();
    assert_eq!(import_once(&tokens, &path).unwrap().len(), 90);
    fs::write(&path, "damaged").unwrap();
    assert_eq!(import_once(&tokens, &path).unwrap().len(), 90);
    fs::write(&tokens, "no batch").unwrap();
    assert!(matches!(
        import_once(&tokens, &path),
        Err(StoreError::Batch { .. })
    ));
}

#[test]
fn refusals_name_what_is_wrong() {
    let whole = bytes(shape(100, 64));
    assert_eq!(refusal(b"short"), HeadError::Magic);
    assert_eq!(refusal(&[b'x'; 400]), HeadError::Magic);
    let mut other = whole.clone();
    other[8] = 9;
    assert_eq!(refusal(&other), HeadError::Version(9));
    let length = whole.len() as u64;
    assert_eq!(
        refusal(&whole[..whole.len() - 1]),
        HeadError::Length {
            expected: length,
            found: length - 1
        }
    );
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert_eq!(refusal(&changed), HeadError::Checksum("block keys"));
}

#[test]
fn wrong_numbers_of_set_bits_are_found_behind_right_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let store = store(shape(10, 72), &path);
    let mut head = store.head.clone();
    let mut whole = fs::read(&path).unwrap();
    let place = head.places[1];
    let ones = place.offset as usize..(place.offset + place.bytes) as usize;
    whole[ones.start] ^= 1;
    head.checksums[1][0] = crc32c::crc32c(&whole[ones]);
    let encoded = head.encode();
    whole[..encoded.len()].copy_from_slice(&encoded);
    assert!(open(&whole, Verify::Checksums).is_ok());
    assert!(matches!(
        open(&whole, Verify::Ones),
        Err(StoreError::Head {
            source: HeadError::Ones,
            ..
        })
    ));
}

proptest! {
    #[test]
    fn any_flipped_bit_or_cut_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let whole = bytes(shape(5, 72));
        let at = at.index(whole.len());
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        prop_assert!(open(&flipped, Verify::Checksums).is_err());
        prop_assert!(open(&whole[..at], Verify::Head).is_err());
        let mut longer = whole;
        longer.push(0);
        prop_assert!(open(&longer, Verify::Head).is_err());
    }

    #[test]
    fn arbitrary_heads_do_not_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        changes in prop::collection::vec((18_usize..400, any::<u8>()), 0..4),
        keep in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if keep {
            // A head that is right but for some bytes, behind a checksum that is right.
            let mut head = Head::new(sample::header(shape(40_000, 72)));
            head.checksums.iter_mut().for_each(|column| column.resize(3, 5));
            bytes = head.encode();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let body = bytes.len() - 4;
            let crc = crc32c::crc32c(&bytes[..body]);
            bytes[body..].copy_from_slice(&crc.to_le_bytes());
        }
        // What is read is written alike.
        if let Ok(head) = Head::decode(&bytes) {
            prop_assert_eq!(head.encode(), bytes);
        }
    }
}
