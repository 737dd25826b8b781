//! A batch on its way in, on disk: header, then row groups as they come, then the checksum.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use linkage_core::encode::batch::{Batch, BatchError, BatchReader, Header, StreamError};
use linkage_core::upload::state::Reason;
use linkage_core::upload::{ChunkTree, chunks};

use crate::fault::Fault;
use crate::limits::Limits;
use crate::store::matcher::Upload;

/// An open batch file that takes chunks.
pub(super) struct Spool {
    file: File,
    body_bytes: u64,
    written: u64,
    chunk_bytes: u64,
    /// Bytes of the disk that must stay free.
    reserve: u64,
}

/// Where an upload's batch lies.
pub(super) fn path(dir: &Path, id: &[u8; 16]) -> PathBuf {
    dir.join(format!("{}.tokens", hex::encode(id)))
}

/// Number of chunks that an upload has in all.
pub(super) fn chunks_of(upload: &Upload) -> Result<u32, Fault> {
    let header = Header::from_bytes(&upload.header)?;
    let count = chunks(header.body_bytes(), upload.chunk_bytes);
    u32::try_from(count).map_err(|_| Fault::malformed("the number of chunks"))
}

/// First chunk of an upload that is not whole in its file, which need not exist.
pub(super) fn next_chunk(dir: &Path, upload: &Upload) -> Result<u32, Fault> {
    let length = match std::fs::metadata(path(dir, &upload.id)) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    let body = Header::from_bytes(&upload.header)?.body_bytes();
    let received = length.saturating_sub(upload.header.len() as u64).min(body);
    let chunk_bytes = u64::from(upload.chunk_bytes);
    let whole = if received == body {
        received.div_ceil(chunk_bytes)
    } else {
        received / chunk_bytes
    };
    Ok(u32::try_from(whole).unwrap_or(u32::MAX))
}

/// Removes an upload's file, if there is one.
pub(super) fn remove(dir: &Path, id: &[u8; 16]) -> Result<(), Fault> {
    match std::fs::remove_file(path(dir, id)) {
        Ok(()) => Ok(File::open(dir)?.sync_all()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Refuses an upload of `bytes` that would leave less of the disk than must stay free.
pub(super) fn require_room(dir: &Path, bytes: u64, limits: &Limits) -> Result<(), Fault> {
    let disk = Disk::of(&File::open(dir)?)?;
    if disk.free < bytes.saturating_add(disk.reserve(limits)) {
        return Err(full("the batch does not fit beside what must stay free"));
    }
    Ok(())
}

fn full(what: &str) -> Fault {
    tracing::error!(reason = "store.full", what, "disk full");
    let message = format!(
        "this node's disk is full: {what}; try again when its operator has made room, the upload goes \
         on where it stood"
    );
    Fault::new(tonic::Code::ResourceExhausted, "store.full", message)
}

/// The disk that a file lies on.
struct Disk {
    free: u64,
    total: u64,
}

impl Disk {
    fn of(file: &File) -> Result<Self, Fault> {
        let found = nix::sys::statvfs::fstatvfs(file).map_err(io::Error::from)?;
        Ok(Self {
            free: found
                .blocks_available()
                .saturating_mul(found.fragment_size()),
            total: found.blocks().saturating_mul(found.fragment_size()),
        })
    }

    fn reserve(&self, limits: &Limits) -> u64 {
        let part = self.total / 100 * u64::from(limits.disk_reserve_percent);
        part.min(limits.disk_reserve_bytes)
    }
}

impl Spool {
    /// Opens an open upload's file and makes it if absent. Bytes beyond the last whole chunk were
    /// not acknowledged and are cut off; what is left is on disk when this returns.
    pub(super) fn open(dir: &Path, upload: &Upload, limits: &Limits) -> Result<Self, Fault> {
        let body_bytes = Header::from_bytes(&upload.header)?.body_bytes();
        let chunk_bytes = u64::from(upload.chunk_bytes);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path(dir, &upload.id))?;
        let start = upload.header.len() as u64;
        let length = file.metadata()?.len();
        if length < start {
            file.set_len(0)?;
            file.write_all(&upload.header)?;
            file.sync_all()?;
            File::open(dir)?.sync_all()?;
        }
        let mut written = length.saturating_sub(start).min(body_bytes);
        if written < body_bytes {
            written -= written % chunk_bytes;
        }
        file.set_len(start + written)?;
        file.seek(SeekFrom::Start(start + written))?;
        // A process that was killed may have left bytes that no disk has seen.
        file.sync_data()?;
        let reserve = Disk::of(&file)?.reserve(limits);
        Ok(Self {
            file,
            body_bytes,
            written,
            chunk_bytes,
            reserve,
        })
    }

    /// First chunk that is not in the file.
    pub(super) fn next_chunk(&self) -> u32 {
        u32::try_from(self.written.div_ceil(self.chunk_bytes)).unwrap_or(u32::MAX)
    }

    /// Appends chunk `index`. It is not on disk before [`Spool::sync`].
    pub(super) fn append(&mut self, index: u32, crc: u32, rows: &[u8]) -> Result<(), Fault> {
        if index != self.next_chunk() {
            // The sender begins again: a stream that it had lost may have brought this chunk.
            return Err(Fault::new(
                tonic::Code::Aborted,
                "upload.order",
                format!("chunk {index} came, chunk {} is next", self.next_chunk()),
            ));
        }
        let expected = self.chunk_bytes.min(self.body_bytes - self.written);
        if rows.len() as u64 != expected || rows.is_empty() {
            return Err(Fault::malformed("the chunk's length"));
        }
        if crc32c::crc32c(rows) != crc {
            return Err(Fault::new(
                tonic::Code::DataLoss,
                "upload.checksum",
                "a chunk was damaged on its way; send it again",
            ));
        }
        self.file.write_all(rows)?;
        self.written += rows.len() as u64;
        Ok(())
    }

    /// Waits until all that was appended is on disk; before, looks whether enough stays free.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        if Disk::of(&self.file)?.free < self.reserve {
            return Err(full("what must stay free of it has been reached"));
        }
        Ok(self.file.sync_data()?)
    }
}

