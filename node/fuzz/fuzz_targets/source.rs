//! A source file: CSV in any encoding, or Parquet or XLSX by its magic bytes; every row of it.
#![no_main]

use std::io::Write;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use linkage_core::schema::Schema;
use linkage_node_fuzz::ingest::Source;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::parse(
        "version = 1\nentity = \"persons\"\nid_column = \"id\"\n[token]\nprofile = \"plain-clk\"\n\
         [[field]]\nname = \"value\"\nkind = \"text\"\nfeature = [{ kind = \"whole\", bits = 9 }]\n",
    )
    .expect("the schema is right")
});

fuzz_target!(init: linkage_node_fuzz::forgive_libraries(), |bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a scratch file");
    file.write_all(bytes).expect("a scratch file");
    let Ok(mut source) = Source::open(file.path(), &SCHEMA) else {
        return;
    };
    let parser = source.parser();
    while let Ok(Some(block)) = source.next_block() {
        parser.rows(&block, &mut |_| {});
    }
});
