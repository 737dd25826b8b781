//! Records from a PostgreSQL database: the same tokens as from a file, in bounded memory, and every
//! refusal with its own words and without a value.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use linkage_core::encode::Batch;
use linkage_node::demo::Rules;
use linkage_node::settings::NodeRole;
use linkage_tests::departments::{Departments, SCHEMA};
use linkage_tests::postgres::{CERTIFIED, DATABASE, PASSWORD, READER, Server, WRITER};
use linkage_tests::program;
use linkage_tests::search::{Found, Needles};
use linkage_tests::world::{Act, World};
use serde_json::Value;
use tempfile::TempDir;

/// A value that occurs in a table and may occur nowhere else.
const MARKER: &str = "欧阳隐藏值7193";

/// How long something that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which commands run: schema, key, the readers' password, sources.
struct Desk(TempDir);

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Result<Self> {
        let desk = Self(tempfile::tempdir()?);
        desk.write("persons.toml", SCHEMA)?;
        desk.write("password", &format!("{PASSWORD}\n"))?;
        desk.run(&["key", "generate", "--out", "project.key"])?
            .ok()?;
        Ok(desk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.path().join(name);
        fs::write(&path, content)?;
        Ok(fs::set_permissions(
            path,
            fs::Permissions::from_mode(0o600),
        )?)
    }

    /// Describes a source as [`READER`] would: what `changes` say instead or beside.
    fn source(&self, name: &str, server: &Server, changes: &[(&str, &str)]) -> Result<()> {
        let mut settings = toml::Table::new();
        let port = i64::from(server.port());
        let text = [
            ("host", "localhost"),
            ("database", DATABASE),
            ("user", READER),
            ("password", "file:password"),
            (
                "ca",
                server.ca().to_str().context("a path that is no text")?,
            ),
        ];
        settings.insert("port".to_owned(), port.into());
        for (key, value) in text.iter().chain(changes) {
            settings.insert((*key).to_owned(), (*value).into());
        }
        // What is empty is left out.
        settings.retain(|_, value| value.as_str() != Some(""));
        let mut file = toml::Table::new();
        file.insert("postgres".to_owned(), settings.into());
        self.write(name, &file.to_string())
    }

    fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(program::linkage()?);
        command
            .args(args)
            .current_dir(self.path())
            .stdin(Stdio::null());
        Ok(command)
    }

    fn run(&self, args: &[&str]) -> Result<Ran> {
        Ran::of(self.command(args)?.output()?)
    }

    fn encode(source: &str, out: &str) -> Vec<String> {
        let args = [
            "encode",
            source,
            "--schema",
            "persons.toml",
            "--key",
            "project.key",
            "--out",
            out,
        ];
        args.map(str::to_owned).to_vec()
    }

    fn encoded(&self, source: &str, out: &str) -> Result<Ran> {
        let args = Self::encode(source, out);
        self.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Every record of a token file by its identity, as what the batch says of it.
    fn records(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let tokens = fs::read(self.path().join(format!("{name}.tokens")))?;
        let batch = Batch::decode(&tokens)?;
        let (columns, width) = (batch.columns(), batch.width());
        let ids = fs::read_to_string(self.path().join(format!("{name}.ids.csv")))?;
        let ids = ids.lines().skip(1).enumerate();
        let records = ids.map(|(row, line)| {
            let (_, id) = line.split_once(',').context("a line without comma")?;
            let words = columns.words.get(row * width..(row + 1) * width);
            let links: Vec<_> = columns.link_keys.iter().map(|keys| keys.get(row)).collect();
            let blocks: Vec<_> = columns
                .block_keys
                .iter()
                .map(|keys| keys.get(row))
                .collect();
            Ok((id.to_owned(), format!("{words:x?} {links:x?} {blocks:x?}")))
        });
        records.collect()
    }

    /// The names of files that are there.
    fn names(&self) -> Result<Vec<String>> {
        let mut names = vec![];
        for entry in fs::read_dir(self.path())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

impl Ran {
    fn of(output: Output) -> Result<Self> {
        let ran = Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        };
        ensure!(
            !ran.err.contains(PASSWORD),
            "the password is shown: {}",
            ran.err
        );
        Ok(ran)
    }

    fn ok(self) -> Result<Self> {
        ensure!(self.code == Some(0), "{}", self.err);
        Ok(self)
    }
}

fn json(ran: &Ran) -> Result<Value> {
    Ok(serde_json::from_str(&ran.out)?)
}

#[test]
fn a_table_gives_what_its_csv_file_gives() -> Result<()> {
    let (server, desk) = (Server::start()?, Desk::new()?);
    let departments = Departments::generate(desk.path(), 2000, 11)?;
    let (_, csv) = departments.sources.first().context("no department")?;
    server.load("people", csv)?;
    desk.source("people.source.toml", &server, &[("table", "people")])?;
    let from_file = desk
        .encoded(csv.to_str().context("no text")?, "file.tokens")?
        .ok()?;
    let from_table = desk.encoded("people.source.toml", "table.tokens")?.ok()?;
    let first = |ran: &Ran| {
        ran.out
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let counts = |ran: &Ran| first(ran).into_iter().filter(|line| !line.contains(".csv"));
    assert!(
        counts(&from_file).eq(counts(&from_table)),
        "{}",
        from_table.out
    );
    let records = desk.records("file")?;
    assert!(records.len() > 1500);
    assert!(records == desk.records("table")?);

    // By certificate instead of password, on a query, with columns of the types that fit them.
    server.sql(
        "CREATE TABLE typed AS SELECT record_id, name, sex, birth_date, id_number, mobile, address
         FROM people;
         CREATE DOMAIN resident AS varchar(18);
         ALTER TABLE typed ALTER id_number TYPE resident, ALTER mobile TYPE char(40);",
    )?;
    server.allow("typed")?;
    let files = server.client();
    desk.source(
        "query.source.toml",
        &server,
        &[
            ("user", CERTIFIED),
            ("password", ""),
            ("cert", files.cert.to_str().context("no text")?),
            ("key", files.key.to_str().context("no text")?),
            ("query", "SELECT * FROM typed -- all of them ;\n;"),
        ],
    )?;
    desk.encoded("query.source.toml", "query.tokens")?.ok()?;
    assert!(records == desk.records("query")?);

    // The other commands that read a source, the socket beside TLS.
    let socket = server.socket();
    desk.source(
        "socket.source.toml",
        &server,
        &[
            ("host", socket.to_str().context("no text")?),
            ("ca", ""),
            ("table", "public.people"),
        ],
    )?;
    let check = |source: &str| {
        desk.run(&[
            "--json",
            "dataset",
            "check",
            source,
            "--schema",
            "persons.toml",
        ])?
        .ok()
    };
    let mut of_file = json(&check(csv.to_str().context("no text")?)?)?;
    let mut of_table = json(&check("socket.source.toml")?)?;
    assert_eq!(of_table["format"]["name"], "PostgreSQL");
    for found in [&mut of_file, &mut of_table] {
        found.as_object_mut().context("no object")?.remove("format");
        // Measured on records drawn at random.
        found.as_object_mut().context("no object")?.remove("fill");
    }
    assert_eq!(of_file, of_table);
    let preview = desk.run(&[
        "schema",
        "preview",
        "--schema",
        "persons.toml",
        "socket.source.toml",
        "--rows",
        "2",
        "--even-if-not-a-terminal",
    ])?;
    let preview = preview.ok()?;
    assert!(preview.out.contains("Row 1, record") && preview.out.contains("Row 2, record"));
    Ok(())
}

#[test]
fn types_are_read_as_csv_has_them_and_others_are_refused_by_name() -> Result<()> {
    let (server, desk) = (Server::start()?, Desk::new()?);
    server.sql(
        "CREATE TABLE kinds (id bigint, n numeric, d date, t timestamp, b boolean, c char(6),
                             s smallint, u uuid, z timestamptz);
         INSERT INTO kinds VALUES
           (1, 440106198503071234, '1985-03-07', '1985-03-07', true, 'x', 3, NULL, NULL),
           (2, 0.50, NULL, '1985-03-07 08:30:00', false, '', NULL, NULL, NULL);",
    )?;
    server.allow("kinds")?;
    let schema = |fields: &[&str]| {
        let fields = fields.iter().map(|name| {
            format!(
                "[[field]]\nname = \"{name}\"\nkind = \"text\"\n\
                 feature = [{{ kind = \"whole\", bits = 9 }}]\n"
            )
        });
        let fields: String = fields.collect();
        format!("version = 1\nentity = \"persons\"\nid_column = \"id\"\n{fields}")
    };
    desk.write("kinds.toml", &schema(&["n", "d", "t", "b", "c", "s"]))?;
    desk.source("kinds.source.toml", &server, &[("table", "kinds")])?;
    let preview = [
        "schema",
        "preview",
        "kinds.source.toml",
        "--even-if-not-a-terminal",
        "--schema",
    ];
    let shown = desk.run(&[&preview[..], &["kinds.toml"]].concat())?.ok()?;
    let raw: Vec<Vec<&str>> = shown
        .out
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    for (field, first) in [
        ("n", "440106198503071234"),
        ("d", "1985-03-07"),
        ("t", "1985-03-07"),
        ("b", "true"),
        ("c", "x"),
        ("s", "3"),
        ("n", "0.50"),
        ("t", "1985-03-07 08:30:00"),
    ] {
        let found = raw.iter().any(|cells| cells.starts_with(&[field, first]));
        assert!(found, "{field} {first}: {}", shown.out);
    }
    for (field, found) in [("u", "uuid"), ("z", "timestamptz")] {
        desk.write("kinds.toml", &schema(&[field]))?;
        let refused = desk.run(&[&preview[..], &["kinds.toml"]].concat())?;
        assert_eq!(refused.code, Some(2));
        let words = format!("column \"{field}\" of table kinds has the type {found}");
        assert!(refused.err.contains(&words), "{}", refused.err);
    }
    Ok(())
}

#[test]
fn every_refusal_has_its_own_words() -> Result<()> {
    let (server, desk) = (Server::start()?, Desk::new()?);
    let header = "record_id,name,sex,birth_date,id_number,mobile,address";
    fs::write(
        desk.path().join("some.csv"),
        format!("{header}\n1,{MARKER},男,,,,\n"),
    )?;
    server.load("people", &desk.path().join("some.csv"))?;
    server.sql(
        "CREATE TABLE secret AS SELECT * FROM people;
         CREATE VIEW narrow AS SELECT record_id, name AS full_name FROM people;",
    )?;
    server.allow("narrow")?;
    desk.write("wrong", "not the password\n")?;
    let other = Server::start()?;
    let other_ca = other.ca().to_str().context("no text")?.to_owned();
    let quote = "SELECT record_id, name, sex, birth_date, id_number, mobile, \
                 (name::date)::text AS address FROM people";
    let writer = [("user", WRITER), ("table", "people")];
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[("table", "people"), ("ca", &other_ca)],
            "has signed it; check the file",
        ),
        (
            &[("table", "people"), ("host", "127.0.0.1")],
            "it is not for the name 127.0.0.1",
        ),
        (
            &[("table", "people"), ("password", "file:wrong")],
            "check the password",
        ),
        (
            &[("table", "people"), ("password", PASSWORD)],
            "never written in a configuration",
        ),
        (
            &[("table", "people"), ("password", "file:gone")],
            "gone cannot be read",
        ),
        (
            &[("table", "people"), ("password", "credential:x")],
            "LoadCredential=x:PATH",
        ),
        (
            &[("table", "people"), ("user", "nobody")],
            "refuses role nobody",
        ),
        (
            &[("table", "people"), ("database", "nothing")],
            "check the name of the database",
        ),
        (
            &writer,
            "role clerk could write to table people; let Linkage read with a role",
        ),
        (
            &[("user", WRITER), ("query", "SELECT * FROM narrow")],
            "role clerk could write to table narrow",
        ),
        (&[("table", "nothing")], "as the catalogue spells it"),
        (&[("table", "secret")], "grant the role SELECT on it"),
        (&[("table", "narrow")], "no column \"name\", \"birth_date\""),
        (
            &[("query", "SELECT record_id FROM")],
            "the query cannot be read: syntax error",
        ),
        (
            &[("query", "DELETE FROM people")],
            "the query cannot be read",
        ),
        (
            &[("query", quote)],
            "broke off with SQLSTATE 22007 (a value that the query cannot take)",
        ),
        (&[("table", "people"), ("ca", "")], "ca is missing"),
        (&[("table", "people"), ("colour", "red")], "colour"),
    ];
    let before = {
        desk.source("x.source.toml", &server, &[])?;
        desk.names()?
    };
    for (changes, words) in cases {
        desk.source("x.source.toml", &server, changes)?;
        let refused = desk.encoded("x.source.toml", "x.tokens")?;
        assert_eq!(
            refused.code,
            Some(2),
            "{words}: {}{}",
            refused.out,
            refused.err
        );
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
        assert!(!refused.err.contains(MARKER), "{}", refused.err);
        assert_eq!(desk.names()?, before, "{words}");
    }
    // Whoever must may read with such a role; it still cannot write in this session.
    let mut text = {
        desk.source("x.source.toml", &server, &writer)?;
        fs::read_to_string(desk.path().join("x.source.toml"))?
    };
    text.push_str("allow_writable_role = true\n");
    desk.write("x.source.toml", &text)?;
    desk.encoded("x.source.toml", "x.tokens")?.ok()?;
    let port = server.port().to_string();
    let ca = desk.path().join("kept-ca.pem");
    fs::copy(server.ca(), &ca)?;
    let kept = [("table", "people"), ("ca", ca.to_str().context("no text")?)];
    desk.source("x.source.toml", &server, &kept)?;
    drop(server);
    let refused = desk.encoded("x.source.toml", "y.tokens")?;
    let words = format!("localhost:{port} cannot be reached");
    assert!(refused.err.contains(&words), "{}", refused.err);
    Ok(())
}

