//! Many owners at once: all get through, at about the same time, and the matcher's memory does not
//! grow with what they send.
//!
//! `scripts/crowd-uploads` runs the long form: 60 owners with 20 000 records each, which it also
//! has linked where it is asked to.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use linkage_core::ids::PartyId;
use linkage_node::demo::Rules;
use linkage_tests::departments::Departments;
use linkage_tests::synthetic::fill_outbox;
use linkage_tests::world::{Act, World, perform};

const MIB: u64 = 1 << 20;

/// Memory of the matcher while owners upload: the chunks under way, twice 8 MiB for each of 60
/// owners, and what it takes without any.
const MEMORY_BYTES_MAX: u64 = 1 << 30;

/// Records in all up to which they are also linked: how long that takes is another matter.
const LINKED_MAX: u64 = 10_000;

/// Pause between two looks at how much memory a process holds.
const LOOK: Duration = Duration::from_millis(100);

fn setting(name: &str, usual: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
        Err(_) => Ok(usual),
    }
}

/// Memory of its own that process `pid` holds now, in bytes: without the pages of mapped files,
/// which the system takes back whenever it needs them.
fn own_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.lines();
    let kib = lines.find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = kib.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_owners_at_once() -> Result<()> {
    let owners = setting("LINKAGE_CROWD_OWNERS", 6)?;
    let records = setting("LINKAGE_CROWD_RECORDS", 500)?;
    let dir = tempfile::tempdir()?;
    // The nodes want a data set each; what is uploaded is made below.
    let departments = Departments::generate(dir.path(), 50, 1)?;
    let file = departments.sources.first().context("no file")?.1.clone();
    let sources: Vec<(PartyId, PathBuf)> = (0..owners)
        .map(|at| Ok((format!("owner-{at:02}").parse()?, file.clone())))
        .collect::<Result<_>>()?;
    let world = World::start(dir, &sources)?;
    // With many owners nearly every block has somebody without a partner somewhere.
    let rules = Rules {
        ask_rows_max_share: 1.0,
        ..Rules::default()
    };
    let project = world.keyed(&rules).await?;
    for (at, party) in (0..).zip(&world.owners) {
        fill_outbox(&world, party, project, at, (records, 3 * records))?;
    }

    let start = Instant::now();
    let mut uploading = vec![];
    for party in &world.owners {
        let (client, party) = (world.operator(party)?, party.clone());
        uploading.push(tokio::spawn(async move {
            let result = perform(&client, &party, Act::Upload, project).await;
            result.map(|result| (start.elapsed().as_secs_f64(), result))
        }));
    }
    let mut finished = vec![];
    let mut bytes = 0;
    for uploading in uploading {
        let (seconds, result) = uploading.await??;
        finished.push(seconds);
        bytes += result["bytes"].as_u64().context("no bytes")?;
    }
    finished.sort_by(f64::total_cmp);
    let at = |share: f64| finished[((finished.len() - 1) as f64 * share) as usize];
    let peak = || -> Result<u64> {
        let usage = world.matcher()?.usage().context("no usage")?;
        Ok(usage.memory_peak_bytes)
    };
    println!(
        "{owners} owners, {records} records each, {:.1} MB: uploaded in {:.1} s, {:.1} MB/s",
        bytes as f64 / 1e6,
        at(1.0),
        bytes as f64 / 1e6 / at(1.0)
    );
    println!(
        "  finished after {:.2} s (first), {:.2} s (median), {:.2} s (last)",
        at(0.0),
        at(0.5),
        at(1.0)
    );
    println!(
        "  matcher's peak memory after the uploads {} MiB",
        peak()? / MIB
    );
    ensure!(peak()? < MEMORY_BYTES_MAX, "{} MiB", peak()? / MIB);
    if owners * records > setting("LINKAGE_CROWD_LINKED_MAX", LINKED_MAX)? {
        return Ok(());
    }
    let (highest, pid) = (Arc::new(AtomicU64::new(0)), world.matcher()?.pid());
    let looking = tokio::spawn({
        let highest = Arc::clone(&highest);
        async move {
            while let Some(now) = own_memory(pid) {
                highest.fetch_max(now, Ordering::Relaxed);
                tokio::time::sleep(LOOK).await;
            }
        }
    });
    let cpu = || -> Result<f64> { Ok(world.matcher()?.usage().context("no usage")?.cpu_seconds) };
    let (start, before) = (Instant::now(), cpu()?);
    world.act(Act::StartRun, &world.owner(0)?, project).await?;
    println!(
        "  asked for, linked and decided in {:.1} s; the matcher took {:.1} CPU seconds and at most \
         {} MiB beside the mapped stores",
        start.elapsed().as_secs_f64(),
        cpu()? - before,
        highest.load(Ordering::Relaxed) / MIB
    );
    looking.abort();
    world.all(Act::FetchPositions, project).await?;
    let mut linked = 0;
    let (first, second) = (world.owner(0)?, world.owner(1)?);
    let other: std::collections::HashSet<u32> = world
        .positions(&second, project)?
        .positions
        .into_iter()
        .collect();
    for position in world.positions(&first, project)?.positions {
        linked += u32::from(other.contains(&position));
    }
    ensure!(linked > 0, "no two owners have anybody in common");
    Ok(())
}
