//! `linkage match` and `linkage evaluate`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{Bench, SECRET, json};

#[test]
fn two_files_become_links_and_the_links_are_right() {
    let bench = Bench::with_tokens();
    for private in ["project.key", "health.tokens", "health.ids.csv"] {
        let mode = bench.path(private).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    let matched = bench.ok(&[
        "match",
        "health.tokens",
        "credit.tokens",
        "--schema",
        "p.toml",
        "--out",
        "result",
    ]);
    for word in ["health - credit", "record id", "threshold", "precision"] {
        assert!(matched.out.contains(word), "{word}: {}", matched.out);
    }
    let links = bench.read("result/links.csv");
    assert!(links.starts_with("dataset_a,record_a,dataset_b,record_b,agreement,link_key\n"));
    assert!(links.contains(",id_number\n"));
    assert_eq!(bench.read("result/clusters.csv").lines().count(), 601);
    let page = bench.read("result/index.html");
    assert!(page.contains("health") && page.contains("</html>"));
    let report: Value = serde_json::from_str(&bench.read("result/report.json")).unwrap();
    assert_eq!(report["rounds"][0]["pairs"][0]["owners"][1], "credit");

    let evaluated = bench.ok(&[
        "evaluate",
        "result/links.csv",
        "--truth",
        "data/truth.csv",
        "--json",
    ]);
    let quality = json(&evaluated);
    assert_eq!(quality["left_out"][0], "social-security");
    assert_eq!(quality["pairs"].as_array().unwrap().len(), 1);
    let found = quality["overall"]["found"].as_u64().unwrap();
    assert_eq!(found, links.lines().count() as u64 - 1);
    assert!(
        quality["overall"]["f1"].as_f64().unwrap() > 0.93,
        "{quality}"
    );
    let text = bench.ok(&["evaluate", "result/links.csv", "--truth", "data/truth.csv"]);
    assert!(text.out.contains("Left out") && text.out.contains("precision"));
}

#[test]
fn beyond_memory_the_result_is_the_same() {
    let bench = Bench::with_tokens();
    // The template compares by keys whatever the size.
    assert!(bench.read("p.toml").contains("all_pairs_max = 0"));
    let command = [
        "match",
        "health.tokens",
        "credit.tokens",
        "--schema",
        "p.toml",
    ];
    let on_disk = ["--memory", "64MiB", "--work-dir", "work"];
    let results = [("memory", &[][..]), ("disk", &on_disk), ("again", &on_disk)];
    for (out, more) in results {
        bench.ok(&[&command[..], &["--out", out], more].concat());
    }
    for file in ["links.csv", "clusters.csv"] {
        let expected = bench.read(&format!("memory/{file}"));
        assert!(expected.lines().count() > 100);
        assert_eq!(bench.read(&format!("disk/{file}")), expected);
        assert_eq!(bench.read(&format!("again/{file}")), expected);
    }
    let work = fs::read_dir(bench.path("work")).unwrap();
    let mut left: Vec<_> = work.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["credit.store", "health.store"]);
    let mode = bench.path("work").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    let refused = |more: &[&str], words: &[&str]| {
        bench.refused(&[&command[..], &["--out", "none"], more].concat(), words);
    };
    refused(&["--memory", "64MiB"], &["--work-dir"]);
    refused(&["--memory", "lots", "--work-dir", "work"], &["KiB"]);
    refused(&["--memory", "1MiB", "--work-dir", "work"], &["too few"]);
    bench.write("health.tokens", "none");
    refused(&on_disk, &["health.tokens is not a usable token file"]);
}

