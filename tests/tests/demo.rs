//! The command `linkage demo` as a user runs it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use linkage_tests::program::linkage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Starts the demo in `dir` with its output folder `out`.
fn start(dir: &Path, args: &[&str]) -> Result<Child> {
    let command = Command::new(linkage()?)
        .args(["demo", "--out", "out"])
        .args(args)
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(command)
}

/// Exit code, standard output, standard error.
fn run(dir: &Path, args: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = start(dir, args)?.wait_with_output()?;
    Ok((
        output.status.code(),
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    ))
}

/// Reads the demo's words until the nodes are up and a project has begun; the nodes' process ids by
/// party.
fn nodes(words: &mut impl BufRead) -> Result<Vec<(String, i32)>> {
    let mut nodes = vec![];
    let mut line = String::new();
    while !line.starts_with("Project: ") {
        line.clear();
        ensure!(words.read_line(&mut line)? > 0, "the demo ended early");
        let fields: Vec<_> = line.split_whitespace().collect();
        if let ["matcher" | "owner", party, "process", pid, ..] = fields.as_slice() {
            nodes.push(((*party).to_owned(), pid.parse()?));
        }
    }
    Ok(nodes)
}

#[test]
fn ends_with_quality_tables_logs_and_a_report() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (code, out, err) = run(dir.path(), &["--records", "1000"])?;
    assert_eq!(code, Some(0), "{err}");
    for words in [
        "three departments: F1 0.9",
        "the Febrl 4 benchmark: F1 0.9",
        "SELECT credit.grade, health.chronic, count(*)",
        "audit logs: 4 of 4 verified",
        " 0 found",
        "What each party saw",
        "Open the report: ",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    assert!(
        err.contains("project key ") && err.contains("threshold 0."),
        "{err}"
    );
    let page = fs::read_to_string(dir.path().join("out/report/index.html"))?;
    assert!(page.matches("<svg").count() >= 8);
    // What is there is not written over.
    let (code, _, err) = run(dir.path(), &["--records", "1000"])?;
    assert_eq!(code, Some(2));
    assert!(err.contains("not empty"), "{err}");
    Ok(())
}

#[test]
fn own_files_are_linked_and_bad_rows_are_told() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let schema = "version = 1\nentity = \"enterprises\"\nid_column = \"id\"\n[[field]]\n\
                  name = \"name\"\nkind = \"name\"\n\
                  feature = [{ kind = \"q-gram\", q = 2, bits = 300 }]\n\
                  [[link_key]]\nname = \"name\"\nparts = [{ field = \"name\" }]\n\
                  [[attribute]]\nname = \"size\"\nvalues = [\"small\", \"large\"]\n\
                  [[attribute]]\nname = \"debt\"\nvalues = [\"no\", \"yes\"]\n";
    fs::write(dir.path().join("schema.toml"), schema)?;
    let mut tax = String::from("id,name,size\n");
    let mut market = String::from("id,name,debt\n");
    let mut truth = String::from("dataset,record_id,entity_id\n");
    for number in 0..400 {
        let name = format!("company {} trading {}", number * 7919 % 1000, number);
        let size = if number % 4 == 0 { "large" } else { "small" };
        let debt = if number % 2 == 0 { "yes" } else { "no" };
        tax.push_str(&format!("t{number},{name},{size}\n"));
        market.push_str(&format!("m{number},{name},{debt}\n"));
        truth.push_str(&format!(
            "tax,t{number},{number}\nmarket,m{number},{number}\n"
        ));
    }
    tax.push_str("t0,twice,small\nragged\n");
    fs::write(dir.path().join("tax.csv"), tax)?;
    fs::write(dir.path().join("market.csv"), market)?;
    fs::write(dir.path().join("truth.csv"), truth)?;
    let files = [
        "--input",
        "tax.csv",
        "market.csv",
        "--schema",
        "schema.toml",
    ];

    let query = "SELECT tax.size, market.debt, count(*) FROM enterprises GROUP BY 1, 2";
    let more = ["--truth", "truth.csv", "--query", query];
    let (code, out, err) = run(dir.path(), &[&files[..], &more].concat())?;
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("your files: F1 1.0000"), "{out}");
    assert!(out.contains("small") && out.contains("tax.size"), "{out}");
    assert!(err.contains("2 rows rejected"), "{err}");

    fs::remove_dir_all(dir.path().join("out"))?;
    let wrong = [
        "--query",
        "SELECT tax.sise, market.debt, count(*) FROM enterprises GROUP BY 1, 2",
    ];
    let (code, _, err) = run(dir.path(), &[&files[..], &wrong].concat())?;
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("sise") && err.contains("tax.size"), "{err}");
    Ok(())
}

#[test]
fn an_interrupt_stops_every_node() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut demo = start(dir.path(), &["--records", "20000", "--no-benchmark"])?;
    let mut words = BufReader::new(demo.stderr.take().context("no words")?);
    let nodes = nodes(&mut words)?;
    assert_eq!(nodes.len(), 4);
    kill(Pid::from_raw(i32::try_from(demo.id())?), Signal::SIGINT)?;
    let mut rest = String::new();
    words.read_to_string(&mut rest)?;
    assert_eq!(demo.wait()?.code(), Some(130), "{rest}");
    assert!(rest.contains("every node has been stopped"), "{rest}");
    for (party, pid) in nodes {
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "{party} lives"
        );
    }
    Ok(())
}

#[test]
fn a_node_that_dies_is_named_with_the_end_of_its_log() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut demo = start(dir.path(), &["--records", "20000", "--no-benchmark"])?;
    let mut words = BufReader::new(demo.stderr.take().context("no words")?);
    let nodes = nodes(&mut words)?;
    let (_, pid) = nodes
        .iter()
        .find(|(party, _)| party == "health")
        .context("no health")?;
    kill(Pid::from_raw(*pid), Signal::SIGKILL)?;
    let mut rest = String::new();
    words.read_to_string(&mut rest)?;
    assert_eq!(demo.wait()?.code(), Some(1), "{rest}");
    for said in [
        "the node health ended (signal: 9",
        "node.log",
        "\"serving\"",
    ] {
        assert!(rest.contains(said), "{said}\n{rest}");
    }
    for (party, pid) in nodes {
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "{party} lives"
        );
    }
    Ok(())
}