/// Checks that a complete file has the announced root and digest and is a batch, and completes it
/// with the digest. Reads it once.
///
/// # Errors
/// Outside, what failed here; inside, why the batch is refused.
pub(super) fn check(dir: &Path, upload: &Upload) -> Result<Result<(), Reason>, Fault> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path(dir, &upload.id))?;
    let body_bytes = Header::from_bytes(&upload.header)?.body_bytes();
    let end = upload.header.len() as u64 + body_bytes;
    // A crash may have come after the digest was written.
    file.set_len(end)?;
    let mut body = Chunked {
        input: BufReader::new(&file),
        skip: upload.header.len(),
        tree: ChunkTree::new(upload.chunk_bytes),
    };
    let read = read_through((&mut body).chain(upload.digest.as_slice()));
    let reason = match read {
        Ok(()) => None,
        Err(StreamError::Io(error)) => return Err(error.into()),
        Err(StreamError::Batch(BatchError::Checksum)) => Some(Reason::Digest),
        Err(StreamError::Batch(_)) => Some(Reason::Batch),
    };
    // What did not come to its end has no root to compare.
    if reason != Some(Reason::Batch) && body.tree.finish() != upload.root {
        return Ok(Err(Reason::Root));
    }
    if let Some(reason) = reason {
        return Ok(Err(reason));
    }
    file.seek(SeekFrom::Start(end))?;
    file.write_all(&upload.digest)?;
    file.sync_all()?;
    Ok(Ok(()))
}

/// Reads a batch group by group.
fn read_through(input: impl Read) -> Result<(), StreamError> {
    let mut reader = BatchReader::new(input)?;
    let mut group = Batch::new(reader.header().clone());
    while reader.read_group(&mut group)? > 0 {
        group.clear();
    }
    Ok(())
}

/// Passes a batch file on and digests the chunks behind its header.
struct Chunked<R> {
    input: R,
    skip: usize,
    tree: ChunkTree,
}