#[test]
fn without_ids_records_are_rows_and_clusters_stay_the_same() {
    let bench = Bench::with_tokens();
    bench.encode("data/social-security.csv", "social.tokens");
    let args = ["match", "health.tokens", "credit.tokens", "social.tokens"];
    bench.ok(&[&args[..], &["--out", "ids"]].concat());
    let ids: Vec<String> = bench
        .read("health.ids.csv")
        .lines()
        .map(str::to_owned)
        .collect();
    fs::remove_file(bench.path("health.ids.csv")).unwrap();
    let matched = bench.ok(&[&args[..], &["--out", "rows"]].concat());
    assert!(matched.out.contains("row (no .ids.csv beside it)"));
    // Without a schema a rule is named by its number.
    assert!(bench.read("rows/links.csv").contains(",1\n"));
    let (by_id, by_row) = (
        bench.read("ids/clusters.csv"),
        bench.read("rows/clusters.csv"),
    );
    let mut healthy = 0;
    for (x, y) in by_id.lines().zip(by_row.lines()).skip(1) {
        let (x, y): (Vec<_>, Vec<_>) = (x.split(',').collect(), y.split(',').collect());
        assert_eq!(x[..2], y[..2]);
        if x[1] == "health" {
            healthy += 1;
            assert_eq!(
                ids[y[2].parse::<usize>().unwrap()],
                format!("{},{}", y[2], x[2])
            );
        } else {
            assert_eq!(x[2], y[2]);
        }
    }
    assert_eq!(healthy, 300);
    let pairs = json(&bench.ok(&[&args[..], &["--out", "json", "--json"]].concat()));
    assert_eq!(pairs["pairs"].as_array().unwrap().len(), 3);
}

#[test]
fn token_files_that_do_not_fit_are_refused() {
    let bench = Bench::with_tokens();
    let matching = |a: &str, b: &str, words: &[&str]| {
        bench.refused(&["match", a, b, "--out", "result"], words);
    };
    let tokens = fs::read(bench.path("health.tokens")).unwrap();
    bench.write("cut.tokens", &tokens[..tokens.len() - 100]);
    matching(
        "cut.tokens",
        "credit.tokens",
        &["cut.tokens", "it was cut or extended"],
    );
    bench.write("head.tokens", &tokens[..50]);
    matching(
        "head.tokens",
        "credit.tokens",
        &["head.tokens", "too short"],
    );
    let mut flipped = tokens.clone();
    flipped[5000] ^= 1;
    bench.write("flipped.tokens", &flipped);
    matching(
        "flipped.tokens",
        "credit.tokens",
        &["flipped.tokens", "changed or damaged"],
    );
    matching(
        "data/health.csv",
        "credit.tokens",
        &["no batch of encoded records"],
    );
    matching(
        "none.tokens",
        "credit.tokens",
        &["none.tokens cannot be read"],
    );
    matching(
        "data",
        "credit.tokens",
        &["data cannot be read", "directory"],
    );
    matching(
        "credit.tokens",
        "credit.tokens",
        &["both the data set \"credit\""],
    );
    bench.refused(
        &["match", "credit.tokens", "--out", "result"],
        &["credit.tokens is alone"],
    );

    bench.ok(&["key", "generate", "--out", "other.key"]);
    bench.ok(&[
        "encode",
        "data/health.csv",
        "--schema",
        "p.toml",
        "--key",
        "other.key",
        "--out",
        "k.tokens",
    ]);
    matching(
        "k.tokens",
        "credit.tokens",
        &["k.tokens (key ", "their keys differ", "the same key"],
    );
    let other = bench.read("p.toml").replacen("bits = 20 ", "bits = 30 ", 1);
    bench.write("s.toml", other);
    bench.ok(&[
        "encode",
        "data/health.csv",
        "--schema",
        "s.toml",
        "--key",
        "project.key",
        "--out",
        "s.tokens",
    ]);
    matching("s.tokens", "credit.tokens", &["their schemas differ"]);
    bench.refused(
        &[
            "match",
            "health.tokens",
            "credit.tokens",
            "--schema",
            "s.toml",
            "--out",
            "result",
        ],
        &[
            "s.toml has the fingerprint ",
            "health.tokens was encoded under ",
        ],
    );
    // Ids of other tokens: of another number, or in another order.
    fs::copy(bench.path("health.ids.csv"), bench.path("old.ids.csv")).unwrap();
    let ids = bench.read("old.ids.csv");
    bench.write(
        "health.ids.csv",
        ids.lines().take(100).collect::<Vec<_>>().join("\n"),
    );
    matching(
        "health.tokens",
        "credit.tokens",
        &["it has 99 rows, the tokens 300"],
    );
    bench.write("health.ids.csv", ids.replacen("\n2,", "\n3,", 1));
    matching(
        "health.tokens",
        "credit.tokens",
        &["line 3 is not of row 2"],
    );
}

