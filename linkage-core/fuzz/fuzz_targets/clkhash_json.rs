//! Encodings in JSON of any layout: what is read, written and read again is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::encode::clkhash::format::{JsonWriter, read_json};
use linkage_fuzz::Kept;

fuzz_target!(|bytes: &[u8]| {
    let mut kept = Kept::default();
    let Ok(summary) = read_json(bytes, &mut kept) else {
        return;
    };
    assert_eq!(summary.count, kept.encodings.len() as u64);
    assert!(
        kept.encodings
            .iter()
            .all(|encoding| encoding.len() == summary.size)
    );
    assert_eq!(summary.block_ids, kept.block_ids);
    let mut writer = JsonWriter::new(Vec::new()).expect("memory takes everything");
    for encoding in &kept.encodings {
        writer.push(encoding).expect("memory takes everything");
    }
    let written = writer.finish().expect("memory takes everything");
    let mut again = Kept::default();
    read_json(&*written, &mut again).expect("what is written can be read");
    assert_eq!(again.encodings, kept.encodings);
});
