//! What an owner does with its records, in records per second: normalise, encode, both, and all of
//! it from the file on.
//!
//! `febrl4` are persons in Latin script with names, address and date of birth; `persons` are
//! persons in Chinese script with an identity number, `enterprises` companies with their codes,
//! both made up. All under the templates, hence the `hardened` profile with every feature and key.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented public items"
)]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linkage_benches::repository_file;
use linkage_core::encode::Encoder;
use linkage_core::keys::ProjectKey;
use linkage_core::normalise::Normaliser;
use linkage_core::record::{NormalRecord, RawRecord};
use linkage_core::schema::Schema;
use linkage_generator::{Department, ErrorLevel, Settings, enterprise, output};
use linkage_node::dataset::{self, Job};
use linkage_node::ingest::Source;
use tempfile::TempDir;

/// Fixed, so that every run works on the same people.
const SEED: u64 = 20_240_101;

/// Enough that names and places repeat as they do in registers.
const GENERATED_RECORDS: u64 = 20_000;

struct Case {
    name: &'static str,
    schema: Schema,
    source: PathBuf,
}

fn cases(scratch: &Path) -> [Case; 3] {
    let schema = |name: &str| {
        let text = fs::read_to_string(repository_file(&format!("node/schemas/{name}.toml")));
        Schema::parse(&text.unwrap()).unwrap()
    };
    let settings = Settings::for_records(SEED, GENERATED_RECORDS).unwrap();
    let settings = settings.with_errors(ErrorLevel::Dirty);
    let (persons, enterprises) = (scratch.join("persons.csv"), scratch.join("enterprises.csv"));
    let records = Department::Health.records(&settings).unwrap();
    output::write_csv(&records, File::create(&persons).unwrap()).unwrap();
    let records = enterprise::Department::Tax.records(&settings).unwrap();
    output::write_csv(&records, File::create(&enterprises).unwrap()).unwrap();
    [
        Case {
            name: "febrl4",
            schema: schema("person-latin"),
            source: repository_file("tests/data/febrl4/dataset4b.csv"),
        },
        Case {
            name: "persons",
            schema: schema("person-cn"),
            source: persons,
        },
        Case {
            name: "enterprises",
            schema: schema("enterprise-cn"),
            source: enterprises,
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
        assert!(raw.len() >= 5_000);
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
            bencher.iter_with_large_drop(|| encoder.records_here(&normal));
        });
        group.bench_function(
            BenchmarkId::new("normalise-and-encode/one-core", case.name),
            |bencher| {
                // As many at a time as the program encodes.
                let both = |records: &[RawRecord]| {
                    let normal: Vec<_> = records.iter().map(|r| normaliser.record(r)).collect();
                    encoder.records_here(&normal)
                };
                bencher.iter(|| {
                    for records in raw.chunks(128) {
                        black_box(both(records));
                    }
                });
            },
        );
        group.bench_function(BenchmarkId::new("encode/all-cores", case.name), |bencher| {
            bencher.iter_with_large_drop(|| encoder.records(&normal));
        });

        let rejects = scratch.path().join("rejects.csv");
        let origin = case.source.as_path().into();
        let job = Job {
            source: &origin,
            schema: &case.schema,
            key: &key,
            project: [0; 32],
            rejects: &rejects,
            scratch: scratch.path(),
            dummies_share: 0.0,
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
