//! An owner that speaks the upload protocol by itself: with its own keys and whatever it likes to
//! say.

use anyhow::{Context as _, Result, ensure};
use linkage_core::audit::tree::Hash;
use linkage_core::encode::Header;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::{Project, Purpose};
use linkage_core::upload::{Announcement, root};
use linkage_node::identity::Role;
use linkage_node::sealed::{self, Credential};
use linkage_node::secret::SecretRef;
use linkage_proto::v1;
use linkage_proto::v1::uploads_client::UploadsClient;
use ring::signature::Ed25519KeyPair;
use tonic::transport::Channel;
use zeroize::Zeroizing;

use crate::world::World;
use crate::{calls, certificates};

/// An owner's signing key and the project that it signs for.
pub struct Sender {
    party: PartyId,
    project: Project,
    key: Ed25519KeyPair,
}

/// A batch to announce.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The operation key.
    pub operation: [u8; 16],
    /// The batch's header.
    pub header: Vec<u8>,
    /// Bytes of a full chunk.
    pub chunk_bytes: u32,
    /// The batch's digest.
    pub digest: [u8; 32],
    /// The root over its chunks.
    pub root: Hash,
}

impl Parcel {
    /// The batch of these bytes, under an operation key made from `name`.
    ///
    /// # Errors
    /// When they are no batch.
    pub fn of(batch: &[u8], chunk_bytes: u32, name: u8) -> Result<Self> {
        let header = linkage_core::encode::batch::read_header(&mut &*batch)?.to_bytes();
        let end = batch.len().checked_sub(32).context("too short")?;
        let body = batch.get(header.len()..end).context("too short")?;
        Ok(Self {
            operation: operation(name),
            root: root(body, chunk_bytes),
            header,
            chunk_bytes,
            digest: batch.get(end..).context("too short")?.try_into()?,
        })
    }

    /// The same under another header.
    #[must_use]
    pub fn with_header(self, header: &Header) -> Self {
        Self {
            header: header.to_bytes(),
            ..self
        }
    }
}

/// An operation key: a UUID of version 7.
pub fn operation(name: u8) -> [u8; 16] {
    let mut key = u128::from_be_bytes([name; 16]);
    // Version and variant, RFC 9562 section 5.7.
    key = key & !(0xf << 76) | 0x7 << 76;
    key = key & !(0x3 << 62) | 0x2 << 62;
    key.to_be_bytes()
}

impl Sender {
    /// The owner `party`, with the key from its folder, in a project that the matcher knows.
    ///
    /// # Errors
    /// When there is no such project or key.
    pub fn new(world: &World, party: &PartyId, project: ProjectId) -> Result<Self> {
        let kept = world.matcher_store()?.project(&project)?;
        Ok(Self {
            party: party.clone(),
            project: Project::parse(&kept.context("no project")?.manifest)?,
            key: signing_key(world, party)?,
        })
    }

    /// Announces a batch.
    pub fn begin(&self, parcel: &Parcel) -> v1::BeginRequest {
        let announced = Announcement {
            operation: &parcel.operation,
            project: &self.project.id,
            party: &self.party,
            header: &parcel.header,
            chunk_bytes: parcel.chunk_bytes,
            digest: &parcel.digest,
            root: &parcel.root,
        }
        .digest();
        let signature = self.project.sign(&self.key, Purpose::Batch, &announced);
        v1::BeginRequest {
            operation: parcel.operation.to_vec().into(),
            project: self.project.id.as_bytes().to_vec().into(),
            header: parcel.header.clone().into(),
            chunk_bytes: parcel.chunk_bytes,
            digest: parcel.digest.to_vec().into(),
            root: parcel.root.0.to_vec().into(),
            signature: signature.into(),
        }
    }
}

/// The secret of an owner's signing key, as a dishonest owner would use it.
///
/// # Errors
/// When a file cannot be read.
pub fn signing_secret(world: &World, party: &PartyId) -> Result<Zeroizing<[u8; 32]>> {
    let node = world.data_dir(party);
    let node = node.parent().context("no folder")?;
    let credential = Credential::read(&SecretRef::File(node.join("credential")))?;
    let path = node.join("signing.key");
    Ok(sealed::read_key(&path, sealed::SIGNING_KEY, &credential)?)
}

/// An owner's signing key.
///
/// # Errors
/// When a file cannot be read.
pub fn signing_key(world: &World, party: &PartyId) -> Result<Ed25519KeyPair> {
    let seed = signing_secret(world, party)?;
    let key = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
    key.map_err(|_| anyhow::anyhow!("no signing key"))
}

/// A client of the matcher's uploads under a certificate of this owner.
///
/// # Errors
/// When no certificate can be issued or the matcher cannot be reached.
pub async fn uploads(world: &World, party: &PartyId) -> Result<UploadsClient<Channel>> {
    let validity = certificates::today()?;
    let pki = world.cluster.pki();
    let files = pki.issue(Role::Owner, party.as_str(), &[], validity)?;
    let channel = calls::connect_as(&files, world.matcher()?).await??;
    Ok(UploadsClient::new(channel))
}

/// The chunks of a batch, of the upload of this name.
///
/// # Errors
/// When the bytes are no batch.
pub fn chunks(batch: &[u8], chunk_bytes: u32, upload: &[u8]) -> Result<Vec<v1::Chunk>> {
    let header = linkage_core::encode::batch::read_header(&mut &*batch)?.to_bytes();
    let end = batch.len().checked_sub(32).context("too short")?;
    let body = batch.get(header.len()..end).context("too short")?;
    let chunks = (0..).zip(body.chunks(chunk_bytes as usize));
    Ok(chunks
        .map(|(index, rows)| v1::Chunk {
            upload: upload.to_vec().into(),
            index,
            crc32c: crc32c::crc32c(rows),
            rows: rows.to_vec().into(),
        })
        .collect())
}

/// Sends chunks until they are acknowledged; the first chunk that is not on disk.
///
/// # Errors
/// When a chunk is refused, or an acknowledgement does not get on.
pub async fn put(uploads: &mut UploadsClient<Channel>, chunks: Vec<v1::Chunk>) -> Result<u32> {
    let mut acks = uploads.put(tokio_stream::iter(chunks)).await?.into_inner();
    let mut next = 0;
    while let Some(ack) = acks.message().await? {
        ensure!(ack.next_chunk > next, "{} after {next}", ack.next_chunk);
        next = ack.next_chunk;
    }
    Ok(next)
}
