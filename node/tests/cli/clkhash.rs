//! `linkage clkhash`: what the Python package makes, and what is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use super::{Bench, LINKAGE, Ran, SECRET, json, ran};

const VECTOR: &str = include_str!("../../../tests/data/clkhash/01-blake-bits-per-token.json");

/// A bench with the vector as `a.csv`, `schema.json` and `secret`, and the vector.
fn bench() -> (Bench, Value) {
    let bench = Bench {
        folder: tempfile::tempdir().unwrap(),
    };
    let vector: Value = serde_json::from_str(VECTOR).unwrap();
    bench.write("schema.json", vector["schema"].to_string());
    bench.write(
        "secret",
        format!("{}\n", vector["secret_utf8"].as_str().unwrap()),
    );
    private(&bench, 0o600);
    bench.write("a.csv", csv(&vector, true));
    (bench, vector)
}

fn private(bench: &Bench, mode: u32) {
    fs::set_permissions(bench.path("secret"), Permissions::from_mode(mode)).unwrap();
}

fn csv(vector: &Value, header: bool) -> String {
    let line = |row: &Value| {
        let values = row.as_array().unwrap().iter().map(|v| v.as_str().unwrap());
        let quoted: Vec<String> = values.map(|v| format!("\"{v}\"")).collect();
        format!("{}\r\n", quoted.join(","))
    };
    let header = header.then(|| line(&vector["header"]));
    let rows = vector["records"].as_array().unwrap().iter().map(line);
    header.into_iter().chain(rows).collect()
}

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = [
        "clkhash",
        "encode",
        "a.csv",
        "--schema",
        "schema.json",
        "--secret-file",
        "secret",
        "--out",
        out,
    ];
    [&args, more].concat()
}

fn encode(bench: &Bench, out: &str, more: &[&str]) -> Ran {
    bench.ok(&args(out, more))
}

fn clks(bench: &Bench, name: &str) -> Value {
    serde_json::from_str::<Value>(&bench.read(name)).unwrap()["clks"].clone()
}