/// The server is stopped while a row is being waited for.
#[test]
fn a_server_that_dies_leaves_no_half_batch() -> Result<()> {
    let (mut server, desk) = (Server::start()?, Desk::new()?);
    server.sql(&format!(
        "CREATE TABLE people AS SELECT n, n::text AS record_id, '{MARKER}' AS name, '男' AS sex,
           '1985-03-07' AS birth_date, '' AS id_number, '' AS mobile, '' AS address
         FROM generate_series(1, 10000) AS n;
         CREATE FUNCTION held(n int, value text) RETURNS text LANGUAGE plpgsql STABLE AS
           'BEGIN IF n = 9000 THEN PERFORM pg_sleep(3600); END IF; RETURN value; END';"
    ))?;
    server.allow("people")?;
    let query = "SELECT record_id, held(n, name) AS name, sex, birth_date, id_number, mobile, address \
                 FROM people";
    desk.source("people.source.toml", &server, &[("query", query)])?;
    let before = desk.names()?;
    let args = Desk::encode("people.source.toml", "people.tokens");
    let mut encoding = desk.command(&args.iter().map(String::as_str).collect::<Vec<_>>())?;
    let encoding = encoding
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let asleep = "SELECT count(*) FROM pg_stat_activity
                  WHERE application_name = 'linkage' AND wait_event = 'PgSleep'";
    let since = std::time::Instant::now();
    while server.sql(asleep)?.trim() != "1" {
        ensure!(since.elapsed() < PATIENCE, "the query is not waited for");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill()?;
    let ran = Ran::of(encoding.wait_with_output()?)?;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    // Four times 2048 rows, and what came of the next before the server slept.
    for words in [
        "the query, after row 8",
        "the connection to localhost:",
        "nothing was kept, start again",
    ] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    assert!(!ran.err.contains(MARKER));
    assert_eq!(desk.names()?, before);
    Ok(())
}

/// 200 000 rows, 200 MB of them filling that is cut off, in a process that stays far below.
#[test]
fn many_rows_are_read_in_bounded_memory() -> Result<()> {
    const ROWS: u64 = 200_000;
    // The rows alone are 190 MiB, and would come on top of what the program needs anyway.
    const MEMORY_KIB_MAX: u64 = 200 * 1024;
    let (server, desk) = (Server::start()?, Desk::new()?);
    server.sql(&format!(
        "CREATE VIEW people AS SELECT 'R' || n AS id, n % 1000 || repeat(' ', 1000) AS name
         FROM generate_series(1, {ROWS}) AS n"
    ))?;
    server.allow("people")?;
    desk.write(
        "persons.toml",
        "version = 1\nentity = \"persons\"\nid_column = \"id\"\n\
         [token]\nprofile = \"plain-clk\"\n\
         [[field]]\nname = \"name\"\nkind = \"text\"\n\
         feature = [{ kind = \"whole\", bits = 9 }]\n",
    )?;
    desk.source("people.source.toml", &server, &[("table", "people")])?;
    let args = Desk::encode("people.source.toml", "people.tokens");
    let mut encoding = desk.command(&args.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut encoding = encoding
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let status = format!("/proc/{}/status", encoding.id());
    let mut peak_kib = 0;
    while encoding.try_wait()?.is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak_kib = peak_kib.max(found.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(10));
    }
    let ran = Ran::of(encoding.wait_with_output()?)?.ok()?;
    assert!(ran.out.contains("200,000 records encoded"), "{}", ran.out);
    assert!(peak_kib > 0 && peak_kib < MEMORY_KIB_MAX, "{peak_kib} KiB");
    Ok(())
}

/// The whole path with one owner whose records are in a database.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_uploads_from_its_database() -> Result<()> {
    let server = Server::start()?;
    let (mut world, departments) = World::of_departments(300, 5)?;
    let owner = world.owner(0)?;
    let (_, csv) = departments.sources.first().context("no department")?;
    server.load("people", csv)?;
    world.cluster.kill(&owner)?;
    let desk = Desk::new()?;
    let before = format!("path = \"{}\"\n", csv.display());
    let after = format!(
        "postgres = {{ host = \"localhost\", port = {}, database = \"{DATABASE}\", \
         user = \"{READER}\", password = \"file:{}\", ca = \"{}\", table = \"people\" }}\n",
        server.port(),
        desk.path().join("password").display(),
        server.ca().display()
    );
    world.reconfigure(&owner, |text| text.replace(&before, &after))?;
    world.cluster.restart(NodeRole::Owner, &owner)?;
    let rules = Rules {
        threshold_k: 5,
        epsilon_per_table: "1".to_owned(),
        epsilon_budget: "2".to_owned(),
        ..Rules::default()
    };
    let project = world.keyed(&rules).await?;
    let uploaded = world.all(Act::Upload, project).await?;
    let summary = &uploaded.first().context("no upload")?["summary"];
    let lines = fs::read_to_string(csv)?.lines().count() as u64 - 1;
    let rejected = summary["rejected"].as_object().context("no counts")?;
    let rejected: u64 = rejected.values().filter_map(Value::as_u64).sum();
    assert_eq!(
        summary["rows"].as_u64().context("no rows")? + rejected,
        lines
    );
    let found = world.owner_store(&owner)?.record_ids(&project)?;
    assert_eq!(found.len() as u64, summary["rows"].as_u64().unwrap_or(0));
    world.act(Act::StartRun, &owner, project).await?;

    // The password is in its file alone.
    let needles = Needles::new([PASSWORD.as_bytes()])?;
    let mut leaks = Found::new();
    let searched = needles.files(world.cluster.dir(), &mut leaks)?;
    ensure!(searched > 0, "nothing was searched");
    let pid = world.node(&owner)?.pid();
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{pid}/{file}"))?;
        needles.bytes(&bytes, file, &mut leaks);
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    Ok(())
}
