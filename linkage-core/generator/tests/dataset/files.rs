//! Files: columns, truth, error log, bytes.

use std::collections::{HashMap, HashSet};

use linkage_generator::output::{Dataset, Files, Header, Row, Summary, write, write_csv};
use linkage_generator::{Department, ErrorLevel, Settings, enterprise};

use super::settings;

/// The files of some departments, as bytes.
#[derive(Default)]
struct Written {
    records: Vec<Vec<u8>>,
    truth: Vec<u8>,
    errors: Vec<u8>,
    summaries: Vec<Summary>,
}

impl Written {
    fn add(&mut self, dataset: &impl Dataset) {
        let header = if self.truth.is_empty() {
            Header::Yes
        } else {
            Header::No
        };
        let mut records = Vec::new();
        let mut told = 0;
        let files = Files {
            records: &mut records,
            truth: &mut self.truth,
            errors: &mut self.errors,
        };
        let summary = write(dataset, header, files, &mut |rows| told = rows).unwrap();
        assert_eq!(told, summary.rows);
        self.records.push(records);
        self.summaries.push(summary);
    }
}

fn rows(bytes: &[u8]) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_reader(bytes);
    reader.records().map(Result::unwrap).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    hex.collect()
}

#[test]
fn bytes_are_golden() {
    let dirty = settings(400).with_errors(ErrorLevel::Dirty);
    let csv = |dataset: &dyn Fn(&mut Vec<u8>)| {
        let mut csv = Vec::new();
        dataset(&mut csv);
        sha256(&csv)
    };
    let found: Vec<String> = Department::ALL
        .iter()
        .map(|department| {
            csv(&|to| {
                write_csv(&department.records(&dirty).unwrap(), to).unwrap();
            })
        })
        .chain(enterprise::Department::ALL.iter().map(|department| {
            csv(&|to| {
                write_csv(&department.records(&dirty).unwrap(), to).unwrap();
            })
        }))
        .collect();
    let golden = [
        "6e594a894600a0d365651e556fc8eb0be588c19b6de40ffb99ca8fa5c5b74b81",
        "265e06fec4b941904bafc26205fb8ed28232b3a9bdce6b4b80dbdb10bde0ba16",
        "a205f9333aac867f867c9b67ba2ce94a527bb3bedee00257f7c2d3313409aded",
        "2f69ae0a017824324ae47f5c1837a323c9a4f64109508750fec015e3376cfaa7",
        "29dad4b4ca4305ab5494f12c6188e499ab72cba35e07a0dd10d423dcd7042bd5",
        "cb359076aa688b20db30ae14ecbcf8438dac4df9d579a229ed862752c5606c63",
        "65067e21cce5b8e3b8626ba1fb01ca194fefa999c0153ed1a1120ddbfb48e8f1",
        "8aeb6b2e3040e33858b3641581e50b6488ccafd3c776d796334cbe915a90c304",
        "78fea7c02d4e0ed22eef3636613bed3e00eadac843d4c6be2300ce5ffced73dc",
        "f26db29c3c95749b340d17ab775dfbe8cfd58c690241b26e508187916c1ceb16",
    ];
    assert_eq!(found, golden, "the data of a seed has changed");
}

#[test]
fn rows_parse_and_have_equal_columns() {
    let settings = settings(3_000);
    let check = |bytes: &[u8], header: Vec<&str>, attributes: &[(&str, &[&str])]| {
        let mut reader = csv::Reader::from_reader(bytes);
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), header);
        let mut count = 0;
        for row in rows(bytes) {
            assert_eq!(row.len(), header.len());
            let values = row.iter().skip(header.len() - attributes.len());
            for (value, (_, allowed)) in values.zip(attributes) {
                assert!(allowed.contains(&value), "{value}");
            }
            count += 1;
        }
        count
    };
    let mut written = Written::default();
    for department in Department::ALL {
        written.add(&department.records(&settings).unwrap());
        let bytes = written.records.last().unwrap();
        let count = check(
            bytes,
            department.header().collect(),
            department.attributes(),
        );
        assert_eq!(count, written.summaries.last().unwrap().rows);
    }
    for department in enterprise::Department::ALL {
        written.add(&department.records(&settings).unwrap());
        let bytes = written.records.last().unwrap();
        let count = check(
            bytes,
            department.header().collect(),
            department.attributes(),
        );
        assert_eq!(count, written.summaries.last().unwrap().rows);
    }
}

fn check_truth_and_log<D: Dataset>(datasets: &[D]) {
    let mut written = Written::default();
    for dataset in datasets {
        written.add(dataset);
    }
    let key = |row: &csv::StringRecord| (row[0].to_owned(), row[1].to_owned());
    let known: HashMap<(String, String), String> = rows(&written.truth)
        .iter()
        .map(|row| (key(row), row[2].to_owned()))
        .collect();
    let mut expected_log = Vec::new();
    let mut records = 0;
    for (dataset, bytes) in datasets.iter().zip(&written.records) {
        let found = rows(bytes);
        let mut count = 0;
        for (row, found) in dataset.rows().zip(&found) {
            assert!(row.values().eq(found.iter()));
            let id = (dataset.slug().to_owned(), row.record_id().to_owned());
            assert_eq!(known.get(&id), Some(&row.entity_id()));
            for (field, kind) in row.errors() {
                assert!(dataset.header().contains(&field.slug()), "{field:?}");
                let line = [dataset.slug(), row.record_id(), field.slug(), kind.slug()];
                expected_log.push(line.map(str::to_owned));
            }
            count += 1;
        }
        assert_eq!(count, found.len());
        records += count;
    }
    assert_eq!(known.len(), records, "record ids repeat");
    let log: Vec<[String; 4]> = rows(&written.errors)
        .iter()
        .map(|row| [0, 1, 2, 3].map(|at| row[at].to_owned()))
        .collect();
    assert_eq!(log, expected_log);
    let errors: u64 = written.summaries.iter().map(|summary| summary.errors).sum();
    assert_eq!(errors, log.len() as u64);
    let with: HashSet<_> = log.iter().map(|row| (&row[0], &row[1])).collect();
    let rows_with: u64 = written.summaries.iter().map(|s| s.rows_with_errors).sum();
    assert_eq!(rows_with, with.len() as u64);
}

#[test]
fn truth_and_error_log_agree_with_the_records() {
    let settings = settings(12_000).with_errors(ErrorLevel::Dirty);
    check_truth_and_log(&Department::ALL.map(|d| d.records(&settings).unwrap()));
    check_truth_and_log(&enterprise::Department::ALL.map(|d| d.records(&settings).unwrap()));
}

#[test]
fn what_is_written_does_not_depend_on_how_many_cores_write() {
    let settings = Settings::for_records(9, 30_000).unwrap();
    let written = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut written = Written::default();
            written.add(&Department::Credit.records(&settings).unwrap());
            (
                sha256(&written.records[0]),
                sha256(&written.truth),
                sha256(&written.errors),
            )
        })
    };
    assert_eq!(written(1), written(3));
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dataset = Department::Tax.records(&settings(100)).unwrap();
    assert!(write_csv(&dataset, Full).is_err());
}
