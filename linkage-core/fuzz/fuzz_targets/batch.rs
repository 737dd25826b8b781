//! A batch of encoded records, to which the right trailer is added: what is read is written again
//! with the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::encode::Batch;
use linkage_core::encode::batch::{BatchWriter, Row};
use ring::digest;

fuzz_target!(|bytes: &[u8]| {
    let _ = Batch::decode(bytes);
    let trailer = digest::digest(&digest::SHA256, bytes);
    let whole = [bytes, trailer.as_ref()].concat();
    let Ok(batch) = Batch::decode(&whole) else {
        return;
    };
    let header = batch.header();
    let columns = batch.columns();
    let mut writer = BatchWriter::new(Vec::new(), header).expect("the header was read");
    for row in 0..batch.len() {
        let tags = (0..header.link_columns.len()).map(|at| columns.link_key(row, at));
        let link_keys: Vec<_> = tags.map(|tag| tag.map(u128::to_be_bytes)).collect();
        let block_keys: Vec<_> = (0..header.block_keys.into())
            .map(|at| columns.block_key(row, at))
            .collect();
        let classes: Vec<_> = (0..header.classes.into())
            .map(|at| columns.class(row, at).unwrap_or(0))
            .collect();
        let row = Row {
            token: columns.token(row),
            link_keys: &link_keys,
            block_keys: &block_keys,
            classes: &classes,
        };
        writer.push(&row).expect("the row was read");
    }
    let (again, _) = writer.finish().expect("memory takes everything");
    assert_eq!(again, whole);
});
