use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Kept {
    encodings: Vec<Vec<u8>>,
    blocks: Vec<(u64, Vec<String>)>,
    full: bool,
}

impl Sink for Kept {
    fn encoding(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.encodings.push(bytes.to_vec());
        Ok(())
    }

    fn blocks(&mut self, row: u64, ids: &[String]) -> io::Result<()> {
        self.blocks.push((row, ids.to_vec()));
        Ok(())
    }
}

fn json(text: &str) -> Result<(Summary, Kept), Error> {
    let mut kept = Kept::default();
    let summary = read_json(text.as_bytes(), &mut kept)?;
    Ok((summary, kept))
}

fn raw(bytes: &[u8], size: usize, count: Option<u64>) -> Result<Kept, Error> {
    let mut kept = Kept::default();
    let summary = read_raw(bytes, size, count, &mut kept)?;
    assert_eq!(summary.count, kept.encodings.len() as u64);
    Ok(kept)
}

#[test]
fn all_layouts_are_read() {
    let (summary, kept) = json(r#" {"clks": ["AAE=", "\u0041gM="]} "#).unwrap();
    assert_eq!(kept.encodings, [[0, 1], [2, 3]]);
    assert_eq!((summary.count, summary.size), (2, 2));
    assert_eq!(summary.layout, Some(Layout::Clks));
    for text in [
        r#"{"encodings": ["AAE=", "AgM="], "blocks": {"1": ["x", "y"], "0": []}}"#,
        r#"{"blocks": {"1": ["x", "y"], "0": []}, "encodings": ["AAE=", "AgM="]}"#,
    ] {
        let (summary, kept) = json(text).unwrap();
        assert_eq!(kept.encodings, [[0, 1], [2, 3]]);
        assert_eq!(kept.blocks[0], (1, vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(summary.block_ids, 2);
        assert_eq!(summary.layout, Some(Layout::Encodings));
    }
    let (summary, kept) = json(r#"{"clknblocks": [["AAE=", "x"], ["AgM="]]}"#).unwrap();
    assert_eq!(kept.encodings, [[0, 1], [2, 3]]);
    assert_eq!(kept.blocks, [(0, vec!["x".to_owned()]), (1, vec![])]);
    assert_eq!(summary.layout, Some(Layout::ClkNBlocks));
    assert_eq!(json(r#"{"clks": []}"#).unwrap().0.size, 0);
}

#[test]
fn what_is_not_exactly_a_layout_is_refused() {
    for (text, words) in [
        ("", "EOF"),
        ("[]", "expected an object"),
        ("{}", "missing field `clks`"),
        (r#"{"clks": ["AAE="]"#, "EOF"),
        (r#"{"clks": ["AAE="]} x"#, "trailing characters"),
        (r#"{"clks": "AAE="}"#, "expected a list of encodings"),
        (r#"{"clks": [7]}"#, "expected an encoding in base64"),
        (r#"{"clks": [["AAE="]]}"#, "expected an encoding in base64"),
        (r#"{"clks": [], "clks": []}"#, "and again"),
        (r#"{"clks": [], "encodings": []}"#, "and again"),
        (
            r#"{"clks": [], "blocks": {}}"#,
            "goes with \"encodings\" only",
        ),
        (r#"{"clks": [], "CLKs": []}"#, "unknown field `CLKs`"),
        (
            r#"{"encodings": [], "blocks": {}, "blocks": {}}"#,
            "duplicate field `blocks`",
        ),
        (r#"{"blocks": {}}"#, "missing field"),
        (
            r#"{"clks": ["AAE"]}"#,
            "encoding 0 (counted from 0) is not canonical base64",
        ),
        (r#"{"clks": ["AAF="]}"#, "not canonical base64"),
        (r#"{"clks": ["AA\nE="]}"#, "not canonical base64"),
        (r#"{"clks": [""]}"#, "has 0 bytes"),
        (
            r#"{"clks": ["AAE=", "AAEC"]}"#,
            "encoding 1 (counted from 0) has 3 bytes",
        ),
        (
            r#"{"encodings": ["AAE="], "blocks": {"1": []}}"#,
            "blocks of row 1",
        ),
        (
            r#"{"encodings": ["AAE="], "blocks": {"00": []}}"#,
            "no row number",
        ),
        (
            r#"{"encodings": ["AAE="], "blocks": {"0": [7]}}"#,
            "expected a string",
        ),
        (
            r#"{"clknblocks": [[]]}"#,
            "a list of an encoding and its block ids",
        ),
        (r#"{"clknblocks": ["AAE="]}"#, "a list of an encoding"),
    ] {
        let Err(Error::Json(message)) = json(text) else {
            panic!("{text}");
        };
        assert!(message.contains(words), "{text}: {message}");
    }
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let long = format!("{{\"clks\": [\"{}", "A".repeat(3 << 20));
    let Err(Error::Json(message)) = json(&long) else {
        panic!("read");
    };
    assert!(message.contains("longer than 1048576 bytes"), "{message}");
    // Many elements are not one long one.
    let mut writer = JsonWriter::new(vec![]).unwrap();
    for _ in 0..20_000 {
        writer.push(&[7; 128]).unwrap();
    }
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert!(text.len() > 3 << 20);
    assert_eq!(json(&text).unwrap().0.count, 20_000);
}

#[test]
fn raw_encodings_are_whole_and_as_many_as_announced() {
    let bytes = [0, 1, 2, 3, 4, 5];
    assert_eq!(raw(&bytes, 2, None).unwrap().encodings.len(), 3);
    assert_eq!(raw(&bytes, 3, Some(2)).unwrap().encodings[1], [3, 4, 5]);
    let message = |size, count| raw(&bytes, size, count).err().unwrap().to_string();
    assert!(message(4, None).starts_with("2 bytes are left over after 1 encodings of 4 bytes"));
    assert!(message(2, Some(2)).starts_with("2 encodings were announced, and 3 or more"));
    assert!(message(2, Some(4)).starts_with("4 encodings were announced, and 3"));
    assert!(message(0, None).contains("not 0"));
    assert!(message(ENCODING_BYTES_MAX + 1, None).contains("1 to"));
}

#[test]
fn a_reader_stops_when_nobody_takes_the_encodings() {
    let mut full = Kept {
        full: true,
        ..Kept::default()
    };
    let read = read_json(r#"{"clks": ["AAE="]}"#.as_bytes(), &mut full);
    assert!(matches!(read, Err(Error::Write(_))));
    let read = read_raw([1].as_slice(), 1, None, &mut full);
    assert!(matches!(read, Err(Error::Write(_))));
}

#[test]
fn json_is_written_as_python_does() {
    let mut writer = JsonWriter::new(vec![]).unwrap();
    writer.push(&[0, 1]).unwrap();
    writer.push(&[2, 3]).unwrap();
    assert_eq!(writer.finish().unwrap(), br#"{"clks": ["AAE=", "AgM="]}"#);
}

fn encodings() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (1_usize..40).prop_flat_map(|size| vec(vec(any::<u8>(), size), 0..8))
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(encodings in encodings()) {
        let mut writer = JsonWriter::new(vec![]).unwrap();
        for encoding in &encodings {
            writer.push(encoding).unwrap();
        }
        let text = writer.finish().unwrap();
        let mut kept = Kept::default();
        read_json(&*text, &mut kept).unwrap();
        prop_assert_eq!(&kept.encodings, &encodings);
        if let Some(first) = encodings.first() {
            let count = Some(encodings.len() as u64);
            let kept = raw(&encodings.concat(), first.len(), count).unwrap();
            prop_assert_eq!(&kept.encodings, &encodings);
        }
    }

    #[test]
    fn any_text_is_encodings_or_an_error(text in "[\\[\\]{}\",: A=]{0,40}") {
        let _ = json(&text);
        let _ = json(&format!("{{\"clks\": {text}}}"));
        let _ = json(&format!("{{\"encodings\": [], \"blocks\": {text}}}"));
    }

    #[test]
    fn any_bytes_are_encodings_or_an_error(bytes in vec(any::<u8>(), 0..200), size in 0_usize..9) {
        let _ = read_json(&*bytes, &mut Kept::default());
        let _ = raw(&bytes, size, None);
    }
}
