use std::io::Write;

use encoding_rs::GB18030;
use proptest::prelude::*;

use super::*;

fn schema() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [[field]]
        name = "name"
        kind = "name"
        feature = [{ kind = "q-gram", q = 2, bits = 10 }]
        [[attribute]]
        name = "grade"
        values = ["A", "B"]
        "#,
    )
    .unwrap()
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

type Read = (
    Vec<(String, String)>,
    Vec<(u64, &'static str, Option<String>)>,
);

fn read(content: &[u8]) -> Read {
    let file = file(content);
    let mut source = Source::open(file.path(), &schema()).unwrap();
    let (mut rows, mut rejects) = (vec![], vec![]);
    let parser = source.parser();
    while let Some(block) = source.next_block().unwrap() {
        parser.rows(&block, &mut |row| match row {
            Ok(row) => rows.push((row.record.id.to_string(), row.record.values[0].to_string())),
            Err(reject) => rejects.push((reject.row, reject.reason.code(), reject.column)),
        });
    }
    (rows, rejects)
}

fn refusal(content: &[u8]) -> String {
    match Source::open(file(content).path(), &schema()) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn keeps_every_good_row_and_names_every_bad_one() {
    let (rows, rejects) = read(
        "\u{feff}id, name ,grade\r\n1,王小明,A\r\n2,\"bad,B\r\n3,李四\r\n\r\n4,\"赵, 六\",B\n,钱七,A\n5,周九,C"
            .as_bytes(),
    );
    let names: Vec<_> = rows
        .iter()
        .map(|(id, name)| (id.as_str(), name.as_str()))
        .collect();
    assert_eq!(names, [("1", "王小明"), ("4", "赵, 六"), ("5", "周九")]);
    assert_eq!(
        rejects,
        [
            (3, "bad-quoting", None),
            (4, "ragged-row", None),
            (7, "empty-id", Some("id".into())),
        ]
    );
}

#[test]
fn reads_gb_18030_and_names_the_column_of_a_bad_byte() {
    let text = "id,name,grade\n1,王小明,A\n2,䶮,B\n";
    let (gb, ..) = GB18030.encode(text);
    assert_eq!(
        read(&gb).0,
        [("1".into(), "王小明".into()), ("2".into(), "䶮".into())]
    );
    let mut mixed = b"id,name,grade\n".to_vec();
    for row in 0..30 {
        mixed.extend(format!("{row},王,A\n").bytes());
    }
    mixed.extend(b"99,\xff\xfe,A\n");
    let (rows, rejects) = read(&mixed);
    assert_eq!(rows.len(), 30);
    assert_eq!(rejects, [(32, "bad-encoding", Some("name".into()))]);
}

#[test]
fn refuses_files_with_what_to_do() {
    assert!(refusal(b"").contains("is empty"));
    assert!(refusal(b"\n\n").contains("is empty"));
    assert!(
        refusal(b"id,nom\n1,x\n").contains("row 1: no column \"name\"; there is: \"id\", \"nom\"")
    );
    assert!(refusal(b"id,name,id\n").contains("\"id\" occurs twice"));
    assert!(refusal(b"\xff\xfei\0d\0").contains("UTF-16"));
    assert!(refusal(b"PK\x03\x04...").contains("workbook is damaged"));
    let sheet = Source::open_sheet(file(b"id,name\n").path(), Some("A"), &schema());
    assert!(matches!(sheet, Err(Error::NoSheets(_))));
    let directory = tempfile::tempdir().unwrap();
    let message = match Source::open(directory.path(), &schema()) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    assert!(message.contains("is a directory"), "{message}");
    let missing = Source::open(Path::new("/nowhere/x.csv"), &schema());
    assert!(matches!(missing, Err(Error::Missing(_))));
}

#[test]
fn attributes_are_indices_into_the_declared_values() {
    let file = file(b"id,name,grade\n1,a,B\n2,b,Z\n");
    let mut source = Source::open(file.path(), &schema()).unwrap();
    let parser = source.parser();
    assert!(parser.has_attribute(0) && !parser.has_attribute(1));
    let block = source.next_block().unwrap().unwrap();
    let mut found = vec![];
    parser.rows(&block, &mut |row| {
        found.push(row.ok().unwrap().attributes.clone());
    });
    assert_eq!(found, [vec![Some(1)], vec![None]]);
    let reject = parser.reject(&block, 3, Reason::DuplicateId(2));
    assert_eq!((reject.row, reject.column.as_deref()), (3, Some("id")));
    assert_eq!(reject.line.as_slice(), b"2,b,Z");
}

proptest! {
    #[test]
    fn no_bytes_panic_and_no_row_is_lost(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut content = b"id,name,grade\n".to_vec();
        content.extend(&body);
        let file = file(&content);
        if let Ok(mut source) = Source::open(file.path(), &schema()) {
            let (mut seen, parser) = (0, source.parser());
            while let Some(block) = source.next_block().unwrap() {
                parser.rows(&block, &mut |_| seen += 1);
            }
            let lines = body.split(|b| *b == b'\n').filter(|l| !l.iter().all(u8::is_ascii_whitespace));
            prop_assert_eq!(seen, lines.count());
        }
    }
}
