//! `linkage encode` and `linkage key`: what is written, what is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::{Bench, HEADER, LINKAGE, Ran, SECRET, ran, row};

#[test]
fn tokens_come_in_an_order_drawn_afresh() {
    let bench = Bench::with_tokens();
    let first = bench.read("health.ids.csv");
    bench.ok(&[
        &Bench::encode_args("data/health.csv", "health.tokens")[..],
        &["--force"],
    ]
    .concat());
    let second = bench.read("health.ids.csv");
    assert_ne!(first, second);
    let sorted = |text: &str| {
        let mut ids: Vec<String> = text
            .lines()
            .map(|line| line.split_once(',').unwrap().1.to_owned())
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(sorted(&first), sorted(&second));
    let source = bench.read("data/health.csv");
    let in_order: Vec<&str> = source
        .lines()
        .map(|l| l.split_once(',').unwrap().0)
        .collect();
    let shuffled: Vec<&str> = second
        .lines()
        .map(|l| l.split_once(',').unwrap().1)
        .collect();
    assert_ne!(in_order, shuffled);
}

#[test]
fn rows_that_cannot_be_used_are_set_aside_with_their_reason() {
    let bench = Bench::new();
    let mut source = HEADER.as_bytes().to_vec();
    for line in [
        row("1").as_bytes(),
        row("2").as_bytes(),
        row("1").as_bytes(),
        b"3,\"open,1,1985-03-07,,,\n",
        b"4,too,few\n",
        b"5,\xff\xfe,1,1985-03-07,,,\n",
        row("").as_bytes(),
    ] {
        source.extend_from_slice(line);
    }
    bench.write("a.csv", source);
    let encoded = bench.encode("a.csv", "a.tokens");
    assert!(encoded.out.contains("2 records encoded"), "{}", encoded.out);
    for reason in [
        "5 rows rejected",
        "duplicate-id",
        "bad-quoting",
        "ragged-row",
        "bad-encoding",
        "empty-id",
    ] {
        assert!(encoded.out.contains(reason), "{reason}: {}", encoded.out);
    }
    assert!(encoded.err.contains("de-identified, not anonymous"));
    assert!(!encoded.out.contains(SECRET) && !encoded.err.contains(SECRET));
    let rejects = fs::read(bench.path("a.rejects.csv")).unwrap();
    let rejects = String::from_utf8_lossy(&rejects);
    assert!(rejects.contains("5,,a quotation mark"), "{rejects}");
    assert_eq!(bench.read("a.ids.csv").lines().count(), 3);

    // Where no row is left, the rejects are what there is to see, and nothing else.
    bench.write("b.csv", format!("{HEADER}1,x\n2,y\n"));
    let refused = bench.run(&Bench::encode_args("b.csv", "b.tokens"));
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("2 were rejected; see b.rejects.csv"),
        "{}",
        refused.err
    );
    assert!(bench.path("b.rejects.csv").exists() && !bench.path("b.tokens").exists());
    assert_eq!(
        bench
            .names()
            .iter()
            .filter(|name| name.starts_with('.'))
            .count(),
        0
    );
}

#[test]
fn sources_that_cannot_be_used_are_refused() {
    let bench = Bench::new();
    bench.write("empty.csv", "");
    bench.write("headed.csv", HEADER);
    bench.write("column.csv", "record_id,name,sex\n1,x,1\n");
    bench.write("twice.csv", "record_id,name,name\n");
    bench.write("utf16.csv", b"\xff\xfea\x00b\x00");
    bench.write("sheet.csv", b"PK\x03\x04....");
    let mut mixed = HEADER.as_bytes().to_vec();
    mixed.extend_from_slice(b"\xe9\xe9\n\xff\n\xff\n\xff\n");
    bench.write("mixed.csv", mixed);
    fs::create_dir(bench.path("folder.csv")).unwrap();
    for (source, words) in [
        ("none.csv", &["none.csv does not exist"][..]),
        ("empty.csv", &["empty.csv is empty"]),
        ("headed.csv", &["no usable row", "0 were rejected"]),
        ("column.csv", &["row 1", "\"birth_date\"", "column = "]),
        ("twice.csv", &["row 1", "\"name\" occurs twice"]),
        ("utf16.csv", &["UTF-16", "save it as UTF-8"]),
        ("sheet.csv", &["workbook is damaged"]),
        ("mixed.csv", &["neither UTF-8 nor GB 18030"]),
        ("folder.csv", &["is a directory"]),
    ] {
        bench.refused(&Bench::encode_args(source, "a.tokens"), words);
    }
}

#[test]
fn keys_that_are_not_safe_or_not_keys_are_refused() {
    let bench = Bench::new();
    bench.write("a.csv", format!("{HEADER}{}", row("1")));
    let with_key = |key: &'static str| {
        [
            "encode", "a.csv", "--schema", "p.toml", "--key", key, "--out", "a.tokens",
        ]
    };
    bench.refused(
        &with_key("none.key"),
        &["none.key does not exist", "linkage key generate"],
    );
    bench.write("open.key", "00".repeat(32));
    fs::set_permissions(bench.path("open.key"), Permissions::from_mode(0o644)).unwrap();
    bench.refused(
        &with_key("open.key"),
        &["open to other users", "644", "chmod 600 open.key"],
    );
    bench.write("short.key", "5ec2e7");
    fs::set_permissions(bench.path("short.key"), Permissions::from_mode(0o600)).unwrap();
    let message = bench.refused(&with_key("short.key"), &["64 hexadecimal digits"]);
    assert!(!message.contains("5ec2e7"));
    bench.refused(
        &["key", "generate", "--out", "project.key"],
        &["project.key exists"],
    );
    let key = bench.read("project.key");
    let shown = bench.ok(&["key", "generate", "--out", "other.key"]);
    assert_ne!(key, bench.read("other.key"));
    assert!(
        !shown
            .out
            .contains(bench.read("other.key").lines().nth(1).unwrap())
    );
}

