//! Uploads in bad weather: cut at many offsets, late, slow, half-open, and onto a full disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::upload::Part;
use linkage_node::client::Error;
use linkage_node::demo::Rules;
use linkage_tests::proxy::{Proxy, Weather};
use linkage_tests::trail;
use linkage_tests::world::{Act, World, perform};
use serde_json::Value;
use tokio::task::JoinHandle;

/// Enough for some chunks of 256 KiB.
const RECORDS: u64 = 3000;

/// Handshake, frames and calls of one connection, in bytes at most.
const CONNECTION_BYTES: u64 = 16 * 1024;

/// Bytes of one chunk at most: what the network cuts in two is sent again.
const CHUNK_BYTES: u64 = 256 * 1024;

struct Scene {
    world: World,
    proxy: Proxy,
    owner: PartyId,
    project: ProjectId,
}

impl Scene {
    async fn start(seed: u64) -> Result<Self> {
        let (mut world, _) = World::of_departments(RECORDS, seed)?;
        let proxy = Proxy::before(&world.matcher()?.address).await?;
        let owner = world.owner(0)?;
        world.redirect_matcher(&owner, &proxy.address)?;
        let project = world.keyed(&Rules::default()).await?;
        proxy.drained().await;
        Ok(Self {
            world,
            proxy,
            owner,
            project,
        })
    }

    fn begin(&self) -> Result<JoinHandle<Result<Value, Error>>> {
        let (client, party) = (self.world.operator(&self.owner)?, self.owner.clone());
        let project = self.project;
        Ok(tokio::spawn(async move {
            perform(&client, &party, Act::Upload, project).await
        }))
    }

    /// Arrived as sent, accepted once; the batch's length.
    fn check(&self) -> Result<u64> {
        let uploads = self
            .world
            .matcher_store()?
            .uploads(&self.project, Part::Keys)?;
        let [upload] = uploads.as_slice() else {
            anyhow::bail!("{} uploads", uploads.len());
        };
        let sent = fs::read(self.world.outbox(&self.owner, self.project))?;
        ensure!(
            fs::read(self.world.spool(upload)?)? == sent,
            "other bytes arrived"
        );
        let matcher = self.world.data_dir(&World::matcher_party()?);
        ensure!(
            trail::accepted(&matcher, &upload.id)? == 1,
            "not accepted once"
        );
        Ok(sent.len() as u64)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_at_many_offsets() -> Result<()> {
    let scene = Scene::start(41).await?;
    let before = scene.proxy.passed();
    let uploading = scene.begin()?;
    // Within the handshake, the first call, a chunk, and so on: no two at the same place in a
    // chunk.
    let mut offset = 700;
    while !uploading.is_finished() {
        let cuts = scene.proxy.cuts();
        scene.proxy.cut_at(offset);
        while scene.proxy.cuts() == cuts && !uploading.is_finished() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        offset = offset * 2 + 1013;
    }
    uploading.await??;
    let (sent, cuts) = (scene.proxy.passed() - before, scene.proxy.cuts());
    let whole = scene.check()?;
    ensure!(cuts >= 5, "only {cuts} cuts");
    let most = whole + (cuts + 1) * (CONNECTION_BYTES + CHUNK_BYTES);
    ensure!(
        sent <= most,
        "{sent} bytes sent for {whole} after {cuts} cuts"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_slow() -> Result<()> {
    let scene = Scene::start(42).await?;
    for weather in [
        Weather {
            delay: Duration::from_millis(200),
            ..Weather::FAIR
        },
        Weather {
            bytes_per_second: Some(1 << 20),
            ..Weather::FAIR
        },
    ] {
        scene.proxy.weather(weather);
        let before = scene.proxy.passed();
        scene.begin()?.await??;
        let sent = scene.proxy.passed() - before;
        let whole = scene.check()?;
        // Nothing is sent twice because it is late.
        ensure!(
            sent <= whole + whole / 5,
            "{sent} bytes sent for {whole} in {weather:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open() -> Result<()> {
    let scene = Scene::start(43).await?;
    scene.proxy.stop_at(Some(400_000));
    let uploading = scene.begin()?;
    scene.proxy.stopped().await;
    // From now on neither hears from the other, and neither is told: new connections are carried,
    // but the old one must be found dead.
    scene.proxy.leave_half_open();
    scene.proxy.stop_at(None);
    uploading.await??;
    scene.check()?;
    Ok(())
}

/// A small disk in the place of a folder; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount anything.
    fn over(folder: &Path, mebibytes: u32) -> Result<Option<Self>> {
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mebibytes}m,mode=0700"),
                "tmpfs",
            ])
            .arg(folder)
            .status()?;
        Ok(mounted.success().then(|| Self(folder.to_owned())))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn onto_a_full_disk() -> Result<()> {
    let scene = Scene::start(44).await?;
    let folder = scene
        .world
        .data_dir(&World::matcher_party()?)
        .join("uploads");
    let Some(_disk) = SmallDisk::over(&folder, 4)? else {
        println!("not run: mounting a small disk takes the rights of root");
        return Ok(());
    };
    let filler = folder.join("filler");
    let words = |error: &Error| error.to_string();

    // Full before the upload begins.
    fs::write(&filler, vec![1; 3 << 20])?;
    let refused = scene
        .world
        .act(Act::Upload, &scene.owner, scene.project)
        .await;
    let error = refused.err().context("a full disk took an upload")?;
    ensure!(words(&error).contains("store.full"), "{error}");
    fs::remove_file(&filler)?;

    // Full in its middle.
    scene.proxy.stop_at(Some(400_000));
    let uploading = scene.begin()?;
    scene.proxy.stopped().await;
    let free = 4 << 20;
    let uploads = scene
        .world
        .matcher_store()?
        .uploads(&scene.project, Part::Keys)?;
    let spool = scene.world.spool(uploads.first().context("no upload")?)?;
    let length = || fs::metadata(&spool).map_or(0, |file| file.len());
    while length() < CHUNK_BYTES {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let used = length();
    fs::write(
        &filler,
        vec![1; usize::try_from(free - used)? - (600 << 10)],
    )?;
    scene.proxy.stop_at(None);
    let error = uploading
        .await?
        .err()
        .context("a full disk took an upload")?;
    ensure!(words(&error).contains("store.full"), "{error}");
    // With room again it goes on where it stood.
    fs::remove_file(&filler)?;
    let before = scene.proxy.passed();
    scene
        .world
        .act(Act::Upload, &scene.owner, scene.project)
        .await?;
    let sent = scene.proxy.passed() - before;
    let whole = scene.check()?;
    ensure!(
        sent + CHUNK_BYTES <= whole + CONNECTION_BYTES,
        "{sent} of {whole} sent again"
    );
    Ok(())
}
