//! Wrong clocks: who is refused for one, what shows that a clock was wrong, and that work goes on
//! where it can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail, ensure};
use linkage_core::audit::action::Action;
use linkage_core::audit::verify::Fault;
use linkage_core::ids::PartyId;
use linkage_node::auditlog::verify::verify_dir;
use linkage_node::demo::Rules;
use linkage_node::settings::NodeRole;
use linkage_tests::program::peer_test;
use linkage_tests::world::{Act, World};
use linkage_tests::{preload, program, trail};
use serde_json::Value;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A world whose matcher has a clock of its own.
struct Scene {
    world: World,
    library: PathBuf,
    /// Where the seconds stand by which the matcher's clock is ahead.
    ahead: PathBuf,
    /// An owner, whose clock is right.
    owner: PartyId,
}

impl Scene {
    fn start(seed: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (library, ahead) = (
            preload::library(dir.path(), "clock")?,
            dir.path().join("ahead"),
        );
        let mut world = preload::departments(dir, 50, seed)?;
        fs::write(&ahead, "0")?;
        let matcher = World::matcher_party()?;
        world.cluster.kill(&matcher)?;
        let setting = [format!("LINKAGE_CLOCK_FILE={}", ahead.display())];
        preload::restart(
            &mut world,
            &(NodeRole::Matcher, matcher),
            &library,
            &setting,
        )??;
        let owner = world.owner(0)?;
        Ok(Self {
            world,
            library,
            ahead,
            owner,
        })
    }

    fn set(&self, ahead: i64) -> Result<()> {
        // In one go: half a number is another one.
        let beside = self.ahead.with_extension("beside");
        fs::write(&beside, ahead.to_string())?;
        Ok(fs::rename(beside, &self.ahead)?)
    }

    /// What the owner's `linkage peer test` says of the matcher.
    fn peer(&self) -> Result<Value> {
        let (_, peers) = peer_test(&self.world.node(&self.owner)?.config)?;
        let matcher = peers.iter().find(|peer| peer["role"] == "matcher");
        let result = matcher.and_then(|matcher| matcher.get("result"));
        result.cloned().context("no matcher")
    }

    fn doctor(&self, party: &PartyId, ahead: Option<&Path>) -> Result<Output> {
        let mut command = Command::new(program::linkage()?);
        command.args(["doctor", "--config"]);
        command.arg(&self.world.node(party)?.config);
        if let Some(ahead) = ahead {
            command.env("LD_PRELOAD", &self.library);
            command.env("LINKAGE_CLOCK_FILE", ahead);
        }
        Ok(command.output()?)
    }

    /// By how many seconds the matcher's clock was put back, as whoever verifies its log is told.
    fn put_back_by(&self) -> Result<i64> {
        match verify_dir(&self.matcher_data()?.join("audit")) {
            Err(Fault::Backwards { seconds, .. }) => Ok(seconds),
            other => bail!("{other:?}"),
        }
    }

    fn matcher_data(&self) -> Result<PathBuf> {
        Ok(self.world.data_dir(&World::matcher_party()?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_do_not_hold_by_a_clock_far_off() -> Result<()> {
    let scene = Scene::start(51)?;
    assert_eq!(scene.peer()?["ok"], true);
    // Certificates are good from five minutes before they are made, for a month.
    for (ahead, reason) in [
        (40 * DAY, "tls.expired"),
        (-2 * DAY, "tls.not_yet_valid"),
        (-HOUR, "tls.not_yet_valid"),
    ] {
        let before = trail::entries(&scene.matcher_data()?)?.len();
        scene.set(ahead)?;
        let told = scene.peer()?;
        // One alert stands for both.
        assert_eq!(told["reason"], "tls.expired", "{ahead}: {told}");
        assert_eq!(told["refused_by"], "peer", "{ahead}");
        trail::expect(&scene.matcher_data()?, before, Action::TlsRefused, reason)?;
    }
    scene.set(0)?;
    assert_eq!(scene.peer()?["ok"], true);
    // So far off, that the log's entries are no longer in order.
    assert!(scene.put_back_by()? > 40 * DAY - HOUR);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_put_back_within_a_run_is_seen_and_stops_nothing() -> Result<()> {
    let mut scene = Scene::start(52)?;
    scene.set(HOUR)?;
    let looked = scene.doctor(&scene.owner, None)?;
    let words = String::from_utf8(looked.stdout)?;
    ensure!(
        words.contains("clock.skew") && !looked.status.success(),
        "{words}"
    );

    let world = &scene.world;
    let project = world.keyed(&Rules::default()).await?;
    world.act(Act::Upload, &scene.owner, project).await?;
    let ahead = trail::entries(&scene.matcher_data()?)?.len();
    scene.set(0)?;
    world.all(Act::Upload, project).await?;
    world.act(Act::StartRun, &scene.owner, project).await?;
    world.all(Act::FetchPositions, project).await?;
    assert!(
        world
            .recomputed(project)?
            .same_partition(&world.delivered(project)?)
    );

    // The log is as the clock was.
    let entries = trail::entries(&scene.matcher_data()?)?;
    let (early, late) = entries.split_at_checked(ahead).context("a shorter log")?;
    let (last, next) = (early.last().context("none")?, late.first().context("none")?);
    assert!(
        next.time < last.time,
        "{:?} after {:?}",
        next.time,
        last.time
    );

    // By a clock that is behind what the node has written, its operator is told.
    let behind = scene.ahead.with_extension("behind");
    fs::write(&behind, (-2 * HOUR).to_string())?;
    let looked = scene.doctor(&scene.owner, Some(&behind))?;
    let words = String::from_utf8(looked.stdout)?;
    ensure!(words.contains("clock.behind"), "{words}");

    scene.world.cluster.stop();
    let matcher = World::matcher_party()?;
    for (party, dir) in scene.world.data_dirs()? {
        if party != matcher {
            verify_dir(&dir.join("audit")).with_context(|| party.to_string())?;
        }
    }
    // Whoever verifies the log is told by how much; but for that it is whole.
    let seconds = scene.put_back_by()?;
    assert!((HOUR - 60..=HOUR).contains(&seconds), "{seconds}");
    Ok(())
}