#[test]
fn one_file_is_searched_for_duplicates_if_the_schema_says_so() {
    let bench = Bench::with_tokens();
    bench.refused(
        &["match", "health.tokens", "--out", "result"],
        &["health.tokens is alone", "records_per_owner"],
    );
    let schema = bench.read("p.toml");
    let any = "[decide]\nrecords_per_owner = \"any\"\n\n[[field]]";
    bench.write("p.toml", schema.replacen("[[field]]", any, 1));
    // Everyone twice.
    let people = bench.read("data/health.csv");
    let (head, rows) = people.split_once('\n').unwrap();
    let again = rows.lines().map(|row| format!("again-{row}\n"));
    let twice = format!("{head}\n{rows}{}", again.collect::<String>());
    bench.write("data/twice.csv", &twice);
    bench.encode("data/twice.csv", "twice.tokens");
    let matched = bench.ok(&[
        "match",
        "twice.tokens",
        "--schema",
        "p.toml",
        "--out",
        "result",
    ]);
    assert!(matched.out.contains("twice - twice"), "{}", matched.out);
    let ids: Vec<&str> = rows
        .lines()
        .filter_map(|row| row.split(',').next())
        .collect();
    let truth = ids.iter().flat_map(|id| {
        [
            format!("twice,{id},{id}\n"),
            format!("twice,again-{id},{id}\n"),
        ]
    });
    let truth: String = truth.collect();
    bench.write("truth.csv", format!("dataset,record_id,entity_id\n{truth}"));
    let evaluated = bench.ok(&[
        "evaluate",
        "result/links.csv",
        "--truth",
        "truth.csv",
        "--json",
    ]);
    let quality = json(&evaluated);
    assert_eq!(quality["overall"]["true_pairs"], ids.len() as u64);
    assert!(
        quality["overall"]["recall"].as_f64().unwrap() > 0.99,
        "{quality}"
    );
}

#[test]
fn evaluation_counts_and_refuses() {
    let bench = Bench::new();
    bench.write(
        "truth.csv",
        "dataset,record_id,entity_id\na,1,x\na,2,y\na,3,\nb,1,y\nb,2,x\nb,9,z\nc,1,x\n",
    );
    let head = "dataset_a,record_a,dataset_b,record_b\n";
    // One right, once in either order; one wrong; one of an unknown entity.
    bench.write(
        "links.csv",
        format!("{head}a,1,b,2\nb,2,a,1\na,2,b,9\na,3,b,1\n"),
    );
    let evaluate = ["evaluate", "links.csv", "--truth", "truth.csv"];
    let result = json(&bench.ok(&[&evaluate[..], &["--json"]].concat()));
    let counts = |at: &str| result["overall"][at].as_u64().unwrap();
    assert_eq!(
        (counts("true_pairs"), counts("found"), counts("correct")),
        (2, 3, 1)
    );
    assert_eq!(result["left_out"][0], "c");
    assert!(bench.ok(&evaluate).out.contains("40.00 %"));

    // Within a data set: nothing is right in a, and b has no pair of equals.
    bench.write("links.csv", format!("{head}a,1,a,2\na,1,a,1\na,1,b,2\n"));
    let result = json(&bench.ok(&[&evaluate[..], &["--json"]].concat()));
    assert_eq!(result["pairs"].as_array().unwrap().len(), 3);
    assert_eq!(result["overall"]["found"], 2);
    assert_eq!(result["overall"]["correct"], 1);

    let refused = |links: &str, words: &[&str]| {
        bench.write("links.csv", links);
        bench.refused(&evaluate, words);
    };
    refused(
        &format!("{head}a,1,d,2\n"),
        &["row 2", "data set \"d\" is not in truth.csv", "a, b, c"],
    );
    refused(
        &format!("{head}a,1,b,2\na,{SECRET},b,7\na,{SECRET},b,1\n"),
        &[
            "2 records are not in truth.csv",
            "first in row 3 (data set \"a\")",
        ],
    );
    refused(
        "dataset_a,record_a,dataset_b\n",
        &["row 1: no column \"record_b\""],
    );
    refused(
        &format!("{head}a,1\n"),
        &["row 2: 2 values, the header names 4"],
    );
    bench.write("links.csv", format!("{head}a,1,b,2\n"));
    bench.write("truth.csv", "dataset,record_id,entity_id\na,1,x\na,1,y\n");
    bench.refused(&evaluate, &["truth.csv, row 3", "before, in row 2"]);
    bench.write("truth.csv", "dataset,record_id\n");
    bench.refused(&evaluate, &["no column \"entity_id\""]);
    bench.write("truth.csv", "dataset,record_id,entity_id\n");
    bench.refused(&evaluate, &["names no record"]);
}