#[test]
fn nothing_is_overwritten_unasked() {
    let bench = Bench::with_tokens();
    let args = Bench::encode_args("data/health.csv", "health.tokens");
    let before = fs::read(bench.path("health.tokens")).unwrap();
    bench.refused(&args, &["health.ids.csv exists", "--force"]);
    fs::remove_file(bench.path("health.ids.csv")).unwrap();
    bench.refused(&args, &["health.tokens exists", "--force"]);
    assert_eq!(before, fs::read(bench.path("health.tokens")).unwrap());
    // Nor the source, even with --force.
    bench.write("x.ids.csv", format!("{HEADER}{}", row("1")));
    let args = Bench::encode_args("x.ids.csv", "x.tokens");
    bench.refused(
        &[&args[..], &["--force"]].concat(),
        &["is read by this command"],
    );
    bench.refused(
        &Bench::encode_args("x.ids.csv", "missing/x.tokens"),
        &["the folder missing does not exist"],
    );
    let again = ["dev", "generate", "--records", "10", "--out", "data"];
    bench.refused(&again, &["social-security.csv exists"]);
    let args = ["match", "health.tokens", "credit.tokens", "--out", "result"];
    bench.ok(&args);
    bench.refused(&args, &["result/links.csv exists"]);
    bench.ok(&[&args[..], &["--force"]].concat());
}

/// Runs as a user without rights where the test runs as root, to whom no file is closed.
fn unprivileged(bench: &Bench, args: &[&str]) -> Option<Ran> {
    if !nix::unistd::geteuid().is_root() {
        return Some(bench.run(args));
    }
    let setpriv = Command::new("setpriv").arg("--version").output();
    if !setpriv.is_ok_and(|output| output.status.success()) {
        return None;
    }
    // The program must lie where that user can reach it.
    let program = bench.path("linkage");
    if !program.exists() && fs::hard_link(LINKAGE, &program).is_err() {
        fs::copy(LINKAGE, &program).unwrap();
    }
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(bench.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    Some(ran(command
        .arg(program)
        .args(args)
        .current_dir(bench.folder.path())))
}

fn lend(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
}

#[test]
fn files_without_permission_are_named() {
    let bench = Bench::new();
    bench.write("a.csv", format!("{HEADER}{}", row("1")));
    fs::create_dir(bench.path("mine")).unwrap();
    fs::create_dir(bench.path("closed")).unwrap();
    for path in ["project.key", "mine", "closed", "a.csv"] {
        lend(&bench.path(path));
    }
    fs::set_permissions(bench.path("closed"), Permissions::from_mode(0o500)).unwrap();
    let args = Bench::encode_args("a.csv", "closed/a.tokens");
    let Some(unwritable) = unprivileged(&bench, &args) else {
        return;
    };
    assert_eq!(unwritable.code, 1, "{}", unwritable.err);
    for word in [
        "Error: closed cannot be written",
        "caused by: ",
        "ermission denied",
    ] {
        assert!(unwritable.err.contains(word), "{}", unwritable.err);
    }
    fs::set_permissions(bench.path("a.csv"), Permissions::from_mode(0o000)).unwrap();
    let args = Bench::encode_args("a.csv", "mine/a.tokens");
    let unreadable = unprivileged(&bench, &args).unwrap();
    assert_eq!(unreadable.code, 2, "{}", unreadable.err);
    assert!(
        unreadable
            .err
            .contains("a.csv may not be read by this user"),
        "{}",
        unreadable.err
    );
    assert_eq!(fs::read_dir(bench.path("mine")).unwrap().count(), 0);
}

const FIELDS_SCHEMA: &str = "version = 1\nentity = \"persons\"\nid_column = \"record_id\"\n\
    [token]\nprofile = \"fields\"\n[[field]]\nname = \"name\"\nkind = \"name\"\n\
    feature = [{ kind = \"q-gram\", q = 1, bits = 20 }]\n\
    [[filter]]\nname = \"name\"\nbits = 64\nfields = [\"name\"]\nweight = 1\n";

#[test]
fn field_level_filters_need_somebody_who_accepts_their_risk() {
    let bench = Bench::new();
    bench.write("fields.toml", FIELDS_SCHEMA);
    bench.write("a.csv", format!("{HEADER}{}", row("1")));
    let args = |schema| {
        let mut args = Bench::encode_args("a.csv", "a.tokens");
        args[3] = schema;
        args
    };
    bench.refused(
        &args("fields.toml"),
        &["--accept-risk", "frequency attacks"],
    );
    let blank = [&args("fields.toml")[..], &["--accept-risk", " "]].concat();
    bench.refused(&blank, &["Say who accepts that risk"]);
    let needless = [&args("p.toml")[..], &["--accept-risk", "me: because"]].concat();
    bench.refused(&needless, &["leave it out"]);
}
