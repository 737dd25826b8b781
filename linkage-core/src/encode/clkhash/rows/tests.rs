use proptest::prelude::*;

use super::*;

/// The rows of a file without header, and the faults.
fn read(text: &[u8], columns: usize) -> (Vec<(u64, Vec<String>)>, Vec<String>) {
    let mut reader = Reader::new(text, Header::Absent, &[]).unwrap();
    let mut rows = Rows::new(columns);
    let (mut found, mut faults) = (vec![], vec![]);
    while reader.read(&mut rows).unwrap() {
        found.extend(rows.iter_from(0).map(|row| {
            let values = (0..columns).map(|at| row.value(at).to_owned());
            (row.number(), values.collect())
        }));
        faults.extend(rows.faults().first().iter().map(ToString::to_string));
    }
    (found, faults)
}

#[test]
fn rows_that_are_not_whole_are_told_with_their_number() {
    let (rows, faults) = read(b"a,b\n\nc\nd,e,f\n\xff,g\nh,\"i\nj,k", 2);
    assert_eq!(rows, [(1, vec!["a".to_owned(), "b".to_owned()])]);
    let words = [
        "row 2 is blank; remove the line",
        "row 3 has 1 fields, the schema has 2 features",
        "row 4 has 3 fields, the schema has 2 features",
        "row 5 is not UTF-8 text",
        "row 6 opens a quotation mark that is not closed",
    ];
    assert_eq!(faults.len(), words.len());
    for (fault, words) in faults.iter().zip(words) {
        assert!(fault.starts_with(words), "{fault}");
    }
}

#[test]
fn headers_are_checked_ignored_or_absent() {
    let open = |text: &'static str, header| {
        let reader = Reader::new(text.as_bytes(), header, &["a", "b"])?;
        Ok::<_, Error>(reader)
    };
    let count = |text, header| {
        let mut rows = Rows::new(2);
        open(text, header).unwrap().read(&mut rows).unwrap();
        rows.len()
    };
    assert_eq!(count("\u{feff}a,b\nx,y\n", Header::Checked), 1);
    assert_eq!(count("\u{feff}\"a\",b\r\nx,y", Header::Checked), 1);
    assert_eq!(count("a,b", Header::Checked), 0);
    assert_eq!(count("q\nx,y\n", Header::Ignored), 1);
    assert_eq!(count("x,y\nz,w\n", Header::Absent), 2);
    let refused = |text, header| open(text, header).err().unwrap().to_string();
    let message = refused("a,Smith\nx,y\n", Header::Checked);
    assert!(message.starts_with("column 2 of the header is not named \"b\""));
    assert!(!message.contains("Smith"));
    assert!(refused("a, b\n", Header::Checked).contains("column 2"));
    assert!(refused("a\n", Header::Checked).contains("has 1 columns"));
    assert!(refused("", Header::Checked).contains("empty"));
    assert!(refused("", Header::Ignored).contains("empty"));
    assert!(refused("a,\"b\n", Header::Checked).contains("the header"));
}

#[test]
fn a_row_without_end_is_not_read_into_memory() {
    let endless = std::io::BufReader::new(std::io::repeat(b'x'));
    let mut reader = Reader::new(endless, Header::Absent, &[]).unwrap();
    let error = reader.read(&mut Rows::new(1)).unwrap_err();
    assert!(matches!(error, Error::TooLong { row: 1 }), "{error}");
}

#[test]
fn long_files_come_in_batches_without_losing_a_row() {
    let text: String = (0..100_000)
        .map(|row| format!("{row},\"{row}\"\n"))
        .collect();
    let (rows, faults) = read(text.as_bytes(), 2);
    assert!(faults.is_empty());
    assert_eq!(rows.len(), 100_000);
    for (at, (number, values)) in (0_u64..).zip(&rows) {
        assert_eq!(*number, at + 1);
        assert_eq!(*values, [at.to_string(), at.to_string()]);
    }
}

#[test]
fn the_first_faults_are_told_and_all_are_counted() {
    let fault = |row| Fault {
        row,
        column: None,
        reason: Reason::Blank,
    };
    let mut late = Faults::default();
    (30..60).for_each(|row| late.push(fault(row)));
    let mut early = Faults::default();
    (1..5).for_each(|row| early.push(fault(row)));
    let all = late.and(early);
    assert_eq!(all.count(), 34);
    let rows: Vec<u64> = all.first().iter().map(|fault| fault.row).collect();
    assert_eq!(rows, (1..5).chain(30..46).collect::<Vec<_>>());
    assert!(all.to_string().ends_with("\n  and 14 more"));
}

/// Gives one byte at a time.
struct Trickle<'a>(&'a [u8]);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (Some(to), Some((byte, rest))) = (buffer.first_mut(), self.0.split_first()) else {
            return Ok(0);
        };
        (*to, self.0) = (*byte, rest);
        Ok(1)
    }
}

proptest! {
    #[test]
    fn what_is_written_as_csv_is_read_again(
        table in proptest::collection::vec(proptest::collection::vec("[a\",\n\ré ]{0,6}", 3), 0..9),
    ) {
        let mut csv = csv::Writer::from_writer(vec![]);
        for row in &table {
            csv.write_record(row).unwrap();
        }
        let (rows, faults) = read(&csv.into_inner().unwrap(), 3);
        prop_assert!(faults.is_empty());
        let values: Vec<Vec<String>> = rows.into_iter().map(|(_, values)| values).collect();
        prop_assert_eq!(values, table);
    }

    #[test]
    fn any_bytes_are_rows_or_faults_however_they_arrive(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..80),
    ) {
        let whole = read(&bytes, 2);
        let trickle = std::io::BufReader::with_capacity(1, Trickle(&bytes));
        let mut reader = Reader::new(trickle, Header::Absent, &[]).unwrap();
        let mut rows = Rows::new(2);
        reader.read(&mut rows).unwrap();
        prop_assert_eq!(rows.len(), whole.0.len());
        prop_assert_eq!(rows.faults().first().len(), whole.1.len());
    }
}
