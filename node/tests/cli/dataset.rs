//! `linkage dataset check` and `linkage schema preview`: what is shown of a source and what is not.

use serde_json::Value;

use super::{Bench, HEADER, SECRET, row};

fn source(rows: usize) -> String {
    let rows: String = (0..rows).map(|n| row(&n.to_string())).collect();
    format!("{HEADER}{rows}short,row\n")
}

#[test]
fn a_check_gives_counts_and_no_value() {
    let bench = Bench::new();
    bench.write("a.csv", source(30));
    let check = ["dataset", "check", "a.csv", "--schema", "p.toml"];
    let html = [&check[..], &["--html", "a.html"]].concat();
    let shown = bench.ok(&html);
    for word in [
        "30 usable records; CSV, UTF-8",
        "1 row rejected: ragged-row",
        "link key",
        "same as another's",
    ] {
        assert!(shown.out.contains(word), "{word}: {}", shown.out);
    }
    let page = bench.read("a.html");
    assert!(page.contains("数据质量") && page.contains("Usable records"));
    assert!(page.contains("&lt; 5") || page.contains("&#60; 5"));
    for text in [&shown.out, &shown.err, &page] {
        assert!(!text.contains(SECRET), "{text}");
    }
    // No script, nothing from elsewhere.
    for word in ["<script", "http:", "https:", "src="] {
        assert!(
            !page
                .replace("http://www.w3.org/2000/svg", "")
                .contains(word),
            "{word}"
        );
    }
    bench.refused(&html, &["exists"]);
    bench.ok(&[&html[..], &["--force"]].concat());

    let json = bench.ok(&[&check[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["rows"], 30);
    assert_eq!(json["rejected"]["ragged-row"], 1);
    assert_eq!(json["format"]["encoding"], "UTF-8");
    assert_eq!(json["fields"][0]["scripts"]["han"], 30);
    bench.refused(
        &["dataset", "check", "no.csv", "--schema", "p.toml"],
        &["does not exist"],
    );
}

#[test]
fn a_preview_is_for_a_screen_only() {
    let bench = Bench::new();
    bench.write("a.csv", source(30));
    let preview = ["schema", "preview", "--schema", "p.toml", "a.csv"];
    bench.refused(&preview, &["no terminal", "--even-if-not-a-terminal"]);
    let anyway = [&preview[..], &["--even-if-not-a-terminal", "--rows", "2"]].concat();
    bench.refused(&[&anyway[..], &["--json"]].concat(), &["no --json"]);
    let before = bench.names();
    let shown = bench.ok(&anyway);
    assert!(shown.err.contains("raw values of real people"));
    assert!(shown.out.contains("Row 2, record 0") && shown.out.contains("Row 3, record 1"));
    assert!(!shown.out.contains("Row 4"));
    assert!(
        shown.out.contains(SECRET) && shown.out.contains("valid"),
        "{}",
        shown.out
    );
    assert_eq!(bench.names(), before);
}

#[test]
fn the_code_page_is_named_and_bytes_that_are_none_of_its_are_counted() {
    let bench = Bench::new();
    let text = source(40);
    let mut bytes = encoding_rs::GB18030.encode(&text).0.into_owned();
    // A byte that begins no character, and a four-byte code beyond the last.
    bytes.extend_from_slice(b"x,\xff,,,,,\ny,\xe3\x32\x9a\x36,,,,,\n");
    bench.write("a.csv", &bytes);
    let check = [
        "dataset", "check", "a.csv", "--schema", "p.toml", "--html", "a.html",
    ];
    let shown = bench.ok(&check);
    for words in [
        "40 usable records; CSV, GB 18030",
        "2 rows rejected: bad-encoding",
    ] {
        assert!(shown.out.contains(words), "{words}: {}", shown.out);
    }
    assert!(bench.read("a.html").contains("CSV, GB 18030"));
    bench.encode("a.csv", "a.tokens");
    let rejects = std::fs::read(bench.path("a.rejects.csv")).unwrap();
    let rejects = String::from_utf8_lossy(&rejects);
    for words in [
        "43,name,a value is not valid GB 18030",
        "44,name,a value is not valid GB 18030",
    ] {
        assert!(rejects.contains(words), "{words}: {rejects}");
    }
}

#[test]
fn a_sheet_is_a_source_like_any_other() {
    let bench = Bench::new();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for name in ["people.xlsx", "locked.xlsx"] {
        std::fs::copy(data.join(name), bench.path(name)).unwrap();
    }
    let kinds = [
        ("name", "name"),
        ("birth_date", "date"),
        ("id_number", "document"),
    ];
    let fields = kinds.map(|(name, kind)| {
        format!(
            "[[field]]\nname = \"{name}\"\nkind = \"{kind}\"\n\
             feature = [{{ kind = \"whole\", bits = 9 }}]\n"
        )
    });
    bench.write(
        "x.toml",
        format!(
            "version = 1\nentity = \"persons\"\nid_column = \"record_id\"\n\
             [token]\nprofile = \"plain-clk\"\n{}",
            fields.concat()
        ),
    );
    let check = [
        "--json",
        "dataset",
        "check",
        "people.xlsx",
        "--schema",
        "x.toml",
    ];
    let found: Value = serde_json::from_str(&bench.ok(&check).out).unwrap();
    assert_eq!(found["format"]["name"], "XLSX");
    assert_eq!(
        (&found["rows"], &found["rejected"]["bad-cell"]),
        (&3.into(), &2.into())
    );
    // Two of the three numbers were cut to 15 digits, and the normaliser says so.
    let number = &found["fields"][2]["counts"]["findings"];
    assert_eq!(number["truncated-by-spreadsheet"], 2, "{number}");
    let preview = [
        "schema",
        "preview",
        "people.xlsx",
        "--sheet",
        "名单",
        "--schema",
        "x.toml",
    ];
    let preview = bench.ok(&[&preview[..], &["--even-if-not-a-terminal"]].concat());
    assert!(preview.out.contains("Row 4, record 1001") && preview.out.contains("名单!C8 holds"));
    for (args, words) in [
        (["locked.xlsx", "--sheet", "x"], "locked with a password"),
        (["people.xlsx", "--sheet", "x"], "there is no such sheet"),
        (["x.toml", "--sheet", "x"], "--sheet belongs to a workbook"),
    ] {
        let check = [&["dataset", "check"], &args[..], &["--schema", "x.toml"]].concat();
        bench.refused(&check, &[words]);
    }
}
