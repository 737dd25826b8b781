//! A CSV file that is encoded as clkhash does: one column of each format and comparison. A row is
//! encoded or counted as a fault, and none is lost.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use linkage_core::encode::clkhash::encode::Encoder;
use linkage_core::encode::clkhash::keys::Secret;
use linkage_core::encode::clkhash::rows::{Header, Reader};
use linkage_core::encode::clkhash::schema::Schema;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::parse(include_str!("clkhash_rows.json")).expect("the schema is right")
});

fuzz_target!(|bytes: &[u8]| {
    let secret = Secret::new(vec![1]).expect("a secret of one byte");
    let encoder = Encoder::new(&SCHEMA, &secret).expect("the schema is right");
    let names: Vec<&str> = SCHEMA
        .features
        .iter()
        .map(|f| f.identifier.as_str())
        .collect();
    let Ok(mut reader) = Reader::new(bytes, Header::Absent, &names) else {
        return;
    };
    let mut rows = encoder.batch();
    while let Ok(true) = reader.read(&mut rows) {
        let given = rows.len();
        match encoder.encode(&rows) {
            Ok(encodings) => assert_eq!(encodings.len(), given),
            Err(faults) => assert!(faults.count() > 0 && !faults.first().is_empty()),
        }
    }
});
