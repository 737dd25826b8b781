//! Every way in which a message or a call is out of place, and the name of its refusal.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::{self, Encryptor};
use linkage_oblivious::evaluate::{self, Evaluator};
use linkage_oblivious::params::{ROW_TOTAL_MAX, TableShape, VALUE_MAX};
use linkage_oblivious::shares::{self, MaskShare, PhaseShare};
use linkage_oblivious::wire;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

const RUN: u8 = 1;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn context(run: u8, nonce: u8, rows: u16) -> RunContext {
    of(run, nonce, TableShape::new(4096, rows, 2).unwrap())
}

/// `context(RUN, 2, 3)` for sums.
fn sums() -> RunContext {
    of(RUN, 2, TableShape::sums(4096, 3, 2).unwrap())
}

fn of(run: u8, nonce: u8, shape: TableShape) -> RunContext {
    let nonces = (Nonce::new([nonce; 32]), Nonce::new([99; 32]));
    RunContext::derive(RunId::new([run; 16]), nonces.0, nonces.1, shape).unwrap()
}

/// Contexts that differ from `context(RUN, 2, 3)` in one input, and the refusal each causes.
fn foreign() -> [(RunContext, wire::Error); 4] {
    [
        (context(9, 2, 3), wire::Error::ForeignRun),
        (context(RUN, 2, 4), wire::Error::ForeignShape),
        (sums(), wire::Error::ForeignShape),
        (context(RUN, 7, 3), wire::Error::ForeignNonces),
    ]
}

/// A chunk without a record.
fn empty_chunk(context: &RunContext, a: &mut Encryptor, chunk: u32) -> Vec<u8> {
    if context.shape() == sums().shape() {
        a.encrypt_values(chunk, &[None; 4096]).unwrap()
    } else {
        a.encrypt_chunk(chunk, &[None; 2048]).unwrap()
    }
}

/// Both owners with all chunks encrypted and absorbed.
fn absorbed(context: &RunContext) -> (Encryptor, Evaluator) {
    let mut a = Encryptor::new(context, &mut rng());
    let mut b = Evaluator::new(context, a.public_key(), &[(5, 1), (4000, 0)]).unwrap();
    for chunk in 0..context.shape().chunks() {
        b.absorb(chunk, &empty_chunk(context, &mut a, chunk))
            .unwrap();
    }
    (a, b)
}

fn open_error(a: Encryptor, message: &[u8]) -> Option<encrypt::Error> {
    a.open(message, || 0, &mut rng()).err()
}

/// A message cut by one byte, extended by one, and with one bit flipped near its end.
fn broken(message: &[u8]) -> [(Vec<u8>, wire::Error); 3] {
    let expected = message.len();
    let mut flipped = message.to_vec();
    flipped[expected - 40] ^= 1;
    [
        (
            message[..expected - 1].to_vec(),
            wire::Error::Length {
                expected,
                found: expected - 1,
            },
        ),
        (
            [message, &[0]].concat(),
            wire::Error::Length {
                expected,
                found: expected + 1,
            },
        ),
        (flipped, wire::Error::Damaged),
    ]
}

#[test]
fn a_public_key_of_another_table_is_refused() {
    let here = context(RUN, 2, 3);
    for (other, expected) in foreign() {
        let key = Encryptor::new(&other, &mut rng()).public_key().to_vec();
        let refused = Evaluator::new(&here, &key, &[]).err();
        assert_eq!(refused, Some(evaluate::Error::PublicKey(expected)));
    }
    let a = Encryptor::new(&here, &mut rng());
    for (key, expected) in broken(a.public_key()) {
        let refused = Evaluator::new(&here, &key, &[]).err();
        assert_eq!(refused, Some(evaluate::Error::PublicKey(expected)));
    }
}

#[test]
fn a_chunk_of_another_table_is_refused() {
    let here = context(RUN, 2, 3);
    let mut a = Encryptor::new(&here, &mut rng());
    let mut b = Evaluator::new(&here, a.public_key(), &[(5, 1)]).unwrap();
    for (other, expected) in foreign() {
        let mut stranger = Encryptor::new(&other, &mut rng());
        let chunk = empty_chunk(&other, &mut stranger, 0);
        assert_eq!(b.absorb(0, &chunk), Err(evaluate::Error::Chunk(expected)));
    }
    let chunk = a.encrypt_chunk(0, &[None; 2048]).unwrap();
    for (chunk, expected) in broken(&chunk) {
        assert_eq!(b.absorb(0, &chunk), Err(evaluate::Error::Chunk(expected)));
    }
    let key_as_chunk = b.absorb(0, a.public_key());
    let kind = wire::Error::Kind {
        expected: 2,
        found: 1,
    };
    assert_eq!(key_as_chunk, Err(evaluate::Error::Chunk(kind)));
    assert_eq!(b.absorb(0, &chunk), Ok(()), "refusals leave no trace");
}

