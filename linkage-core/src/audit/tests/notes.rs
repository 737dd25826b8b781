use proptest::prelude::*;

use super::*;
use crate::audit::checkpoint::CheckpointError;
use crate::audit::note::{Algorithm, NoteError, Signed, SigningKey, VerifyingKey};

/// The Go checksum database's key, as golang.org/x/mod/sumdb/note and c2sp.org/signed-note print
/// it.
const GO_SUM_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// The first example in the tests of golang.org/x/mod/sumdb/note.
const PETER_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_NOTE: &str = "\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
";

#[test]
fn notes_and_keys_of_the_go_implementation_are_read() {
    let key: VerifyingKey = PETER_KEY.parse().unwrap();
    assert_eq!(key.to_string(), PETER_KEY);
    let note = Note::parse(PETER_NOTE).unwrap();
    assert_eq!(note.verify(&key), Ok(Signed::ByLog));
    assert_eq!(note.to_string(), PETER_NOTE);
    let other: VerifyingKey = GO_SUM_KEY.parse().unwrap();
    assert_eq!(note.verify(&other), Err(NoteError::Unsigned));
    let altered = Note::parse(&PETER_NOTE.replace("answer", "ANSWER")).unwrap();
    assert_eq!(altered.verify(&key), Err(NoteError::Signature));
}

#[test]
fn a_cosignature_covers_the_time_and_the_text() {
    let note = signed(&keys("health"), &[], 0);
    let witness = keys("tax").witness;
    let mut cosigned = note.clone();
    cosigned.add(witness.sign(note.text(), 1_769_860_800));
    let key = witness.verifying();
    assert_eq!(key.algorithm(), Algorithm::CosignatureV1);
    assert_eq!(cosigned.verify(key), Ok(Signed::ByWitness(1_769_860_800)));
    // A note with one signature twice is one with the newer.
    cosigned.add(witness.sign(note.text(), 1_769_860_801));
    assert_eq!(cosigned.signatures().len(), 2);
    assert_eq!(cosigned.verify(key), Ok(Signed::ByWitness(1_769_860_801)));
    // As the log's own key it would be another signature of another message.
    let as_log = VerifyingKey::new(key.name(), Algorithm::Ed25519, *key.public()).unwrap();
    assert_eq!(cosigned.verify(&as_log), Err(NoteError::Unsigned));
}

#[test]
fn the_keys_of_a_node_differ_and_name_it() {
    let health = keys("health");
    let name = health.log.verifying().name();
    assert!(
        name.starts_with("linkage/linkage.example/health/owner/"),
        "{name}"
    );
    assert_eq!(name.rsplit('/').next().unwrap().len(), 16);
    assert_eq!(
        health.witness.verifying().name(),
        "linkage/linkage.example/health/owner/witness"
    );
    assert_ne!(
        health.log.verifying().public(),
        health.witness.verifying().public()
    );
    assert_ne!(name, keys("tax").log.verifying().name());
    assert!(NodeKeys::derive(&[1; 32], "linkage example", "owner", "x").is_err());
    assert!(!format!("{health:?}").contains("seed"));
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let (health, tax) = (keys("health"), keys("tax"));
    let note = checkpoint(tax.log.verifying().name(), &[], 0)
        .sign(&health.log)
        .unwrap();
    let opened = Checkpoint::open(&note, health.log.verifying());
    assert_eq!(opened, Err(CheckpointError::Origin));
    let opened = Checkpoint::open(&note, tax.log.verifying());
    assert_eq!(opened, Err(NoteError::Unsigned.into()));
}

#[test]
fn checkpoints_have_one_spelling() {
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let empty = Checkpoint::parse(&format!("log\n0\n{root}\n")).unwrap();
    assert_eq!((empty.size, empty.root), (0, Hash::EMPTY_ROOT));
    assert!(Checkpoint::parse(&format!("log\n0\n{root}\nextension\n")).is_ok());
    for wrong in [
        format!("log\n00\n{root}\n"),
        format!("log\n+1\n{root}\n"),
        format!("log\n-1\n{root}\n"),
        format!("\n0\n{root}\n"),
        format!("log\n0\n{root}"),
        format!("log\n0\n{root}\n\n"),
        "log\n0\n47DEQpj8HBSa\n".to_owned(),
        "log\n0\n".to_owned(),
    ] {
        assert_eq!(
            Checkpoint::parse(&wrong),
            Err(CheckpointError::Form),
            "{wrong}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_or_read_back(text in "\\PC{0,20}\n{0,2}(— [a-z]{1,3} [A-Za-z0-9+/=]{0,12}\n){0,3}") {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(Note::parse(&note.to_string()).unwrap(), note);
        }
        let _ = text.parse::<VerifyingKey>();
        let _ = Checkpoint::parse(&text);
    }

    #[test]
    fn no_altered_note_holds(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let keys = keys("health");
        let log = log(keys.log.verifying().name(), 5);
        let text = signed(&keys, &log, 5).to_string();
        let mut bytes = text.clone().into_bytes();
        bytes[at.index(text.len())] ^= 1 << bit;
        if let Ok(altered) = String::from_utf8(bytes)
            && let Ok(note) = Note::parse(&altered)
        {
            prop_assert!(Checkpoint::open(&note, keys.log.verifying()).is_err());
        }
    }

    #[test]
    fn any_key_signs_what_it_says(seed in any::<[u8; 32]>(), text in "[ -~]{1,60}") {
        let key = SigningKey::new("a", Algorithm::Ed25519, &seed).unwrap();
        let mut note = Note::new(format!("{text}\n")).unwrap();
        note.add(key.sign(note.text(), 0));
        prop_assert_eq!(note.verify(key.verifying()), Ok(Signed::ByLog));
        let read: VerifyingKey = key.verifying().to_string().parse().unwrap();
        prop_assert_eq!(&read, key.verifying());
    }
}
