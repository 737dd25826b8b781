//! Nothing of an owner's file reaches anyone else: distinctive values in every column, in good rows
//! and bad, are searched for in all that the other parties store, log, hold in memory or see on the
//! wire.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::upload::Part;
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::TRUST_DOMAIN;
use linkage_tests::proxy::Proxy;
use linkage_tests::search::{Found, Needles, VALUE_BYTES_MIN, below};
use linkage_tests::world::{Act, PURPOSE, World};

/// Good records of each owner; enough that their values lie everywhere that values could lie.
const RECORDS: u32 = 300;

/// First byte of a TLS record that carries a handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// The header's first bytes of a batch.
const BATCH_MAGIC: &[u8] = b"LKBATCH\n";

/// One owner's file and all values in it that nobody else may see.
struct Marked {
    party: PartyId,
    path: PathBuf,
    values: Vec<Vec<u8>>,
}

/// A record whose every value is distinctive, and the same person's at every owner, so that they
/// link.
fn record(owner: char, person: u32) -> [String; 8] {
    // Han characters and digits by number: no two persons share a name, number or address.
    let han = |at: u32| char::from_u32(0x4e00 + at * 37 % 20_000).unwrap_or('零');
    [
        format!("record-{owner}-{person:05}"),
        [han(person), han(person + 7_001), han(person + 13_007)]
            .iter()
            .collect(),
        if person.is_multiple_of(2) {
            "男"
        } else {
            "女"
        }
        .to_owned(),
        format!(
            "{}-{:02}-{:02}",
            1950 + person % 50,
            1 + person % 12,
            1 + person % 28
        ),
        format!(
            "11010519{:010}",
            4_900_310_007_u64 + u64::from(person) * 7_919
        ),
        format!("139{:08}", 10_000_019 + person * 104_729 % 80_000_000),
        format!(
            "{}{}区{}路{}号-unit-{person:05}",
            han(person + 3),
            han(person + 5),
            han(person + 11),
            1000 + person
        ),
        // No value of the schema's list, which is public.
        format!("attribute-{person:05}-unlisted"),
    ]
}

impl Marked {
    /// Writes the file: good rows, then one bad row of every kind, each with values of its own.
    fn write(dir: &Path, owner: char, party: &str) -> Result<Self> {
        let mut text = "record_id,name,sex,birth_date,id_number,mobile,address,grade\n".to_owned();
        let mut values = vec![];
        for person in 0..RECORDS {
            let mut row = record(owner, person);
            values.extend(row.iter().map(|value| value.clone().into_bytes()));
            if person.is_multiple_of(3) {
                "A".clone_into(&mut row[7]);
            }
            writeln!(text, "{}", row.join(","))?;
        }
        let bad = |kind: &str| format!("{kind}-{owner}-欧阳隐藏值-7193");
        let ragged = bad("ragged");
        writeln!(
            text,
            "{ragged}-id,{ragged}-name,{ragged}-extra,1,2,3,4,5,6,7,8,9,10"
        )?;
        let quoting = bad("quoting");
        writeln!(text, "{quoting}-id,\"{quoting}-open,男,1980-01-01,1,2,3,A")?;
        let again = bad("again");
        writeln!(text, "record-{owner}-00000,{again},男,1980-01-01,1,2,3,A")?;
        let nameless = bad("nameless");
        writeln!(text, ",{nameless},男,1980-01-01,1,2,3,A")?;
        values.extend([ragged, quoting, again, nameless].map(String::into_bytes));
        let mut bytes = text.into_bytes();
        let broken = bad("encoding");
        bytes.extend_from_slice(format!("{broken}-id,{broken}").as_bytes());
        bytes.extend_from_slice(b"\xff\xfe\xff,x,x,x,x,x,A\n");
        values.push(broken.into_bytes());
        let path = dir.join(format!("{party}.csv"));
        fs::write(&path, bytes)?;
        values.retain(|value| value.len() >= VALUE_BYTES_MIN);
        Ok(Self {
            party: party.parse()?,
            path,
            values,
        })
    }
}

