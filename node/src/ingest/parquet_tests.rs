use std::io::Write as _;

use linkage_core::schema::Schema;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use super::super::Source;
use super::*;

fn schema(fields: &[&str]) -> Schema {
    let fields: String = fields
        .iter()
        .map(|name| {
            format!(
                "[[field]]\nname = \"{name}\"\nkind = \"text\"\n\
                 feature = [{{ kind = \"whole\", bits = 9 }}]\n"
            )
        })
        .collect();
    let text = format!(
        "version = 1\nentity = \"persons\"\nid_column = \"record_id\"\n{fields}\
         [[attribute]]\nname = \"grade\"\nvalues = [\"A\", \"B\"]\n"
    );
    Schema::parse(&text).unwrap()
}

type Read = Result<(Vec<Vec<String>>, Vec<Option<u16>>, Vec<(u64, String)>), Error>;

fn read(path: &Path, fields: &[&str]) -> Read {
    let mut source = Source::open(path, &schema(fields))?;
    let parser = source.parser();
    let (mut rows, mut grades, mut rejects) = (vec![], vec![], vec![]);
    while let Some(block) = source.next_block()? {
        parser.rows(&block, &mut |row| match row {
            Err(reject) => rejects.push((reject.row, reject.reason.to_string())),
            Ok(row) => {
                let values = row.record.values.iter().map(|value| value.to_string());
                rows.push(
                    std::iter::once(row.record.id.to_string())
                        .chain(values)
                        .collect(),
                );
                grades.push(row.attributes[0]);
            }
        });
    }
    Ok((rows, grades, rejects))
}

fn people() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/people.parquet")
}

#[test]
fn values_of_another_writer_are_brought_to_text() {
    let fields = ["name", "birth_date", "seen", "sex", "mobile", "income"];
    let (rows, grades, rejects) = read(&people(), &fields).unwrap();
    let expected = [
        [
            "101",
            "王小明",
            "1985-03-07",
            "2020-05-06",
            "1",
            "13800000001",
            "12.50",
        ],
        ["102", "", "", "2020-05-06 07:08:09", "2", "", ""],
        [
            "103",
            "欧阳锋",
            "1969-12-31",
            "",
            "",
            "13900000002",
            "-3.00",
        ],
        [
            "104",
            "李四",
            "2001-01-02",
            "1960-01-01",
            "1",
            "13700000003",
            "0.07",
        ],
    ];
    assert_eq!(rows, expected);
    assert_eq!(grades, [Some(0), Some(1), None, None]);
    assert_eq!(rejects, []);
}

#[test]
fn columns_that_are_missing_or_no_single_values_are_refused_by_name() {
    let refused = |fields: &[&str]| read(&people(), fields).unwrap_err().to_string();
    let missing = refused(&["nobody"]);
    assert!(
        missing.contains("no column \"nobody\"") && missing.contains("\"income\""),
        "{missing}"
    );
    let tags = refused(&["tags"]);
    assert!(tags.contains("column \"tags\": it holds lists"), "{tags}");
}

/// Several row groups and blocks, rows without id, bytes that are no text.
#[test]
fn every_row_of_every_group_comes_once() {
    let message = "message m { required int64 record_id; optional binary name; }";
    let message = Arc::new(parse_message_type(message).unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer =
        SerializedFileWriter::new(file.reopen().unwrap(), message, properties).unwrap();
    let group_rows = 3000_i64;
    for group in 0..3_i64 {
        let mut rows = writer.next_row_group().unwrap();
        let mut ids = rows.next_column().unwrap().unwrap();
        let numbers: Vec<i64> = (0..group_rows).map(|n| group * group_rows + n).collect();
        ids.typed::<Int64Type>()
            .write_batch(&numbers, None, None)
            .unwrap();
        ids.close().unwrap();
        let mut names = rows.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = (0..group_rows)
            .map(|n| match n {
                7 => ByteArray::from(vec![0xff, 0xfe]),
                _ => ByteArray::from(format!("name {n}").as_str()),
            })
            .collect();
        let present = vec![1; values.len()];
        names
            .typed::<ByteArrayType>()
            .write_batch(&values, Some(&present), None)
            .unwrap();
        names.close().unwrap();
        rows.close().unwrap();
    }
    writer.close().unwrap();
    let (rows, _, rejects) = read(file.path(), &["name"]).unwrap();
    assert_eq!(rows.len(), 3 * 3000 - 3);
    assert_eq!(rows[8998 - 3], ["8998", "name 2998"]);
    let numbers: Vec<u64> = rejects.iter().map(|(row, _)| *row).collect();
    assert_eq!(numbers, [8, 3008, 6008]);
    assert_eq!(rejects[0].1, "a value is not valid UTF-8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_damage_ends_the_program(
        changes in prop::collection::vec((4_usize..4671, any::<u8>()), 0..6),
        cut in 0_usize..100,
    ) {
        let mut bytes = std::fs::read(people()).unwrap();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - if cut < 50 { 0 } else { cut });
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let _ = read(file.path(), &["name", "birth_date", "seen", "income"]);
    }
}
