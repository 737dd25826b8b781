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