fn nothing(found: &Found, what: &str) {
    assert!(found.is_empty(), "{what}: {found:#?}");
}

/// Searches the matcher's memory, or says why that cannot be done here.
#[allow(
    clippy::print_stderr,
    reason = "a search that is left out must not pass for one that found nothing"
)]
fn check_memory(world: &World, needles: &Needles, when: &str) -> Result<()> {
    let pid = world.matcher()?.pid();
    let mut found = Found::new();
    match needles.memory(pid, &mut found) {
        Ok(searched) => {
            assert!(searched > 1 << 20, "{searched} bytes {when}");
            nothing(&found, &format!("the matcher's memory {when}"));
            // What it must hold is found in the same way.
            let known = Needles::new([TRUST_DOMAIN.as_bytes()])?;
            let mut found = Found::new();
            known.memory(pid, &mut found)?;
            assert!(!found.is_empty(), "the search of memory finds nothing");
        }
        Err(error) => eprintln!("memory not searched: /proc/{pid}/mem: {error}"),
    }
    Ok(())
}

/// What an owner sends is its outbox, byte for byte; nothing of its file is in it, and on the wire
/// nothing of it can be read.
fn check_sent(world: &World, needles: &Needles, proxy: &Proxy, project: ProjectId) -> Result<()> {
    let owner = world.owner(0)?;
    let outbox = fs::read(world.outbox(&owner, project))?;
    let mut found = Found::new();
    needles.bytes(&outbox, "the outbox", &mut found);
    nothing(&found, "what is sent");
    assert!(outbox.starts_with(BATCH_MAGIC));

    let uploads = world.matcher_store()?.uploads(&project, Part::Keys)?;
    let upload = uploads.iter().find(|upload| upload.party == owner.as_str());
    let upload = upload.context("no upload")?;
    assert!(upload.state.is_accepted());
    assert_eq!(fs::read(world.spool(upload)?)?, outbox);

    let (sent, answered) = (proxy.to_node(), proxy.from_node());
    assert!(sent.len() > outbox.len() && !answered.is_empty());
    let mut plain = vec![BATCH_MAGIC, PURPOSE.as_bytes(), b"PRI * HTTP/2.0"];
    let row = outbox.get(2000..2064).context("a short outbox")?;
    plain.push(row);
    let plain = Needles::new(plain)?;
    for (bytes, what) in [(&sent, "to the matcher"), (&answered, "from the matcher")] {
        let mut found = Found::new();
        needles.bytes(bytes, what, &mut found);
        plain.bytes(bytes, what, &mut found);
        nothing(&found, "the wire");
        assert_eq!(bytes.first(), Some(&TLS_HANDSHAKE), "{what}");
    }
    Ok(())
}

/// Rejected rows lie in one file, at the owner, for the owner.
fn check_rejects(world: &World, owner: &Marked) -> Result<()> {
    let rejects: Vec<_> = below(world.cluster.dir())?
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(".rejects."))
        .filter(|path| path.starts_with(world.data_dir(&owner.party)))
        .collect();
    let [rejects] = rejects.as_slice() else {
        anyhow::bail!("files of rejects: {rejects:?}");
    };
    assert_eq!(fs::metadata(rejects)?.permissions().mode() & 0o777, 0o600);
    let mut found = Found::new();
    let own: Vec<_> = owner
        .values
        .iter()
        .rev()
        .take(5)
        .map(Vec::as_slice)
        .collect();
    Needles::new(own)?.files(rejects, &mut found)?;
    assert_eq!(found.len(), 5, "{found:?}");
    Ok(())
}

