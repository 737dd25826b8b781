//! What the fuzz targets share: one field of one kind, normalised twice, and a place for encodings.

use std::io;

use linkage_core::encode::clkhash::format::Sink;
use linkage_core::normalise::Normaliser;
use linkage_core::record::{Component, Day, RawRecord};
use linkage_core::schema::Schema;
use zeroize::Zeroizing;

/// A fixed day, so that a finding can be replayed.
const TODAY: Day = Day {
    year: 2026,
    month: 11,
    day: 1,
};

/// A schema with one field of `kind`.
///
/// # Panics
/// If there is no such kind.
pub fn schema(kind: &str) -> Schema {
    let text = format!(
        "version = 1\nentity = \"persons\"\nid_column = \"id\"\n[token]\nprofile = \"plain-clk\"\n\
         [[field]]\nname = \"value\"\nkind = \"{kind}\"\nfeature = [{{ kind = \"whole\", bits = 9 }}]\n"
    );
    Schema::parse(&text).expect("the kinds are the schema's")
}

/// Normalises `bytes` as a field of the schema's kind, and its canonical form again.
///
/// # Panics
/// If the rule is not idempotent, or a component is empty.
pub fn normalise(schema: &Schema, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let normaliser = Normaliser::new(schema, TODAY);
    let canonical = |raw: &str| {
        let record = normaliser.record(&RawRecord {
            id: Zeroizing::new(String::new()),
            values: vec![Zeroizing::new(raw.to_owned())],
        });
        record.value(0).map(|value| {
            assert!(value.components().all(|(_, text)| !text.is_empty()));
            value.first(Component::Whole).unwrap_or_default().to_owned()
        })
    };
    if let Some(once) = canonical(&text) {
        let twice = canonical(&once);
        assert_eq!(twice.as_deref(), Some(once.as_str()), "not idempotent");
    }
}

/// Encodings as they were handed over.
#[derive(Default)]
pub struct Kept {
    /// The encodings, in order.
    pub encodings: Vec<Vec<u8>>,
    /// How many block ids came with them.
    pub block_ids: u64,
}

impl Sink for Kept {
    fn encoding(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.encodings.push(bytes.to_vec());
        Ok(())
    }

    fn blocks(&mut self, _row: u64, ids: &[String]) -> io::Result<()> {
        self.block_ids += ids.len() as u64;
        Ok(())
    }
}
