//! Uploads as the protocol has them: what does not belong is refused by name, what is repeated
//! changes nothing, and what was given up leaves nothing behind.

use std::fs;

use anyhow::{Context as _, Result};
use linkage_core::audit::action::Action;
use linkage_core::audit::tree::Hash;
use linkage_core::encode::batch::read_header;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::upload::Part;
use linkage_node::demo::Rules;
use linkage_proto::v1;
use linkage_proto::v1::upload_state::State;
use linkage_proto::v1::uploads_client::UploadsClient;
use linkage_tests::sender::{self, Parcel, Sender, operation, put, uploads};
use linkage_tests::world::{Act, World};
use linkage_tests::{calls, trail};
use tonic::transport::Channel;

const RECORDS: u64 = 200;

/// Small, so that there are several.
const CHUNK_BYTES: u32 = 16 * 1024;

/// Two owners, one of which has uploaded in its own way.
struct Scene {
    world: World,
    project: ProjectId,
    credit: PartyId,
    health: PartyId,
    /// What health uploaded, byte for byte: a batch that credit might send as well.
    batch: Vec<u8>,
}

impl Scene {
    async fn start(seed: u64) -> Result<Self> {
        let (world, _) = World::of_departments(RECORDS, seed)?;
        let project = world.keyed(&Rules::default()).await?;
        let (credit, health): (PartyId, PartyId) = ("credit".parse()?, "health".parse()?);
        world.act(Act::Upload, &health, project).await?;
        let batch = fs::read(world.outbox(&health, project))?;
        Ok(Self {
            world,
            project,
            credit,
            health,
            batch,
        })
    }

    fn parcel(&self, name: u8) -> Result<Parcel> {
        Parcel::of(&self.batch, CHUNK_BYTES, name)
    }

    /// The chunks of the batch, of upload `upload`.
    fn chunks(&self, upload: &[u8]) -> Result<Vec<v1::Chunk>> {
        sender::chunks(&self.batch, CHUNK_BYTES, upload)
    }

    fn actions(&self, action: Action) -> Result<usize> {
        let matcher = self.world.data_dir(&World::matcher_party()?);
        let entries = trail::entries(&matcher)?;
        Ok(entries
            .iter()
            .filter(|entry| entry.event.action == action)
            .count())
    }
}