impl<R: Read> Read for Chunked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        let skipped = self.skip.min(count);
        self.skip -= skipped;
        self.tree.update(into.get(skipped..count).unwrap_or(&[]));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use linkage_core::encode::batch::{BatchWriter, Row};
    use linkage_core::keys::KeyId;
    use linkage_core::schema::Schema;
    use linkage_core::upload;
    use linkage_core::upload::state::State;

    use super::*;

    fn upload(rows: u64) -> (Upload, Vec<u8>) {
        let schema = Schema::parse(
            "version = 1\nentity = \"persons\"\nid_column = \"id\"\n[token]\nprofile = \"plain-clk\"\nbits = 256\n[[field]]\n\
             name = \"n\"\nkind = \"name\"\nfeature = [{ kind = \"whole\", bits = 9 }]\n",
        )
        .unwrap();
        let header = Header::new([1; 32], &schema, KeyId([2; 8]), rows);
        let mut writer = BatchWriter::new(Vec::new(), &header).unwrap();
        for row in 0..rows {
            let row = Row {
                token: &[row, 2, 3, !row],
                link_keys: &[],
                block_keys: &[],
                classes: &[],
            };
            writer.push(&row).unwrap();
        }
        let (all, digest) = writer.finish().unwrap();
        let header = header.to_bytes();
        let body = all[header.len()..all.len() - 32].to_vec();
        let upload = Upload {
            id: [3; 16],
            operation: [4; 16],
            request: [5; 32],
            project: [1; 32].into(),
            party: "health".into(),
            part: upload::Part::Whole,
            header,
            digest,
            root: upload::root(&body, 64),
            chunk_bytes: 64,
            state: State::NEW,
        };
        (upload, body)
    }

    fn open(dir: &Path, upload: &Upload) -> Spool {
        Spool::open(dir, upload, &Limits::default()).unwrap()
    }

    fn put(spool: &mut Spool, body: &[u8], from: usize) {
        for (index, chunk) in body.chunks(64).enumerate().skip(from) {
            spool
                .append(u32::try_from(index).unwrap(), crc32c::crc32c(chunk), chunk)
                .unwrap();
        }
        spool.sync().unwrap();
    }

    #[test]
    fn resumes_at_the_last_whole_chunk_from_any_cut() {
        let (upload, body) = upload(7);
        for cut in 0..=(upload.header.len() + body.len()) {
            let dir = tempfile::tempdir().unwrap();
            put(&mut open(dir.path(), &upload), &body, 0);
            OpenOptions::new()
                .write(true)
                .open(path(dir.path(), &upload.id))
                .unwrap()
                .set_len(cut as u64)
                .unwrap();
            let told = next_chunk(dir.path(), &upload).unwrap();
            let mut spool = open(dir.path(), &upload);
            let next = spool.next_chunk();
            assert_eq!(told, next, "cut at {cut}");
            let next = next as usize;
            assert!(next * 64 <= cut.saturating_sub(upload.header.len()).max(1) + 63);
            put(&mut spool, &body, next);
            // Checked twice, as after a crash in between.
            for _ in 0..2 {
                assert_eq!(check(dir.path(), &upload).unwrap(), Ok(()));
            }
            let bytes = std::fs::read(path(dir.path(), &upload.id)).unwrap();
            assert_eq!(Batch::decode(&bytes).unwrap().len(), 7);
        }
    }

    #[test]
    fn refuses_wrong_order_length_checksum() {
        let (upload, body) = upload(4);
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open(dir.path(), &upload);
        let chunk = &body[..64];
        let crc = crc32c::crc32c(chunk);
        let reason = |result: Result<(), Fault>| result.unwrap_err().reason();
        assert_eq!(reason(spool.append(1, crc, chunk)), "upload.order");
        assert_eq!(
            reason(spool.append(0, crc, &body[..32])),
            "request.malformed"
        );
        assert_eq!(reason(spool.append(0, crc ^ 1, chunk)), "upload.checksum");
        put(&mut spool, &body, 0);
        assert_eq!(reason(spool.append(0, crc, chunk)), "upload.order");
    }

    #[test]
    fn refuses_another_root_another_digest_and_what_is_no_batch() {
        let (upload, body) = upload(4);
        let refusal = |upload: &Upload, body: &[u8]| {
            let dir = tempfile::tempdir().unwrap();
            put(&mut open(dir.path(), upload), body, 0);
            check(dir.path(), upload).unwrap().unwrap_err()
        };
        let other = Upload {
            root: linkage_core::audit::tree::Hash([0; 32]),
            ..upload.clone()
        };
        assert_eq!(refusal(&other, &body), Reason::Root);
        let other = Upload {
            digest: [0; 32],
            ..upload.clone()
        };
        assert_eq!(refusal(&other, &body), Reason::Digest);
        // The last row's number of set bits, under a root and a digest that fit.
        let mut damaged = body.clone();
        let last = damaged.len() - 2;
        damaged[last] ^= 1;
        let all = [upload.header.as_slice(), &damaged].concat();
        let mut other = Upload {
            root: upload::root(&damaged, 64),
            ..upload.clone()
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, &all);
        other.digest.copy_from_slice(digest.as_ref());
        assert_eq!(refusal(&other, &damaged), Reason::Batch);
    }

    #[test]
    fn leaves_free_what_must_stay_free() {
        let (upload, body) = upload(4);
        let dir = tempfile::tempdir().unwrap();
        let whole_disk = Limits {
            disk_reserve_percent: 100,
            disk_reserve_bytes: u64::MAX,
            ..Limits::default()
        };
        let refused = require_room(dir.path(), 1, &whole_disk).unwrap_err();
        assert_eq!(refused.reason(), "store.full");
        require_room(dir.path(), 1, &Limits::default()).unwrap();
        let mut spool = Spool::open(dir.path(), &upload, &whole_disk).unwrap();
        let chunk = &body[..64];
        spool.append(0, crc32c::crc32c(chunk), chunk).unwrap();
        let refused = spool.sync().unwrap_err();
        assert_eq!(refused.reason(), "store.full");
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        // With room again it goes on where it stood.
        let mut spool = open(dir.path(), &upload);
        let next = spool.next_chunk() as usize;
        put(&mut spool, &body, next);
        assert_eq!(check(dir.path(), &upload).unwrap(), Ok(()));
    }
}