#[test]
fn encodings_are_those_of_the_package() {
    let (bench, vector) = bench();
    let encoded = encode(&bench, "a.json", &[]);
    assert_eq!(clks(&bench, "a.json"), vector["clks"]);
    assert!(
        encoded
            .out
            .contains("60 records encoded into a.json, 1024 bits"),
        "{}",
        encoded.out
    );
    assert!(encoded.err.contains("breakable"), "{}", encoded.err);
    // As Python's json.dump writes it.
    assert!(bench.read("a.json").starts_with("{\"clks\": [\"0AAMx9"));
    let mode = bench
        .path("a.json")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let result = json(&encode(&bench, "b.json", &["--json"]));
    assert_eq!(
        (&result["hash_count"], &result["hash_size"]),
        (&60.into(), &128.into())
    );
    let ones: u64 = vector["popcounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(result["fill"]["ones"], ones);
    bench.refused(&args("a.json", &[]), &["a.json exists", "--force"]);
    encode(&bench, "a.json", &["--force"]);
    bench.refused(&args("a.csv", &["--force"]), &["read by this command"]);
}

#[test]
fn headers_may_be_ignored_or_absent() {
    let (bench, vector) = bench();
    bench.write("a.csv", csv(&vector, false));
    let message = bench.refused(
        &args("a.json", &[]),
        &["column 1 of the header", "\"given\""],
    );
    assert!(!message.contains("michaela"));
    encode(&bench, "a.json", &["--no-header"]);
    assert_eq!(clks(&bench, "a.json"), vector["clks"]);
    bench.write("a.csv", format!("x\n{}", csv(&vector, false)));
    encode(&bench, "b.json", &["--ignore-header"]);
    assert_eq!(clks(&bench, "b.json"), vector["clks"]);
    bench.refused(
        &args("c.json", &["--ignore-header", "--no-header"]),
        &["cannot be used with"],
    );
}

#[test]
fn bad_rows_are_all_told_and_nothing_is_written() {
    let (bench, mut vector) = bench();
    let format = &mut vector["schema"]["features"][5]["format"];
    *format = serde_json::json!({ "type": "integer", "maximum": 4999 });
    bench.write("schema.json", vector["schema"].to_string());
    let good = csv(&vector, true);
    let bad: String = (0..30)
        .map(|_| format!("{SECRET},{SECRET},x,y,z,{SECRET}\n"))
        .collect();
    bench.write("a.csv", format!("{good}\na,b\n{bad}a,b,c,d,e,5000\n"));
    let rows = good.lines().count();
    let message = bench.refused(
        &args("a.json", &[]),
        &[
            "a.csv cannot be encoded",
            "nothing is written",
            "rows cannot be used:",
            &format!("row {} is blank", rows + 1),
            &format!("row {} has 2 fields, the schema has 6 features", rows + 2),
            &format!("row {}, column \"postcode\": is no integer", rows + 3),
            " more",
        ],
    );
    // The vector has rows of its own with an empty postcode or one above 4999.
    let told = message
        .lines()
        .filter(|line| line.starts_with("  row "))
        .count();
    assert_eq!(told, 20, "{message}");
    assert!(!message.contains("5000"));
    bench.write("a.csv", csv(&vector, true).lines().next().unwrap());
    bench.refused(&args("a.json", &[]), &["a.csv has no rows"]);
    bench.write("a.csv", "");
    bench.refused(&args("a.json", &[]), &["the file is empty"]);
}

#[test]
fn schemas_and_secrets_are_refused_with_what_to_do() {
    let (bench, vector) = bench();
    let schema = bench.read("schema.json");
    for (from, to, words) in [
        ("\"l\":", "\"xorFolds\":1,\"l\":", "rename it to xor_folds"),
        (
            "\"bitsPerToken\":",
            "\"bitsPerTokn\":",
            "unknown field `bitsPerTokn`",
        ),
        ("1024", "1000", "power of two"),
        ("{", "\u{feff}{", "expected value at line 1"),
    ] {
        bench.write("schema.json", schema.replacen(from, to, 1));
        bench.refused(&args("a.json", &[]), &["schema.json is refused", words]);
    }
    bench.write("schema.json", b"\xff");
    bench.refused(&args("a.json", &[]), &["not UTF-8"]);
    bench.write("schema.json", schema);
    private(&bench, 0o644);
    bench.refused(
        &args("a.json", &[]),
        &["open to other users", "chmod 600 secret"],
    );
    private(&bench, 0o600);
    bench.write("secret", "\n");
    let message = bench.refused(&args("a.json", &[]), &["secret is empty"]);
    assert!(!message.contains(vector["secret_utf8"].as_str().unwrap()));
}

#[test]
fn json_becomes_raw_bytes_and_back() {
    let (bench, vector) = bench();
    encode(&bench, "a.json", &[]);
    let raw = encode(&bench, "a.bin", &["--format", "binary"]);
    assert!(
        raw.out.contains("Hash-Count: 60 and Hash-Size: 128"),
        "{}",
        raw.out
    );
    bench.ok(&["clkhash", "convert", "a.json", "--out", "b.bin"]);
    let bytes = fs::read(bench.path("a.bin")).unwrap();
    assert_eq!(bytes.len(), 60 * 128);
    assert!(bytes == fs::read(bench.path("b.bin")).unwrap());
    let back = [
        "clkhash",
        "convert",
        "a.bin",
        "--hash-size",
        "128",
        "--out",
        "b.json",
    ];
    bench.ok(&[&back[..], &["--hash-count", "60"]].concat());
    assert_eq!(bench.read("a.json"), bench.read("b.json"));

    let first = vector["clks"][0].as_str().unwrap();
    bench.write(
        "n.json",
        format!("{{\"clknblocks\": [[\"{first}\", \"x\", \"y\"]]}}"),
    );
    let converted = bench.ok(&["clkhash", "convert", "n.json", "--out", "n.bin"]);
    assert!(
        converted.out.contains("Left out: 2 block ids"),
        "{}",
        converted.out
    );
    assert!(bytes[..128] == fs::read(bench.path("n.bin")).unwrap());

    let convert = |source: &'static str, more: &[&'static str]| {
        [&["clkhash", "convert", source, "--out", "no"], more].concat()
    };
    bench.refused(
        &convert("a.bin", &["--hash-size", "100"]),
        &["80 bytes are left over"],
    );
    bench.refused(
        &convert("a.bin", &["--hash-size", "128", "--hash-count", "61"]),
        &["61 encodings were announced"],
    );
    bench.refused(
        &convert("a.bin", &[]),
        &["a.bin is refused", "not encodings in JSON"],
    );
    bench.refused(&convert("a.bin", &["--hash-count", "6"]), &["--hash-size"]);
    bench.refused(&convert("a.json", &["--hash-size", "0"]), &["not 0"]);
    bench.write("bad.json", "{\"clks\": [\"AA==\", \"AAA=\"]}");
    bench.refused(
        &convert("bad.json", &[]),
        &["encoding 1 (counted from 0) has 2 bytes"],
    );
}

#[test]
fn files_of_encodings_are_described() {
    let (bench, _) = bench();
    encode(&bench, "a.json", &[]);
    let shown = bench.ok(&["clkhash", "describe", "a.json"]).out;
    assert!(
        shown.starts_with("60 encodings of 128 bytes (clks)\nFill: mean 35."),
        "{shown}"
    );
    let data = json(&bench.ok(&["clkhash", "describe", "a.json", "--json"]));
    assert_eq!(data["encodings"], 60);
    assert_eq!(data["fill"]["ones_min"], 294);
    bench.write(
        "e.json",
        "{\"encodings\": [\"AAA=\"], \"blocks\": {\"0\": [\"x\"]}}",
    );
    let shown = bench.ok(&["clkhash", "describe", "e.json"]).out;
    assert!(shown.contains("Without any bit: 1 encoding"), "{shown}");
    assert!(shown.contains("1 block id, which carry no key"), "{shown}");
    bench.refused(
        &["clkhash", "describe", "none.json"],
        &["none.json cannot be read"],
    );
    bench.refused(&["clkhash", "describe", "."], &["cannot be read"]);
}

/// The package ends with code 0 after a failed encode.
#[test]
fn a_full_disk_is_a_failure() {
    let (bench, _) = bench();
    encode(&bench, "a.json", &[]);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let described = ran(Command::new(LINKAGE)
        .args(["clkhash", "describe", "a.json"])
        .current_dir(bench.folder.path())
        .stdout(full));
    assert_eq!(described.code, 1);
}
