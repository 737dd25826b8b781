use std::io::Write as _;

use proptest::prelude::*;
use zip::write::SimpleFileOptions;

use super::super::{Parser, Source};
use super::*;

const FIELDS: [&str; 4] = ["name", "birth_date", "id_number", "mobile"];

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

type Read = (Vec<(u64, String)>, Vec<(u64, String, String)>);

/// Every usable row as its number and values, every other as number, column and reason.
fn rows(source: &mut Source) -> Result<Read, Error> {
    let (mut good, mut bad) = (vec![], vec![]);
    let parser: Parser = source.parser();
    while let Some(block) = source.next_block()? {
        parser.rows(&block, &mut |row| match row {
            Err(reject) => bad.push((
                reject.row,
                reject.column.unwrap_or_default(),
                reject.reason.to_string(),
            )),
            Ok(row) => {
                let values = row.record.values.iter().map(|value| value.as_str());
                let values: Vec<&str> = std::iter::once(row.record.id.as_str())
                    .chain(values)
                    .collect();
                good.push((row.number, values.join("|")));
            }
        });
    }
    Ok((good, bad))
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A workbook of these sheets, each the content of its `sheetData`; texts are shared by number.
fn workbook(sheets: &[(&str, &str)], texts: &[&str]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut zip = zip::ZipWriter::new(file.as_file_mut());
    let mut part = |name: &str, body: String| {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
            .unwrap();
        zip.write_all(body.as_bytes()).unwrap();
    };
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    part(
        "_rels/.rels",
        format!(
            "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" \
             Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        ),
    );
    let (mut names, mut targets) = (String::new(), String::new());
    for (at, (name, data)) in sheets.iter().enumerate() {
        names += &format!(
            "<sheet name=\"{name}\" sheetId=\"{0}\" r:id=\"s{0}\"/>",
            at + 1
        );
        targets += &format!(
            "<Relationship Id=\"s{0}\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet{0}.xml\"/>",
            at + 1
        );
        part(
            &format!("xl/worksheets/sheet{}.xml", at + 1),
            format!("<worksheet xmlns=\"{main}\"><sheetData>{data}</sheetData></worksheet>"),
        );
    }
    part(
        "xl/workbook.xml",
        format!(
            "<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets>{names}</sheets></workbook>"
        ),
    );
    part(
        "xl/_rels/workbook.xml.rels",
        format!("<Relationships xmlns=\"{package}\">{targets}</Relationships>"),
    );
    let texts = texts.iter().map(|text| format!("<si><t>{text}</t></si>"));
    part(
        "xl/sharedStrings.xml",
        format!("<sst xmlns=\"{main}\">{}</sst>", texts.collect::<String>()),
    );
    zip.finish().unwrap();
    file
}

const HEADER: &str =
    "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c></row>";
const TEXTS: [&str; 3] = ["record_id", "name", "王&amp;小明"];

fn refusal(path: &Path, sheet: Option<&str>) -> String {
    let opened = Source::open_sheet(path, sheet, &schema(&["name"]));
    let read = opened.and_then(|mut source| rows(&mut source));
    match read {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_workbook_of_another_writer_is_read_by_the_types_of_its_cells() {
    let mut source = Source::open(&data("people.xlsx"), &schema(&FIELDS)).unwrap();
    assert_eq!(source.format().name, "XLSX");
    let (good, bad) = rows(&mut source).unwrap();
    let expected = [
        (4, "1001|王小明|1980-01-01|440106198001010012|13812345678"),
        // Cut by the spreadsheet: 15 digits and an exponent, whatever the file made of the rest.
        (
            5,
            "1002|赵六|1985-03-07 08:30:00|4.40106198503071E+17|13812345679",
        ),
        (6, "1003|李四|19900102|4.40106E+17|"),
    ];
    assert_eq!(good, expected.map(|(row, values)| (row, values.to_owned())));
    let reason = |at: usize| (bad[at].0, bad[at].1.as_str(), bad[at].2.as_str());
    assert_eq!(
        reason(0),
        (
            8,
            "name",
            "cell 名单!C8 holds the error #N/A instead of a value"
        )
    );
    assert_eq!((bad[1].0, bad[1].1.as_str()), (9, "birth_date"));
    assert!(
        bad[1]
            .2
            .starts_with("cell 名单!D9 has a formula that was never computed")
    );
    // The empty row 7 and the formats of row 20 are no rows.
    assert_eq!(bad.len(), 2);

    let message = refusal(&data("people.xlsx"), Some("空"));
    assert!(
        message.ends_with("sheet \"空\": the sheet is empty; its first row must name the columns")
    );
    let message = refusal(&data("people.xlsx"), Some("x"));
    assert!(
        message.ends_with("there are: \"名单\", \"空\", \"旧\""),
        "{message}"
    );
    let message = refusal(&data("people.xlsx"), Some("旧"));
    assert!(
        message.contains("sheet \"旧\", row 1: no column \"record_id\""),
        "{message}"
    );
}

#[test]
fn texts_are_shared_and_rows_come_whole() {
    let row = "<row r=\"2\"><c r=\"A2\"><v>7</v></c><c r=\"B2\" t=\"s\"><v>2</v></c></row>";
    let file = workbook(&[("A", &format!("{HEADER}{row}"))], &TEXTS);
    let mut source = Source::open(file.path(), &schema(&["name"])).unwrap();
    let (good, bad) = rows(&mut source).unwrap();
    assert_eq!(good, [(2, "7|王&小明".to_owned())]);
    assert!(bad.is_empty());

    // More than a block, without any cell's name.
    let many: String = (0..5000)
        .map(|n| format!("<row><c><v>{n}</v></c><c t=\"s\"><v>2</v></c></row>"))
        .collect();
    let file = workbook(&[("A", &format!("{HEADER}{many}"))], &TEXTS);
    let mut source = Source::open(file.path(), &schema(&["name"])).unwrap();
    let total = source.total();
    let (mut numbers, mut read) = (vec![], 0);
    let parser = source.parser();
    while let Some(block) = source.next_block().unwrap() {
        assert!(block.read() >= read);
        read = block.read();
        parser.rows(&block, &mut |row| numbers.push(row.ok().unwrap().number));
    }
    assert!(numbers.iter().copied().eq(2..5002));
    assert_eq!(read, total);
}

#[test]
fn the_sheet_must_be_clear() {
    let two = [("first", HEADER), ("second", HEADER)];
    let file = workbook(&two, &TEXTS);
    let message = refusal(file.path(), None);
    assert!(message.contains("several sheets: \"first\", \"second\"; choose one with --sheet"));
    assert!(Source::open_sheet(file.path(), Some("second"), &schema(&["name"])).is_ok());
    let file = workbook(&[("first", ""), ("second", HEADER)], &TEXTS);
    assert!(Source::open(file.path(), &schema(&["name"])).is_ok());
    let file = workbook(&[("first", "")], &TEXTS);
    assert!(refusal(file.path(), None).contains("no sheet has a value"));
}

#[test]
fn locked_old_and_broken_files_are_refused_with_what_to_do() {
    let message = refusal(&data("locked.xlsx"), None);
    assert!(
        message.contains("locked with a password; open it"),
        "{message}"
    );

    let file = |content: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    };
    let mut old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    old.resize(4096, 0);
    assert!(refusal(file(&old).path(), None).contains("old workbook (XLS)"));

    let mut archive = tempfile::NamedTempFile::new().unwrap();
    let mut zip = zip::ZipWriter::new(archive.as_file_mut());
    zip.start_file("a.csv", SimpleFileOptions::default())
        .unwrap();
    zip.finish().unwrap();
    assert!(refusal(archive.path(), None).contains("holds no XLSX workbook"));

    let whole = std::fs::read(data("people.xlsx")).unwrap();
    let half = file(&whole[..whole.len() / 2]);
    assert!(refusal(half.path(), None).contains("workbook is damaged"));

    // What is wrong within the rows is named by row, and no value is.
    for bad in [
        "<c r=\"A3\" t=\"s\"><v>99</v></c></row>",
        "<c r=\"A3\" t=\"n\"><v>SECRET</v></c></row>",
        "<c r=\"A3\" t=\"b\"><v>SECRET</v></c></row>",
        "<c r=\"A3\" t=\"SECRET\"><v>1</v></c></row>",
        "<c r=\"SECRET\"><v>1</v></c></row>",
        "<c><v>SECRET",
        "</row><row r=\"2\"><c r=\"A2\"><v>1</v></c></row>",
    ] {
        let good = "<row r=\"2\"><c r=\"A2\"><v>1</v></c></row>";
        let data = format!("{HEADER}{good}<row r=\"3\"><c r=\"A3\"><v>2</v></c>{bad}");
        let message = refusal(workbook(&[("A", &data)], &TEXTS).path(), None);
        assert!(
            message.contains("sheet \"A\": the sheet is damaged in row 3 or after it"),
            "{bad}: {message}"
        );
        assert!(!message.contains("SECRET"));
    }
}

#[test]
fn columns_have_a_spreadsheets_letters() {
    for (column, name) in [
        (0, "A"),
        (25, "Z"),
        (26, "AA"),
        (701, "ZZ"),
        (702, "AAA"),
        (16_383, "XFD"),
    ] {
        assert_eq!(letters(column), name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a workbook's bytes: an error or rows, never the end of the program.
    #[test]
    fn no_bytes_panic(at in 0..6000_usize, byte in any::<u8>(), length in 0..12_430_usize) {
        let mut content = std::fs::read(data("people.xlsx")).unwrap();
        let size = content.len();
        content[at % size] = byte;
        content.truncate(length.max(4));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        let _ = Source::open(file.path(), &schema(&FIELDS)).and_then(|mut source| rows(&mut source));
    }

    /// Whatever its cells: every row once, with its number, good or set aside.
    #[test]
    fn no_row_is_lost(cells in prop::collection::vec(("[nsbed]|str|inlineStr", r"[0-9.eE#/NA!-]{0,6}"), 0..40)) {
        let cells: String = cells
            .iter()
            .map(|(kind, value)| format!("<row><c t=\"{kind}\"><v>{value}</v></c></row>"))
            .collect();
        let file = workbook(&[("A", &format!("{HEADER}{cells}"))], &TEXTS);
        // A cell that contradicts its type is the end of the sheet, before its first row already
        // when it is among those that are read to begin with; until then rows rise.
        let Ok(mut source) = Source::open(file.path(), &schema(&["name"])) else {
            return Ok(());
        };
        if let Ok((good, bad)) = rows(&mut source) {
            let mut numbers: Vec<u64> = good.iter().map(|row| row.0).collect();
            numbers.extend(bad.iter().map(|row| row.0));
            let before = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), before);
        }
    }
}
