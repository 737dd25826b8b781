//! `linkage match --standing` and `linkage match plan`.

use std::fs;

use super::{Bench, json};

const MATCH: [&str; 5] = [
    "match",
    "health.tokens",
    "credit.tokens",
    "--schema",
    "p.toml",
];

/// Leaves out some rows of a data set, changes some and repeats none: what a month brings.
fn changed(text: &str) -> String {
    let (heading, rows) = text.split_once('\n').unwrap();
    let rows = rows.lines().enumerate().filter(|(row, _)| row % 40 != 7);
    let rows = rows.map(|(row, line)| match row % 50 {
        // Another id is no change of the record: ids are not linked by.
        3 => line.replacen(',', "1,", 1),
        // Another year of birth, or whatever else has these digits.
        4 => line.replace("19", "18"),
        _ => line.to_owned(),
    });
    let rows: Vec<String> = rows.collect();
    format!("{heading}\n{}\n", rows.join("\n"))
}

#[test]
fn a_standing_run_is_a_full_run() {
    let bench = Bench::with_tokens();
    let standing = |out: &str| {
        let more = ["--out", out, "--standing", "standing", "--json"];
        json(&bench.ok(&[&MATCH[..], &more].concat()))
    };
    let full = |out: &str| bench.ok(&[&MATCH[..], &["--out", out]].concat());
    let same = |one: &str, other: &str| {
        for file in ["links.csv", "clusters.csv"] {
            let expected = bench.read(&format!("{one}/{file}"));
            assert!(expected.lines().count() > 100);
            assert_eq!(bench.read(&format!("{other}/{file}")), expected, "{file}");
        }
    };
    let first = standing("first");
    full("full");
    same("full", "first");
    assert_eq!(first["standing"]["searches"][0]["search"], "full");
    assert!(first["standing"]["datasets"][0]["new"].is_null());

    let health = bench.read("data/health.csv");
    bench.write("data/health.csv", changed(&health));
    for made in ["health.tokens", "health.ids.csv"] {
        fs::remove_file(bench.path(made)).unwrap();
    }
    bench.encode("data/health.csv", "health.tokens");
    let second = standing("second");
    full("full2");
    same("full2", "second");
    assert_ne!(bench.read("full/links.csv"), bench.read("full2/links.csv"));
    let gone = second["standing"]["datasets"][0]["gone"].as_u64().unwrap();
    let new = second["standing"]["datasets"][0]["new"].as_u64().unwrap();
    assert!((1..150).contains(&new) && new < gone, "{second}");
    assert_eq!(second["standing"]["datasets"][1]["gone"], 0);
    for search in second["standing"]["searches"].as_array().unwrap() {
        assert_eq!(search["search"], "updated", "{second}");
    }

    // Nothing new, in words; the tokens of one run only are kept.
    let again = ["--out", "third", "--standing", "standing"];
    let third = bench.ok(&[&MATCH[..], &again].concat());
    same("full2", "third");
    assert!(
        third.out.contains("3 of 3 searches brought up to date"),
        "{}",
        third.out
    );
    let kept = fs::read_dir(bench.path("standing")).unwrap();
    let mut kept: Vec<_> = kept.map(|entry| entry.unwrap().file_name()).collect();
    kept.sort();
    assert_eq!(kept, ["lock", "run-3", "standing.json"]);

    // Other settings: nothing that stood can be taken over, and the reason is said.
    let schema = bench.read("p.toml");
    bench.write(
        "other.toml",
        schema.replace("[candidates]", "[candidates]\nblock_pairs_max = 999999"),
    );
    let other = [
        "match",
        "health.tokens",
        "credit.tokens",
        "--schema",
        "other.toml",
    ];
    let refused = ["--out", "none", "--standing", "standing"];
    let tried = bench.run(&[&other[..], &refused].concat());
    assert!(
        tried.code == 2 || tried.out.contains("nothing stood"),
        "{}",
        tried.out
    );
}

#[test]
fn a_standing_folder_that_cannot_be_used_is_refused() {
    let bench = Bench::with_tokens();
    let command = [&MATCH[..], &["--out", "none", "--standing", "standing"]].concat();
    let both = [&command[..], &["--memory", "64MiB", "--work-dir", "work"]].concat();
    bench.refused(&both, &["cannot be used with"]);
    fs::create_dir(bench.path("standing")).unwrap();
    bench.write("standing/standing.json", "{}");
    let refused = bench.run(&command);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("standing.json was changed or damaged"),
        "{}",
        refused.err
    );
    assert!(!bench.path("none").exists());
}

#[test]
fn with_the_truth_the_report_counts() {
    let bench = Bench::with_tokens();
    let command = [&MATCH[..], &["--truth", "data/truth.csv"]].concat();
    let found = json(&bench.ok(&[&command[..], &["--out", "one", "--json"]].concat()));
    let pair = &found["pairs"][0];
    let (right, all) = (
        &pair["measured"]["correct"],
        &pair["measured"]["true_pairs"],
    );
    let (right, all) = (right.as_u64().unwrap(), all.as_u64().unwrap());
    let completeness = pair["pair_completeness"].as_f64().unwrap();
    // What is linked was a candidate.
    assert!(right > 100 && completeness <= 1.0 && completeness >= right as f64 / all as f64);
    let text = bench.ok(&[&command[..], &["--out", "two"]].concat()).out;
    assert!(text.contains("pair completeness") && text.contains("against the truth"));
    assert!(bench.read("two/index.html").contains("Pair completeness"));
    let evaluated = [
        "evaluate",
        "two/links.csv",
        "--truth",
        "data/truth.csv",
        "--json",
    ];
    let evaluated = json(&bench.ok(&evaluated));
    assert_eq!(evaluated["pairs"][0]["quality"], pair["measured"]);

    bench.write("truth.csv", "dataset,record_id,entity_id\nhealth,1,x\n");
    let other = [&MATCH[..], &["--out", "three", "--truth", "truth.csv"]].concat();
    bench.refused(
        &other,
        &["truth.csv has no data set \"credit\"; it has: health"],
    );
}

#[test]
fn a_plan_says_what_would_be_done() {
    let bench = Bench::with_tokens();
    let plan = [
        "match",
        "plan",
        "health.tokens",
        "credit.tokens",
        "--schema",
        "p.toml",
    ];
    let text = bench.ok(&plan).out;
    for word in [
        "health (300 records) - credit (300 records): keys",
        "* keys",
        "all pairs",
        "more pairs than all_pairs_max allows",
        "90,000",
        "block key",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let data = json(&bench.ok(&[&plan[..], &["--json"]].concat()));
    let pair = &data["pairs"][0];
    assert_eq!(pair["datasets"][1], "credit");
    assert_eq!(pair["plan"]["method"], "keys");
    assert_eq!(pair["plan"]["options"][0]["pairs"], 90_000.0);

    bench.refused(&["match", "plan", "health.tokens"], &["2 values"]);
    bench.refused(
        &["match", "plan", "health.tokens", "none.tokens"],
        &["none.tokens"],
    );
    bench.refused(&["match", "health.tokens", "credit.tokens"], &["--out"]);
}