#[test]
fn each_chunk_is_absorbed_once_under_its_own_number() {
    let here = context(RUN, 2, 3);
    let mut a = Encryptor::new(&here, &mut rng());
    let mut b = Evaluator::new(&here, a.public_key(), &[]).unwrap();
    let chunk = a.encrypt_chunk(1, &[None; 2048]).unwrap();
    let mismatch = evaluate::Error::ChunkMismatch {
        expected: 0,
        found: 1,
    };
    assert_eq!(b.absorb(0, &chunk), Err(mismatch));
    assert_eq!(b.absorb(1, &chunk), Ok(()));
    assert_eq!(b.absorb(1, &chunk), Err(evaluate::Error::ChunkRepeated(1)));
    let finished = b.finish(|| 0, &mut rng()).err();
    assert_eq!(finished, Some(evaluate::Error::ChunkMissing(0)));
}

#[test]
fn a_mask_never_meets_a_key_twice() {
    let here = context(RUN, 2, 3);
    let mut a = Encryptor::new(&here, &mut rng());
    let wrong_length = a.encrypt_chunk(0, &[None; 2047]).err();
    assert_eq!(wrong_length, Some(length(2048, 2047)));
    let wrong_row = a.encrypt_chunk(0, &[Some(3); 2048]).err();
    assert_eq!(wrong_row, Some(encrypt::Error::Category(3)));
    let outside = a.encrypt_chunk(2, &[None; 2048]).err();
    assert_eq!(outside, Some(encrypt::Error::ChunkOutOfRange(2)));

    let first = a.encrypt_chunk(0, &[None; 2048]).unwrap();
    let repeated = a.encrypt_chunk(0, &[None; 2048]).err();
    assert_eq!(repeated, Some(encrypt::Error::ChunkRepeated(0)));
    let other_run_keys = Encryptor::new(&here, &mut ChaCha20Rng::seed_from_u64(2))
        .encrypt_chunk(0, &[None; 2048])
        .unwrap();
    assert_ne!(first, other_run_keys, "a second table has keys of its own");
}

fn length(expected: usize, found: usize) -> encrypt::Error {
    encrypt::Error::ChunkLength { expected, found }
}

#[test]
fn a_table_takes_chunks_of_its_own_measure() {
    let counts = Encryptor::new(&context(RUN, 2, 3), &mut rng()).encrypt_values(0, &[None; 4096]);
    assert_eq!(counts.err(), Some(encrypt::Error::Measure));
    let sums = Encryptor::new(&sums(), &mut rng()).encrypt_chunk(0, &[None; 2048]);
    assert_eq!(sums.err(), Some(encrypt::Error::Measure));
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let of_two_chunks = of(RUN, 2, TableShape::sums(8192, 3, 2).unwrap());
    let mut a = Encryptor::new(&of_two_chunks, &mut rng());
    let mut refused = |chunk, entries: &[_]| a.encrypt_values(chunk, entries).err();

    assert_eq!(refused(0, &[None; 2048]), Some(length(4096, 2048)));
    let no_row = encrypt::Error::Category(3);
    assert_eq!(refused(0, &[Some((3, 1)); 4096]), Some(no_row));
    let mut entries = [None; 4096];
    entries[4095] = Some((0, VALUE_MAX + 1));
    assert_eq!(refused(0, &entries), Some(encrypt::Error::Value));
    entries[4095] = Some((0, u64::MAX));
    assert_eq!(refused(0, &entries), Some(encrypt::Error::Value));

    // As many of the largest value as a row may have, and one unit more.
    let most = (ROW_TOTAL_MAX / VALUE_MAX) as usize;
    let mut entries = [None; 4096];
    entries[..most].fill(Some((1, VALUE_MAX)));
    entries[most] = Some((1, 1));
    let full = encrypt::Error::RowTotal(1);
    assert_eq!(refused(0, &entries), Some(full));
    entries[most] = Some((2, 1));
    assert_eq!(refused(0, &entries), None, "refused chunks do not add up");

    // Chunks do.
    let mut entries = [None; 4096];
    entries[0] = Some((1, 1));
    assert_eq!(refused(1, &entries), Some(full));
    entries[0] = Some((0, VALUE_MAX));
    assert_eq!(refused(0, &entries), Some(encrypt::Error::ChunkRepeated(0)));
    assert_eq!(refused(1, &entries), None);
}

