//! How fast encoded records get from an owner's disk to the matcher's, what that costs, and that
//! neither side's memory grows with them.
//!
//! `scripts/bench-upload` runs the long form, with a million records.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use linkage_core::ids::PartyId;
use linkage_node::client::follow;
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::Usage;
use linkage_proto::v1;
use linkage_tests::departments::{DATASET, SCHEMA};
use linkage_tests::synthetic::fill_outbox;
use linkage_tests::world::{Act, World};

/// Most memory of either process.
const MEMORY_BYTES_MAX: u64 = 300 << 20;

const MIB: u64 = 1 << 20;

/// Records in the short form: some twenty chunks.
const ROWS: u64 = 20_000;

/// The departments' schema without its block keys: every token is sent at once.
fn schema() -> String {
    let mut kept = vec![];
    let mut is_block_key = false;
    for line in SCHEMA.lines() {
        if line.starts_with('[') {
            is_block_key = line.starts_with("[[block_key");
        }
        if !is_block_key {
            kept.push(line);
        }
    }
    kept.join("\n")
}

fn usage(world: &World, party: &PartyId) -> Result<Usage> {
    world.node(party)?.usage().context("no usage")
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records() -> Result<()> {
    let rows = match std::env::var("LINKAGE_UPLOAD_RECORDS") {
        Ok(text) => text.parse()?,
        Err(_) => ROWS,
    };
    let (world, _) = World::of_departments(50, 1)?;
    let owner = world.owner(0)?;
    let (owners, rules) = (world.owners.clone(), Rules::default());
    let project = world.propose_among(&owners, &schema(), &rules).await?;
    world.sign_all(&owners, project).await?;
    world.all(Act::AgreeKey, project).await?;
    fill_outbox(&world, &owner, project, 1, (rows, rows))?;

    let matcher = World::matcher_party()?;
    let before = (usage(&world, &owner)?, usage(&world, &matcher)?);
    let start = Instant::now();
    let (party, mut operations) = world.operator(&owner)?.operations().await?;
    let request = v1::UploadRequest {
        project: project.as_bytes().to_vec().into(),
        dataset: DATASET.to_owned(),
    };
    let stream = operations.upload(request).await;
    let mut acks: Vec<(f64, u64)> = vec![];
    let mut note = |progress: &v1::Progress| {
        if progress.step == "upload" {
            acks.push((start.elapsed().as_secs_f64(), progress.done));
        }
    };
    let done = follow(&party, stream, &mut note).await;
    let result = done.map_err(|error| anyhow::anyhow!("{error}"))?;
    let all = start.elapsed().as_secs_f64();
    let after = (usage(&world, &owner)?, usage(&world, &matcher)?);

    let bytes = result["bytes"].as_u64().context("no bytes")?;
    let (first, last) = (
        acks.first().context("no ack")?,
        acks.last().context("no ack")?,
    );
    ensure!(last.1 > first.1, "one acknowledgement only");
    let sent = (last.1 - first.1) as f64 / last.1 as f64 * bytes as f64;
    let seconds = last.0 - first.0;
    println!(
        "{rows} records, {:.1} MB, over mutual TLS 1.3 on loopback",
        bytes as f64 / 1e6
    );
    println!(
        "  sustained       {:8.1} MB/s ({:.2} s from first to last acknowledgement)",
        sent / seconds / 1e6,
        seconds
    );
    println!("  root before     {:8.2} s", first.0);
    println!("  check after     {:8.2} s", all - last.0);
    println!(
        "  in all          {:8.1} MB/s ({all:.2} s)",
        bytes as f64 / all / 1e6
    );
    for (name, before, after) in [("owner", before.0, after.0), ("matcher", before.1, after.1)] {
        let cpu = after.cpu_seconds - before.cpu_seconds;
        let peak = after.memory_peak_bytes;
        println!(
            "  {name:<8} {cpu:6.2} s CPU, peak memory {} MiB",
            peak / MIB
        );
        ensure!(peak < MEMORY_BYTES_MAX, "{name}: {} MiB", peak / MIB);
    }
    Ok(())
}
