use std::collections::BTreeMap;
use std::fmt::Write as _;

use linkage_core::encode::Encoder;
use linkage_core::encode::batch::{Batch, Row};
use linkage_core::normalise::Normaliser;
use linkage_core::record::RawRecord;
use zeroize::Zeroizing;

use super::*;

fn schema() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [token]
        profile = "plain-clk"
        bits = 256
        features_min = 2
        [[field]]
        name = "name"
        kind = "text"
        feature = [{ kind = "q-gram", q = 2, bits = 80 }]
        [[field]]
        name = "code"
        kind = "digits"
        [[link_key]]
        name = "code"
        parts = [{ field = "code" }]
        [[attribute]]
        name = "grade"
        values = ["A", "B"]
        [[attribute]]
        name = "absent"
        values = ["x"]
        "#,
    )
    .unwrap()
}

struct Run {
    batch: Batch,
    encoded: Encoded,
    rejects: String,
    progress: Vec<Progress>,
}

fn run(content: &str) -> Result<Run, Error> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("s.csv");
    let rejects = folder.path().join("rejects.csv");
    std::fs::write(&source, content).unwrap();
    let (schema, key) = (schema(), ProjectKey::from_bytes([7; 32]));
    let job = Job {
        source: &source.as_path().into(),
        schema: &schema,
        key: &key,
        project: [5; 32],
        rejects: &rejects,
        scratch: folder.path(),
        dummies_share: 0.0,
    };
    let mut progress = vec![];
    let (bytes, encoded) = encode(&job, Vec::new(), &mut |p| progress.push(p))?;
    let batch = Batch::decode(&bytes).unwrap();
    assert!(bytes.ends_with(&encoded.digest));
    Ok(Run {
        batch,
        encoded,
        rejects: std::fs::read_to_string(&rejects).unwrap_or_default(),
        progress,
    })
}

/// Each row of the batch belongs to the identity and the attribute that stand at its place,
/// compared with what the record gives by itself.
#[test]
fn rows_identities_and_attributes_keep_together() {
    let rows = 20_000;
    let mut content = "id,name,code,grade\n".to_owned();
    for n in 0..rows {
        let grade = ["A", "B", "C"][n % 3];
        writeln!(content, "R{n},name of {n},{},{grade}", 100_000 + n * 7).unwrap();
    }
    let run = run(&content).unwrap();
    assert_eq!(run.batch.len(), rows);
    assert_eq!(run.batch.header(), &run.encoded.header);
    assert_eq!(run.encoded.header.project, [5; 32]);

    let (schema, key) = (schema(), ProjectKey::from_bytes([7; 32]));
    let (normaliser, encoder) = (
        Normaliser::new(&schema, today()),
        Encoder::new(&schema, &key),
    );
    let ids: Vec<_> = run.encoded.ids().collect();
    let grades: Vec<_> = run.encoded.attribute(0).unwrap().collect();
    assert!(run.encoded.attribute(1).is_none() && run.encoded.attribute(2).is_none());
    let mut seen = vec![false; rows];
    for (row, (id, grade)) in ids.iter().zip(&grades).enumerate() {
        let n: usize = id.strip_prefix('R').unwrap().parse().unwrap();
        assert!(!std::mem::replace(&mut seen[n], true));
        assert_eq!(*grade, [Some(0), Some(1), None][n % 3]);
        if row % 97 == 0 {
            let text = [format!("name of {n}"), (100_000 + n * 7).to_string()];
            let raw = RawRecord {
                id: Zeroizing::default(),
                values: text.map(Zeroizing::new).into(),
            };
            let record = encoder.record(&normaliser.record(&raw));
            let expected = Row::from(&record);
            assert_eq!(run.batch.columns().token(row), expected.token);
            let key = expected.link_keys[0].map(u128::from_be_bytes);
            assert_eq!(run.batch.columns().link_key(row, 0), key);
        }
    }
    let in_place = ids
        .iter()
        .enumerate()
        .filter(|(row, id)| **id == format!("R{row}"));
    assert!(in_place.count() < 20, "the order is the source's");
    let last = run.progress.last().unwrap();
    let (records, total) = (rows as u64, rows as u64);
    assert_eq!(*last, Progress::Writing { records, total });
}

#[test]
fn the_first_of_equal_identities_is_kept_and_the_others_are_counted_nowhere() {
    let content = "id,name,code,grade\n\
        a,first a,4150937,A\n\
        \n\
        b,only b,,B\n\
        short\n\
        c,only c,8206314,B\n\
        a,second a,99,A\n\
        c,second c,99,A\n\
        d,x,,A\n";
    let run = run(content).unwrap();
    let mut ids: Vec<_> = run.encoded.ids().collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    let summary = &run.encoded.summary;
    assert_eq!(
        summary.rejected,
        BTreeMap::from([("duplicate-id", 2), ("ragged-row", 1)])
    );
    let (_, code) = summary.quality.fields().nth(1).unwrap();
    assert_eq!((code.valid, code.missing), (2, 2));
    assert_eq!(summary.without_token, 1);
    let lines: Vec<_> = run.rejects.lines().skip(1).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("5,,\"the row has 1 values"));
    let first = "7,id,\"the record's id occurred before, in row 2; the first is kept\",";
    assert!(lines[1].starts_with(first), "{}", lines[1]);
    assert!(lines[2].contains("in row 6"), "{}", lines[2]);
}

#[test]
fn a_source_without_a_usable_row_is_refused() {
    let refused = |content| run(content).err().unwrap().to_string();
    assert!(refused("id,name,code\n").contains("no usable row: 0 were rejected"));
    assert!(refused("id,name,code\nx\n,a,1\n").contains("no usable row: 2 were rejected"));
}
