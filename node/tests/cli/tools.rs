//! `linkage schema`, `dev`, and the program's manners.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::{Bench, LINKAGE, json, ran};

#[test]
fn schemas_are_explained_or_refused_with_their_line() {
    let bench = Bench::new();
    for template in ["person-cn", "person-latin", "enterprise-cn"] {
        let text = bench.ok(&["schema", "template", template]).out;
        bench.write("t.toml", &text);
        let shown = bench.ok(&["schema", "check", "t.toml"]).out;
        assert!(shown.contains("Expected fill") && shown.contains("Link keys"));
        assert!(
            shown.lines().all(|line| line.chars().count() <= 100),
            "{shown}"
        );
        // The same schema as JSON has the same fingerprint.
        bench.write(
            "t.json",
            bench.ok(&["schema", "template", template, "--json"]).out,
        );
        let check =
            |file| json(&bench.ok(&["schema", "check", file, "--json"]))["fingerprint"].clone();
        assert_eq!(check("t.toml"), check("t.json"));
    }
    let good = bench.read("p.toml");
    bench.write(
        "bad.toml",
        good.replacen("kind = \"name\"", "kind = \"nome\"", 1),
    );
    bench.refused(
        &["schema", "check", "bad.toml"],
        &["bad.toml is refused", "line", "nome"],
    );
    let bad = good.replace("{ field = \"id_number\" }", "{ field = \"ssn\" }");
    bench.write("bad.toml", &bad);
    let line = bad.lines().position(|l| l.contains("\"ssn\"")).unwrap() + 1;
    bench.refused(
        &["schema", "check", "bad.toml"],
        &[&format!("line {line}: "), "\"ssn\", which is not declared"],
    );
    bench.refused(
        &["schema", "check", "none.toml"],
        &["none.toml", "caused by: "],
    );
    bench.refused(&["schema", "check", "."], &["cannot be read"]);
    bench.write("binary.toml", b"\xff\xff");
    bench.refused(&["schema", "check", "binary.toml"], &["not UTF-8"]);
    bench.refused(
        &["schema", "template", "person-xx"],
        &["person-cn, person-latin"],
    );
}

#[test]
fn certificates_are_issued_to_named_parties() {
    let bench = Bench::new();
    let pki = |parties: &[&'static str]| {
        [
            &["dev", "pki", "--out", "pki", "--trust-domain", "demo.test"],
            parties,
        ]
        .concat()
    };
    let issued = bench.ok(&pki(&["owner/health", "analyst/ann"]));
    assert!(issued.out.contains("spiffe://demo.test/owner/health"));
    let authority = bench.read("pki/ca.pem");
    // The same authority issues more.
    bench.ok(&pki(&["matcher/centre"]));
    assert_eq!(authority, bench.read("pki/matcher-centre/ca.pem"));
    let key = bench.path("pki/matcher-centre/key.pem");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    bench.refused(
        &pki(&["king/arthur"]),
        &["\"king\" is no role", "owner, matcher"],
    );
    bench.refused(&pki(&["health"]), &["expected <role>/<name>"]);
    bench.refused(
        &pki(&["owner/Health!"]),
        &["no identity can be made", "caused by: "],
    );
    bench.refused(
        &[
            "dev",
            "pki",
            "--out",
            "pki",
            "--trust-domain",
            "other.test",
            "owner/x",
        ],
        &["trust domain demo.test"],
    );
}

#[test]
fn equal_seeds_give_equal_data() {
    let bench = Bench::new();
    let generate = |out: &'static str, more: &[&'static str]| {
        let args = ["dev", "generate", "--records", "50", "--out", out];
        bench.ok(&[&args[..], more].concat());
        bench.read(&format!("{out}/health.csv"))
    };
    let first = generate("a", &["--seed", "3"]);
    assert_eq!(first, generate("b", &["--seed", "3"]));
    assert_ne!(first, generate("c", &["--seed", "4"]));
    assert_ne!(first, generate("d", &["--seed", "3", "--errors", "dirty"]));
    // A department does not depend on which others are asked for.
    let alone = generate("g", &["--seed", "3", "--departments", "tax,health"]);
    assert_eq!(first, alone);
    assert!(bench.path("g/tax.csv").exists() && !bench.path("g/credit.csv").exists());
    assert_eq!(bench.read("a/truth.csv").lines().count(), 151);
    assert!(
        bench
            .read("a/errors.csv")
            .starts_with("dataset,record_id,field,kind\n")
    );
    bench.refused(
        &["dev", "generate", "--records", "0", "--out", "e"],
        &["at least one person"],
    );
}

#[test]
fn overlap_is_exact_and_enterprises_have_their_columns() {
    let bench = Bench::new();
    let generate = |out: &'static str, more: &[&'static str]| {
        let args = ["dev", "generate", "--records", "40", "--out", out];
        bench.ok(&[&args[..], more].concat());
    };
    let sets = "social-security,health";
    generate("q", &["--common", "30", "--departments", sets]);
    let truth = bench.read("q/truth.csv");
    let mut entities: Vec<&str> = truth
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap())
        .collect();
    assert_eq!(entities.len(), 80);
    entities.sort_unstable();
    entities.dedup();
    assert_eq!(entities.len(), 50);

    generate("e", &["--entity", "enterprises", "--errors", "none"]);
    let market = bench.read("e/market.csv");
    assert!(market.starts_with("record_id,company_name,uscc,org_code,registration_number,"));
    assert_eq!(bench.read("e/errors.csv"), "dataset,record_id,field,kind\n");

    let refused = |more: &[&'static str], words: &[&str]| {
        let args = ["dev", "generate", "--records", "40", "--out", "r"];
        bench.refused(&[&args[..], more].concat(), words);
    };
    refused(&["--common", "41"], &["41 records in common", "40"]);
    refused(&["--departments", "customs"], &["\"customs\"", "health"]);
    refused(&["--oversample", "11"], &["rare groups"]);
    refused(&["--visits", "7"], &["1 to 6 visits"]);
}

#[test]
fn help_teaches_and_a_closed_pipe_is_no_failure() {
    let bench = Bench::new();
    let help = bench.ok(&["--help"]).out;
    assert!(help.contains("Exit codes:") && help.contains("linkage key generate"));
    for command in [
        "encode",
        "clkhash encode",
        "clkhash convert",
        "clkhash describe",
        "match",
        "evaluate",
        "key generate",
        "schema check",
        "schema template",
        "audit verify",
        "dev generate",
        "dev pki",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = bench.ok(&words).out;
        assert!(help.contains("Example:\n  linkage "), "{command}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
    bench.refused(&["encode"], &["Usage: linkage encode"]);
    bench.refused(&["frobnicate"], &["unrecognized subcommand"]);

    // A full disk is one.
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let full = ran(Command::new(LINKAGE)
        .args(["schema", "template", "person-cn"])
        .stdout(full));
    assert_eq!(full.code, 1);
    assert!(
        full.err.contains("standard output\n  caused by: "),
        "{}",
        full.err
    );

    let mut child = Command::new(LINKAGE)
        .args(["schema", "template", "person-cn"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
}
