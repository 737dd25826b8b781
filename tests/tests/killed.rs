//! Uploads under `kill -9` at random moments, on either side and on both: what arrives is what was
//! sent, it is accepted once, and what was acknowledged is not sent again.
//!
//! `scripts/kill-uploads` runs the long form, with more moments on larger batches.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::upload::Part;
use linkage_node::auditlog::verify::verify_dir;
use linkage_node::client::Error;
use linkage_node::demo::Rules;
use linkage_node::settings::NodeRole;
use linkage_node::store::matcher::Upload;
use linkage_tests::proxy::{Proxy, Weather};
use linkage_tests::trail;
use linkage_tests::world::{Act, World, perform};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::task::JoinHandle;

/// Chunks under way without acknowledgement, in bytes: all that may be sent again after a kill.
const WINDOW_BYTES: u64 = 32 * 256 * 1024;

/// Handshakes, frames and calls between two kills, in bytes: a fraction of a chunk.
const OVERHEAD_BYTES: u64 = 64 * 1024;

/// Longest time from the start of the nodes to a kill, in milliseconds: about as long as an upload
/// takes at the pace of the proxy.
const MOMENT_MS_MAX: u64 = 1200;

/// A number from the environment, for the long form.
fn setting(name: &str, usual: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
        Err(_) => Ok(usual),
    }
}

struct Scene {
    world: World,
    proxy: Proxy,
    owner: PartyId,
    rng: ChaCha8Rng,
}

/// What passed and what was durable at one moment.
#[derive(Clone, Copy)]
struct Mark {
    passed: u64,
    durable: u64,
}

impl Scene {
    async fn start(records: u64, seed: u64) -> Result<Self> {
        let (mut world, _) = World::of_departments(records, seed)?;
        let proxy = Proxy::before(&world.matcher()?.address).await?;
        let owner = world.owner(0)?;
        world.redirect_matcher(&owner, &proxy.address)?;
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Ok(Self {
            world,
            proxy,
            owner,
            rng,
        })
    }

    fn upload(&self, project: ProjectId) -> Result<Option<Upload>> {
        let mut uploads = self.world.matcher_store()?.uploads(&project, Part::Keys)?;
        uploads.retain(|upload| upload.party == self.owner.as_str());
        ensure!(uploads.len() <= 1, "{} uploads", uploads.len());
        Ok(uploads.pop())
    }

    fn mark(&self, project: ProjectId) -> Result<Mark> {
        let durable = match self.upload(project)? {
            Some(upload) => fs::metadata(self.world.spool(&upload)?).map_or(0, |file| file.len()),
            None => 0,
        };
        Ok(Mark {
            passed: self.proxy.passed(),
            durable,
        })
    }

    fn begin(&self, project: ProjectId) -> Result<JoinHandle<Result<Value, Error>>> {
        let (client, party) = (self.world.operator(&self.owner)?, self.owner.clone());
        Ok(tokio::spawn(async move {
            perform(&client, &party, Act::Upload, project).await
        }))
    }

    /// Kills one of the two or both, and starts them again. Whether the owner was among them.
    fn kill(&mut self) -> Result<bool> {
        let matcher = World::matcher_party()?;
        let (owner, which) = (self.owner.clone(), self.rng.random_range(0..3));
        let victims = [(NodeRole::Matcher, matcher), (NodeRole::Owner, owner)];
        let chosen = victims
            .iter()
            .enumerate()
            .filter(|(at, _)| which == 2 || which == *at);
        let chosen: Vec<_> = chosen.map(|(_, victim)| victim).collect();
        for (_, party) in &chosen {
            self.world.cluster.kill(party)?;
        }
        for (role, party) in &chosen {
            self.world.cluster.restart(*role, party)?;
        }
        Ok(which != 0)
    }

    /// One upload, killed at random moments until it is through or `kills` are used up; the number
    /// of kills that hit it before it was accepted.
    async fn one(&mut self, kills: u64) -> Result<u64> {
        self.proxy.weather(Weather::FAIR);
        let project = self.world.keyed(&Rules::default()).await?;
        self.proxy.drained().await;
        let mut uploading = self.begin(project)?;
        let (mut killed, mut before) = (0, self.mark(project)?);
        let mut pace_is_set = false;
        while killed < kills {
            // As many bytes a second as the batch has, once that is known.
            let whole = fs::metadata(self.world.outbox(&self.owner, project));
            if let Ok(whole) = whole
                && !pace_is_set
            {
                let bytes_per_second = Some(whole.len());
                self.proxy.weather(Weather {
                    bytes_per_second,
                    ..Weather::FAIR
                });
                pace_is_set = true;
            }
            let moment = Duration::from_millis(self.rng.random_range(0..MOMENT_MS_MAX));
            tokio::time::sleep(moment).await;
            if uploading.is_finished() {
                break;
            }
            let owner_killed = self.kill()?;
            killed += 1;
            let now = self.mark(project)?;
            // What was no whole chunk is cut off when the file is opened again.
            let stored = now.durable.saturating_sub(before.durable);
            let sent = now.passed - before.passed;
            ensure!(
                sent <= stored + WINDOW_BYTES + OVERHEAD_BYTES,
                "{sent} bytes sent for {stored} that are durable"
            );
            before = now;
            if owner_killed {
                ensure!(uploading.await?.is_err() || self.is_accepted(project)?);
                uploading = self.begin(project)?;
            }
        }
        self.proxy.weather(Weather::FAIR);
        uploading.await??;
        self.check(project)?;
        Ok(killed)
    }

    fn is_accepted(&self, project: ProjectId) -> Result<bool> {
        Ok(self
            .upload(project)?
            .is_some_and(|upload| upload.state.is_accepted()))
    }

    fn check(&self, project: ProjectId) -> Result<()> {
        let upload = self.upload(project)?.context("no upload")?;
        ensure!(upload.state.is_accepted(), "{:?}", upload.state);
        let arrived = fs::read(self.world.spool(&upload)?)?;
        let sent = fs::read(self.world.outbox(&self.owner, project))?;
        ensure!(
            arrived == sent,
            "{} bytes arrived, {} were sent",
            arrived.len(),
            sent.len()
        );
        let matcher = self.world.data_dir(&World::matcher_party()?);
        let accepted = trail::accepted(&matcher, &upload.id)?;
        ensure!(accepted == 1, "accepted {accepted} times");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments() -> Result<()> {
    let kills = setting("LINKAGE_KILLS", 20)?;
    let records = setting("LINKAGE_KILL_RECORDS", 2000)?;
    let seed = setting("LINKAGE_KILL_SEED", 31)?;
    let mut scene = Scene::start(records, seed).await?;
    let (mut killed, mut uploads) = (0, 0);
    while killed < kills {
        let hit = scene.one(kills - killed).await.with_context(|| {
            format!("after {killed} kills and {uploads} uploads, with LINKAGE_KILL_SEED={seed}")
        })?;
        killed += hit;
        uploads += 1;
        ensure!(
            uploads < 10 * kills,
            "hardly any upload is hit: {killed} of {uploads}"
        );
    }
    println!("{killed} kills in {uploads} uploads of {records} records: equal, accepted once each");
    scene.world.cluster.stop();
    for (party, dir) in scene.world.data_dirs()? {
        verify_dir(&dir.join("audit")).with_context(|| party.to_string())?;
    }
    Ok(())
}