#[test]
fn a_masked_table_of_another_table_is_refused() {
    let here = context(RUN, 2, 3);
    for (other, expected) in foreign() {
        let (masked, _) = absorbed(&other).1.finish(|| 0, &mut rng()).unwrap();
        let refused = open_error(absorbed(&here).0, &masked);
        assert_eq!(refused, Some(encrypt::Error::MaskedTable(expected)));
    }
    let (masked, _) = absorbed(&here).1.finish(|| 0, &mut rng()).unwrap();
    for (message, expected) in broken(&masked) {
        let refused = open_error(absorbed(&here).0, &message);
        assert_eq!(refused, Some(encrypt::Error::MaskedTable(expected)));
    }
    let early = open_error(Encryptor::new(&here, &mut rng()), &masked);
    assert_eq!(early, Some(encrypt::Error::ChunksMissing));
}

#[test]
fn records_that_do_not_fit_are_refused() {
    let here = context(RUN, 2, 3);
    let a = Encryptor::new(&here, &mut rng());
    let refused = |records: &[(u32, u16)]| Evaluator::new(&here, a.public_key(), records).err();
    assert_eq!(refused(&[(4096, 0)]), Some(evaluate::Error::Position(4096)));
    assert_eq!(
        refused(&[(u32::MAX, 0)]),
        Some(evaluate::Error::Position(u32::MAX))
    );
    assert_eq!(refused(&[(0, 2)]), Some(evaluate::Error::Category(2)));
    assert_eq!(
        refused(&[(7, 0), (8, 0), (7, 1)]),
        Some(evaluate::Error::PositionRepeated(7))
    );
    let many = vec![(0, 0); 4_190_207];
    assert_eq!(
        refused(&many),
        Some(evaluate::Error::TooManyRecords {
            most: 4_190_206,
            found: 4_190_207
        })
    );
    assert_eq!(refused(&[(0, 0), (4095, 1)]), None);
}

/// The analyst's two messages of one table.
fn share_messages(context: &RunContext) -> (Vec<u8>, Vec<u8>) {
    let (a, b) = absorbed(context);
    let (masked, masks) = b.finish(|| 0, &mut rng()).unwrap();
    (
        a.open(&masked, || 0, &mut rng()).unwrap().encode(),
        masks.encode(),
    )
}

#[test]
fn shares_of_another_table_are_refused() {
    let here = context(RUN, 2, 3);
    let (run, shape) = (here.run_id(), here.shape());
    let (phases, masks) = share_messages(&here);
    // The analyst doesn't know the nonces.
    let [others @ .., (foreign_nonces, _)] = foreign();
    for (other, expected) in others {
        let (phases, masks) = share_messages(&other);
        assert_eq!(
            PhaseShare::decode(&phases, run, shape).err(),
            Some(expected)
        );
        assert_eq!(MaskShare::decode(&masks, run, shape).err(), Some(expected));
    }
    let swapped = PhaseShare::decode(&masks, run, shape).err();
    assert_eq!(
        swapped,
        Some(wire::Error::Kind {
            expected: 4,
            found: 5
        })
    );
    for (message, expected) in broken(&masks) {
        assert_eq!(
            MaskShare::decode(&message, run, shape).err(),
            Some(expected)
        );
    }

    let phases = PhaseShare::decode(&phases, run, shape).unwrap();
    let other_masks = MaskShare::decode(&share_messages(&foreign_nonces).1, run, shape).unwrap();
    let mixed = shares::combine(&phases, &other_masks).err();
    assert_eq!(mixed, Some(shares::Error::DifferentTables));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_everywhere(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let here = context(RUN, 2, 3);
        prop_assert!(Evaluator::new(&here, &bytes, &[]).is_err());
        prop_assert!(PhaseShare::decode(&bytes, here.run_id(), here.shape()).is_err());
        prop_assert!(MaskShare::decode(&bytes, here.run_id(), here.shape()).is_err());
    }
}

#[test]
fn any_damage_to_a_share_is_refused() {
    let here = context(RUN, 2, 3);
    let (phases, _) = share_messages(&here);
    let decode = |bytes: &[u8]| PhaseShare::decode(bytes, here.run_id(), here.shape());
    assert!(decode(&phases).is_ok());
    for length in 0..phases.len() {
        assert!(decode(&phases[..length]).is_err(), "cut to {length}");
    }
    // The tag is the exception the analyst can't check alone; the digest still covers it.
    for bit in 0..phases.len() * 8 {
        let mut flipped = phases.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit}");
    }
}