/// Folders are closed to others, and so is every file that holds more than the world may know.
fn check_modes(world: &World) -> Result<()> {
    for (party, dir) in world.data_dirs()? {
        let node = dir.parent().context("no folder")?.to_owned();
        let pki = world.cluster.dir().join("pki");
        for path in below(&node)?.into_iter().chain(below(&pki)?) {
            let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
            if path.is_dir() {
                assert_eq!(mode, 0o700, "{party}: {}", path.display());
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_public = matches!(
                name.as_ref(),
                "address"
                    | "node.toml"
                    | "node.log"
                    | "cert.pem"
                    | "ca.pem"
                    | "log.vkey"
                    | "witness.vkey"
            );
            let allowed = if is_public { 0o644 } else { 0o600 };
            assert_eq!(mode & !allowed, 0, "{mode:o} {}", path.display());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_a_file_reaches_another_party() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let marked: Vec<_> = [('c', "credit"), ('h', "health"), ('s', "social-security")]
        .into_iter()
        .map(|(letter, party)| Marked::write(dir.path(), letter, party))
        .collect::<Result<_>>()?;
    let sources: Vec<_> = marked
        .iter()
        .map(|owner| (owner.party.clone(), owner.path.clone()))
        .collect();
    let values = marked.iter().flat_map(|owner| &owner.values);
    let needles = Needles::new(values.map(Vec::as_slice))?;
    let mut world = World::start(dir, &sources)?;
    let proxy = Proxy::before(&world.matcher()?.address).await?;
    world.redirect_matcher(&world.owner(0)?, &proxy.address)?;

    // Few and short records share blocks with nearly everybody.
    let rules = Rules {
        ask_rows_max_share: 1.0,
        ..Rules::default()
    };
    let project = world.keyed(&rules).await?;
    let uploads = world.all(Act::Upload, project).await?;
    for (owner, upload) in marked.iter().zip(&uploads) {
        let summary = &upload["summary"];
        assert_eq!(summary["rows"], RECORDS, "{}", owner.party);
        let rejected = summary["rejected"].as_object().context("no rejects")?;
        assert_eq!(rejected.len(), 5, "{rejected:?}");
        // The answer to the operator is counts, and one file's name.
        let mut found = Found::new();
        needles.bytes(upload.to_string().as_bytes(), "the answer", &mut found);
        nothing(&found, "the operator's answer");
    }
    check_memory(&world, &needles, "after the upload")?;
    check_sent(&world, &needles, &proxy, project)?;

    let run = world.act(Act::StartRun, &world.owner(0)?, project).await?;
    world.all(Act::FetchPositions, project).await?;
    let links = run["report"]["pairs"][0]["links"].as_u64();
    assert!(links.is_some_and(|links| links > 0), "{run}");
    check_memory(&world, &needles, "after the run")?;

    let sql = "SELECT credit.grade, health.grade, count(*) FROM persons GROUP BY 1, 2";
    let extract = world.analyst()?.extract(&project, sql).await?;
    let mut found = Found::new();
    needles.bytes(
        extract.table.to_string().as_bytes(),
        "the table",
        &mut found,
    );
    nothing(&found, "the released table");
    check_memory(&world, &needles, "after the table")?;

    check_stored(&world, &needles)?;
    for owner in &marked {
        check_rejects(&world, owner)?;
    }
    check_modes(&world)?;
    world.cluster.stop();
    check_stored(&world, &needles)
}

/// The matcher's whole folder, and every node's logs.
fn check_stored(world: &World, needles: &Needles) -> Result<()> {
    let mut found = Found::new();
    let matcher = world.data_dir(&World::matcher_party()?);
    let known = Needles::new([PURPOSE.as_bytes()])?;
    let mut known_found = Found::new();
    known.files(&matcher, &mut known_found)?;
    assert!(!known_found.is_empty(), "the search of files finds nothing");
    needles.files(&matcher, &mut found)?;
    for (_, dir) in world.data_dirs()? {
        let log = dir.parent().context("no folder")?.join("node.log");
        let searched = needles.files(&log, &mut found)?;
        assert!(searched > 0, "{} is empty", log.display());
        needles.files(&dir.join("audit"), &mut found)?;
    }
    nothing(&found, "files");
    Ok(())
}
