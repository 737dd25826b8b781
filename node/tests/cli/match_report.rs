//! What `linkage match` says of its result: against the truth, and without giving small counts.

use std::fs;

use serde_json::Value;

use super::{Bench, json};

const MATCH: [&str; 7] = [
    "match",
    "health.tokens",
    "credit.tokens",
    "--schema",
    "p.toml",
    "--out",
    "result",
];

fn report(bench: &Bench) -> Value {
    serde_json::from_str(&bench.read("result/report.json")).unwrap()
}

#[test]
fn the_truth_is_counted_and_said_to_be() {
    let bench = Bench::with_tokens();
    let with_truth = [&MATCH[..], &["--truth", "data/truth.csv"]].concat();
    let text = bench.ok(&with_truth).out;
    for words in ["against the truth", "pair completeness"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let links = bench.read("result/links.csv");
    let result = json(&bench.ok(&[&with_truth[..], &["--force", "--json"]].concat()));
    let pair = &result["pairs"][0];
    let completeness = pair["pair_completeness"].as_f64().unwrap();
    assert!((0.9..=1.0).contains(&completeness), "{pair}");
    let evaluate = ["evaluate", "result/links.csv", "--truth", "data/truth.csv"];
    let evaluated = json(&bench.ok(&[&evaluate[..], &["--json"]].concat()));
    for rate in ["precision", "recall", "f1"] {
        assert_eq!(pair["measured"][rate], evaluated["overall"][rate], "{rate}");
    }
    // Linking does not look at the truth.
    bench.ok(&[&MATCH[..], &["--force"]].concat());
    assert_eq!(bench.read("result/links.csv"), links);
    let page = bench.read("result/index.html");
    assert!(page.contains("unknown without truth"));
    assert!(page.contains("The quality is estimated without truth."));
    assert!(report(&bench)["rounds"][0]["pairs"][0]["measured"].is_null());
    bench.ok(&[&with_truth[..], &["--force"]].concat());
    let page = bench.read("result/index.html");
    assert!(page.contains("Measured quality is counted against the truth"));
    // The lines are estimates still, and their caption says so.
    assert!(page.contains("Estimated F1 is"), "{page}");
    let shown = &report(&bench)["rounds"][0]["pairs"][0];
    assert_eq!(
        shown["candidates"]["pair_completeness"],
        pair["pair_completeness"]
    );
}

#[test]
fn a_truth_that_does_not_know_the_data_sets_is_refused() {
    let bench = Bench::with_tokens();
    bench.write(
        "other.csv",
        "dataset,record_id,entity_id\nhealth,1,x\ntax,1,x\n",
    );
    let args = [&MATCH[..], &["--truth", "other.csv"]].concat();
    bench.refused(&args, &["other.csv", "\"credit\"", "health, tax"]);
}

#[test]
fn few_links_are_not_counted_anywhere() {
    let bench = Bench::with_tokens();
    // Records of health and, of three of them, the same ones in the other data set.
    let all = bench.read("data/health.csv");
    let rows: Vec<&str> = all.lines().collect();
    let both = [rows[0], rows[1], rows[2], rows[3]].join("\n");
    bench.write("some.csv", format!("{}\n", rows[..200].join("\n")));
    bench.write("few.csv", format!("{both}\n"));
    bench.encode("some.csv", "some.tokens");
    bench.encode("few.csv", "few.tokens");
    let args = ["match", "some.tokens", "few.tokens", "--schema", "p.toml"];
    let args = [&args[..], &["--out", "result"]].concat();
    let text = bench.ok(&args).out;
    assert!(text.contains("< 5 of 2"), "{text}");
    let linked = bench.read("result/links.csv").lines().count() - 1;
    assert!((1..5).contains(&linked), "{linked}");

    let result = json(&bench.ok(&[&args[..], &["--force", "--json"]].concat()));
    assert_eq!(result["pairs"][0]["links"], "< 5");
    // The number of records is known: neither count may be computed from the other, or from a sum.
    assert_eq!(result["clusters"], "withheld");
    assert_eq!(result["clusters_by_size"][0], "withheld");
    assert_eq!(result["clusters_by_size"][1], "< 5");
    let shown = report(&bench);
    let round = &shown["rounds"][0];
    assert_eq!(round["clusters"][1]["count"], "< 5");
    assert_eq!(round["pairs"][0]["candidates"]["keyed"], "< 5");
    assert_eq!(round["pairs"][0]["estimated"]["found_links"], "< 5");
    let page = fs::read_to_string(bench.path("result/index.html")).unwrap();
    assert!(page.contains("share a link key; no threshold was needed"));
    assert!(page.contains("Counts from 1 to 4 of links, clusters, identity conflicts"));
}

#[test]
fn stages_have_their_cpu_time_and_memory() {
    let bench = Bench::with_tokens();
    bench.ok(&MATCH);
    let shown = report(&bench);
    let stages = shown["rounds"][0]["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 4);
    let mut peak = 0;
    for stage in stages {
        assert!(stage["cpu_seconds"].as_f64().unwrap() >= 0.0, "{stage}");
        let until_here = stage["memory_peak_bytes"].as_u64().unwrap();
        assert!(until_here >= peak && until_here > 1 << 20, "{stage}");
        peak = until_here;
    }
    let page = bench.read("result/index.html");
    assert!(page.contains("Peak memory until its end"));
}
