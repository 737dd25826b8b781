//! What an owner does with its records, in records per second: normalise, encode, and all of it
//! from the file on.
//!
//! `febrl4` are persons in Latin script with names, address and date of birth; `generated` are
//! persons in Chinese script with an identity number.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented public items"
)]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linkage_benches::repository_file;
use linkage_core::encode::Encoder;
use linkage_core::keys::ProjectKey;
use linkage_core::normalise::Normaliser;
use linkage_core::record::{NormalRecord, RawRecord};
use linkage_core::schema::Schema;
use linkage_generator::{Department, ErrorLevel, Settings, output};
use linkage_node::dataset::{self, Job};
use linkage_node::ingest::Source;
use tempfile::TempDir;

/// Fixed, so that every run works on the same people.
const SEED: u64 = 20_240_101;

/// As many as a register of febrl4 has.
const GENERATED_RECORDS: u64 = 5_000;

const GENERATED_SCHEMA: &str = r#"
version = 1
entity = "persons"
id_column = "record_id"

[token]
bits = 1024

[[field]]
name = "name"
kind = "name"
feature = [{ kind = "q-gram", q = 1, bits = 150 }, { kind = "q-gram", q = 2, bits = 100 }]

[[field]]
name = "birth_date"
kind = "date"
feature = [
    { kind = "date-components", bits = 60 },
    { kind = "positional-q-gram", q = 2, bits = 60 },
]

[[field]]
name = "mobile"
kind = "digits"
feature = [{ kind = "positional-q-gram", q = 2, bits = 90 }]

[[field]]
name = "address"
kind = "text"
feature = [{ kind = "q-gram", q = 2, bits = 150 }]

[[field]]
name = "id_number"
kind = "code"

[[link_key]]
name = "id"
parts = [{ field = "id_number" }]

[[block_key]]
name = "born"
parts = [{ field = "birth_date" }]

[[block_key]]
name = "mobile"
parts = [{ field = "mobile" }]
"#;

struct Case {
    name: &'static str,
    schema: Schema,
    source: PathBuf,
}

fn cases(scratch: &Path) -> [Case; 2] {
    let schema = fs::read_to_string(repository_file("node/schemas/person-latin.toml")).unwrap();
    let generated = scratch.join("generated.csv");
    let settings = Settings::for_records(SEED, GENERATED_RECORDS).unwrap();
    let settings = settings.with_errors(ErrorLevel::Dirty);
    let file = File::create(&generated).unwrap();
    let records = Department::Health.records(&settings).unwrap();
    output::write_csv(&records, file).unwrap();
    [
        Case {
            name: "febrl4",
            schema: Schema::parse(&schema).unwrap(),
            source: repository_file("tests/data/febrl4/dataset4b.csv"),
        },
        Case {
            name: "generated",
            schema: Schema::parse(GENERATED_SCHEMA).unwrap(),
            source: generated,
        },
    ]
}

fn raw_records(case: &Case) -> Vec<RawRecord> {
    let mut source = Source::open(&case.source, &case.schema).unwrap();
    let mut records = Vec::new();
    let parser = source.parser();
    while let Some(block) = source.next_block().unwrap() {
        parser.rows(&block, &mut |row| {
            let record = &row.ok().unwrap().record;
            records.push(RawRecord {
                id: record.id.clone(),
                values: record.values.clone(),
            });
        });
    }
    records
}

fn owner(criterion: &mut Criterion) {
    let scratch = TempDir::new().unwrap();
    let key = ProjectKey::from_bytes([1; 32]);
    let mut group = criterion.benchmark_group("owner");
    group.sample_size(10);
    for case in cases(scratch.path()) {
        let raw = raw_records(&case);
        assert_eq!(raw.len(), 5_000);
        group.throughput(Throughput::Elements(raw.len() as u64));
        let normaliser = Normaliser::new(&case.schema, linkage_node::dataset::today());
        let normalise = || -> Vec<NormalRecord> {
            raw.iter().map(|record| normaliser.record(record)).collect()
        };
        group.bench_function(
            BenchmarkId::new("normalise/one-core", case.name),
            |bencher| {
                bencher.iter_with_large_drop(normalise);
            },
        );

        let normal = normalise();
        let encoder = Encoder::new(&case.schema, &key);
        group.bench_function(BenchmarkId::new("encode/one-core", case.name), |bencher| {
            bencher.iter_with_large_drop(|| {
                let records = normal.iter().map(|record| encoder.record(record));
                records.collect::<Vec<_>>()
            });
        });
        group.bench_function(BenchmarkId::new("encode/all-cores", case.name), |bencher| {
            bencher.iter_with_large_drop(|| encoder.records(&normal));
        });

        let rejects = scratch.path().join("rejects.csv");
        let job = Job {
            source: &case.source,
            schema: &case.schema,
            key: &key,
            project: [0; 32],
            rejects: &rejects,
            scratch: scratch.path(),
        };
        group.bench_function(BenchmarkId::new("file-to-batch", case.name), |bencher| {
            bencher
                .iter_with_large_drop(|| dataset::encode(&job, Vec::new(), &mut |_| {}).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, owner);
criterion_main!(benches);