/// The reason with which a stream of chunks is refused, at its beginning or later.
async fn refusal(uploads: &mut UploadsClient<Channel>, chunks: Vec<v1::Chunk>) -> Result<String> {
    match uploads.put(tokio_stream::iter(chunks)).await {
        Err(status) => Ok(calls::reason(&status)),
        Ok(acks) => {
            let mut acks = acks.into_inner();
            loop {
                match acks.message().await {
                    Ok(ack) => drop(ack.context("nothing was refused")?),
                    Err(status) => return Ok(calls::reason(&status)),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_do_not_belong_are_refused() -> Result<()> {
    let scene = Scene::start(24).await?;
    let Scene {
        world,
        project,
        credit,
        health,
        batch,
    } = &scene;
    let mut client = uploads(world, credit).await?;
    let sender = Sender::new(world, credit, *project)?;
    let header = read_header(&mut batch.as_slice())?;

    let (mut foreign, mut schema, mut bits, mut keyed) = (
        header.clone(),
        header.clone(),
        header.clone(),
        header.clone(),
    );
    foreign.project = [1; 32];
    schema.schema = [1; 32];
    bits.token_bits = 512;
    keyed.key.0 = [1; 8];
    let parcel = scene.parcel(1)?;
    let forged = v1::BeginRequest {
        digest: vec![4; 32].into(),
        ..sender.begin(&parcel)
    };
    let other_root = v1::BeginRequest {
        root: vec![4; 32].into(),
        ..sender.begin(&parcel)
    };
    // What health signed, word for word: under credit's certificate it is nothing.
    let stolen = Sender::new(world, health, *project)?.begin(&parcel);
    let mut version_four = parcel.clone();
    version_four.operation[6] = 0x40;
    let with = |header| sender.begin(&parcel.clone().with_header(header));
    let large = Parcel {
        chunk_bytes: 1 << 20,
        ..parcel.clone()
    };
    for (what, request, expected) in [
        ("another project", with(&foreign), "upload.schema"),
        ("another schema", with(&schema), "upload.schema"),
        ("another length", with(&bits), "upload.schema"),
        ("another key", with(&keyed), "upload.key"),
        ("a forged digest", forged, "project.signature"),
        ("a forged root", other_root, "project.signature"),
        ("another's signature", stolen, "project.signature"),
        (
            "no UUID of version 7",
            sender.begin(&version_four),
            "request.malformed",
        ),
        (
            "chunks too large",
            sender.begin(&large),
            "request.malformed",
        ),
    ] {
        let reply = client.begin(request).await;
        assert_eq!(calls::refusal(reply)?, expected, "{what}");
    }
    let many = linkage_core::encode::Header {
        rows: 50_000_001,
        ..header
    };
    assert_eq!(
        calls::refusal(client.begin(with(&many)).await)?,
        "upload.quota"
    );

    // Another owner's upload can be neither looked at, added to, sealed nor given up.
    let other = world.matcher_store()?.uploads(project, Part::Keys)?;
    let other = other.first().context("no upload")?.id.to_vec();
    let name = || v1::UploadName {
        upload: other.clone().into(),
    };
    assert_eq!(
        calls::refusal(client.status(name()).await)?,
        "upload.unknown"
    );
    assert_eq!(calls::refusal(client.seal(name()).await)?, "upload.unknown");
    assert_eq!(
        calls::refusal(client.abort(name()).await)?,
        "upload.unknown"
    );
    let chunks = scene.chunks(&other)?;
    assert_eq!(refusal(&mut client, chunks).await?, "upload.unknown");

    world.act(Act::Upload, credit, *project).await?;
    let again = client.begin(sender.begin(&parcel)).await;
    assert_eq!(calls::refusal(again)?, "upload.other");
    world.all(Act::Upload, *project).await?;
    world.act(Act::StartRun, credit, *project).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_key_stands_for_one_request() -> Result<()> {
    let scene = Scene::start(25).await?;
    let Scene {
        world,
        project,
        credit,
        ..
    } = &scene;
    let mut client = uploads(world, credit).await?;
    let sender = Sender::new(world, credit, *project)?;
    let parcel = scene.parcel(1)?;

    let begun = client.begin(sender.begin(&parcel)).await?.into_inner();
    let before = scene.actions(Action::UploadBegin)?;
    let again = client.begin(sender.begin(&parcel)).await?.into_inner();
    assert_eq!(again, begun);
    assert_eq!(scene.actions(Action::UploadBegin)?, before);
    assert_eq!(begun.state(), State::Open);
    let mismatch = [
        Parcel {
            root: Hash([1; 32]),
            ..parcel.clone()
        },
        Parcel {
            digest: [1; 32],
            ..parcel.clone()
        },
        Parcel {
            chunk_bytes: CHUNK_BYTES * 2,
            ..parcel.clone()
        },
    ];
    for other in mismatch {
        let reply = client.begin(sender.begin(&other)).await;
        assert_eq!(
            calls::refusal(reply)?,
            "upload.idempotency_mismatch",
            "{other:?}"
        );
    }
    // Another owner cannot use the key either, nor find out whose it is.
    let third: PartyId = world.owner(2)?;
    let mut stranger = uploads(world, &third).await?;
    let stolen = Sender::new(world, &third, *project)?.begin(&parcel);
    let reply = stranger.begin(stolen).await;
    assert_eq!(calls::refusal(reply)?, "upload.idempotency_mismatch");

    let chunks = scene.chunks(&begun.upload)?;
    let total = u32::try_from(chunks.len())?;
    assert_eq!(begun.chunks, total);
    assert_eq!(put(&mut client, chunks).await?, total);
    let name = || v1::UploadName {
        upload: begun.upload.clone(),
    };
    let mut sealed = vec![];
    for _ in 0..3 {
        let mut state = client.seal(name()).await?.into_inner();
        assert!(state.receipt.contains("tlog-proof"), "{state:?}");
        state.receipt.clear();
        sealed.push(state);
    }
    sealed.push(client.begin(sender.begin(&parcel)).await?.into_inner());
    sealed.push(client.status(name()).await?.into_inner());
    for state in &sealed {
        assert_eq!(state, sealed.first().context("nothing")?);
        assert_eq!(state.state(), State::Accepted);
        assert_eq!(state.root, parcel.root.0.as_slice());
    }
    let accepted = scene.actions(Action::UploadAccept)?;
    assert_eq!(accepted, 2, "health's and credit's");
    // What is accepted is not given up.
    assert_eq!(
        calls::refusal(client.abort(name()).await)?,
        "upload.not_open"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_do_not_belong_are_refused() -> Result<()> {
    let scene = Scene::start(26).await?;
    let Scene {
        world,
        project,
        credit,
        ..
    } = &scene;
    let mut client = uploads(world, credit).await?;
    let sender = Sender::new(world, credit, *project)?;
    let begun = client
        .begin(sender.begin(&scene.parcel(1)?))
        .await?
        .into_inner();
    let chunks = scene.chunks(&begun.upload)?;
    let [first, second, third, ..] = chunks.as_slice() else {
        anyhow::bail!("too few chunks");
    };

    // Sealed before all is there, and a chunk before its turn.
    let name = || v1::UploadName {
        upload: begun.upload.clone(),
    };
    assert_eq!(
        calls::refusal(client.seal(name()).await)?,
        "upload.incomplete"
    );
    let ahead = vec![second.clone()];
    assert_eq!(refusal(&mut client, ahead).await?, "upload.order");
    assert_eq!(put(&mut client, vec![first.clone()]).await?, 1);
    // An old one, one that was damaged, one of another upload, one cut short.
    let damaged = v1::Chunk {
        crc32c: second.crc32c ^ 1,
        ..second.clone()
    };
    let foreign = v1::Chunk {
        upload: vec![7; 16].into(),
        ..third.clone()
    };
    let short = v1::Chunk {
        rows: second.rows.slice(1..),
        crc32c: crc32c::crc32c(&second.rows[1..]),
        ..second.clone()
    };
    for (what, stream, expected) in [
        ("an old chunk", vec![first.clone()], "upload.order"),
        ("a damaged chunk", vec![damaged], "upload.checksum"),
        ("a chunk cut short", vec![short], "request.malformed"),
        (
            "one of another upload",
            vec![second.clone(), foreign],
            "upload.confused",
        ),
    ] {
        assert_eq!(refusal(&mut client, stream).await?, expected, "{what}");
    }
    // What came in order before the foreign one has stayed.
    let state = client.status(name()).await?.into_inner();
    assert_eq!((state.state(), state.next_chunk), (State::Open, 2));

    // Chunks swapped under right checksums: found when the batch is sealed, and removed.
    let mut rest: Vec<_> = chunks.iter().skip(2).cloned().collect();
    if let Some(last) = rest.last_mut() {
        let mut rows = last.rows.to_vec();
        rows[0] ^= 1;
        last.crc32c = crc32c::crc32c(&rows);
        last.rows = rows.into();
    }
    put(&mut client, rest).await?;
    for _ in 0..2 {
        let sealed = client.seal(name()).await?.into_inner();
        assert_eq!(
            (sealed.state(), sealed.reason.as_str()),
            (State::Refused, "upload.root")
        );
    }
    let upload = world
        .matcher_store()?
        .upload(&begun.upload)?
        .context("gone")?;
    assert!(!world.spool(&upload)?.exists());
    assert_eq!(scene.actions(Action::UploadRefuse)?, 1);
    assert_eq!(
        refusal(&mut client, vec![first.clone()]).await?,
        "upload.not_open"
    );
    // The owner's own node uploads under a key of its own.
    world.act(Act::Upload, credit, *project).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_given_up_leaves_nothing_behind() -> Result<()> {
    let scene = Scene::start(27).await?;
    let Scene {
        world,
        project,
        credit,
        ..
    } = &scene;
    let mut client = uploads(world, credit).await?;
    let sender = Sender::new(world, credit, *project)?;
    let parcel = scene.parcel(1)?;
    let begun = client.begin(sender.begin(&parcel)).await?.into_inner();
    let first = scene
        .chunks(&begun.upload)?
        .into_iter()
        .next()
        .context("no chunk")?;
    put(&mut client, vec![first]).await?;
    // A second one beside it is refused.
    let second = Parcel {
        operation: operation(2),
        ..parcel.clone()
    };
    let beside = client.begin(sender.begin(&second)).await;
    assert_eq!(calls::refusal(beside)?, "upload.other");

    let name = || v1::UploadName {
        upload: begun.upload.clone(),
    };
    for _ in 0..2 {
        let state = client.abort(name()).await?.into_inner();
        assert_eq!(
            (state.state(), state.reason.as_str()),
            (State::Refused, "upload.aborted")
        );
    }
    let upload = world
        .matcher_store()?
        .upload(&begun.upload)?
        .context("gone")?;
    assert!(!world.spool(&upload)?.exists());
    assert_eq!(scene.actions(Action::UploadAbort)?, 1);
    let begun = client.begin(sender.begin(&second)).await?.into_inner();
    assert_eq!(begun.state(), State::Open);
    Ok(())
}
