//! What nodes show each other of their audit logs: notes, receipts, offers of checkpoints,
//! policies, entries. What is read is written again with the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::audit::checkpoint::Checkpoint;
use linkage_core::audit::entry::Entry;
use linkage_core::audit::note::{Note, VerifyingKey};
use linkage_core::audit::policy::Policy;
use linkage_core::audit::receipt::Receipt;
use linkage_core::audit::witness::AddCheckpoint;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::from_bytes(bytes) {
        let again = entry.to_bytes().expect("it was read");
        assert_eq!(Entry::from_bytes(&again).ok(), Some(entry));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
    }
    if let Ok(receipt) = text.parse::<Receipt>() {
        assert_eq!(receipt.to_string(), text);
    }
    if let Ok(offer) = text.parse::<AddCheckpoint>() {
        assert_eq!(offer.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifyingKey>() {
        assert_eq!(key.to_string(), text);
    }
    let _ = Checkpoint::parse(text);
    let _ = text.parse::<Policy>();
});
