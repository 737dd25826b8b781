//! A batch on its way in, on disk: header, then row groups as they come, then the checksum.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use linkage_core::encode::batch::{Batch, BatchError, BatchReader, Header, StreamError};

use crate::fault::Fault;
use crate::store::matcher::Upload;

/// An open batch file.
pub(super) struct Spool {
    file: File,
    body_bytes: u64,
    received: u64,
    chunk_bytes: u64,
}

impl Spool {
    /// Where an upload's batch lies.
    pub(super) fn path(dir: &Path, id: &[u8; 16]) -> PathBuf {
        dir.join(format!("{}.tokens", hex::encode(id)))
    }

    /// Opens an unsealed upload's file and makes it if absent. Bytes beyond the last whole chunk
    /// were not acknowledged and are cut off.
    pub(super) fn open(dir: &Path, upload: &Upload) -> Result<Self, Fault> {
        let header = Header::from_bytes(&upload.header)?;
        let body_bytes = header.body_bytes();
        let chunk_bytes = u64::from(upload.chunk_bytes);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(Self::path(dir, &upload.id))?;
        let start = upload.header.len() as u64;
        let length = file.metadata()?.len();
        if length < start {
            file.set_len(0)?;
            file.write_all(&upload.header)?;
            file.sync_all()?;
            File::open(dir)?.sync_all()?;
        }
        let mut received = length.saturating_sub(start).min(body_bytes);
        if received < body_bytes {
            received -= received % chunk_bytes;
        }
        file.set_len(start + received)?;
        file.seek(SeekFrom::Start(start + received))?;
        Ok(Self {
            file,
            body_bytes,
            received,
            chunk_bytes,
        })
    }

    /// First chunk that is not on disk.
    pub(super) fn next_chunk(&self) -> u32 {
        u32::try_from(self.received.div_ceil(self.chunk_bytes)).unwrap_or(u32::MAX)
    }

    /// Appends chunk `index` and waits until it is on disk.
    pub(super) fn append(&mut self, index: u32, crc: u32, rows: &[u8]) -> Result<(), Fault> {
        if index != self.next_chunk() {
            return Err(Fault::state(
                "upload.order",
                format!("chunk {index} came, chunk {} is next", self.next_chunk()),
            ));
        }
        let expected = self.chunk_bytes.min(self.body_bytes - self.received);
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
        self.file.sync_data()?;
        self.received += rows.len() as u64;
        Ok(())
    }

    /// Checks that everything came and has the announced digest, and completes the file.
    pub(super) fn seal(mut self, announced: &[u8; 32]) -> Result<(), Fault> {
        if self.received < self.body_bytes {
            return Err(Fault::state(
                "upload.incomplete",
                format!("{} of {} bytes are here", self.received, self.body_bytes),
            ));
        }
        self.file.seek(SeekFrom::Start(0))?;
        check(BufReader::new(&self.file).chain(announced.as_slice()))?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(announced)?;
        self.file.sync_all()?;
        Ok(())
    }
}

/// Refuses what is no batch or has another digest than its trailer says, group by group.
fn check(input: impl Read) -> Result<(), Fault> {
    let check = || -> Result<(), StreamError> {
        let mut reader = BatchReader::new(input)?;
        let mut group = Batch::new(reader.header().clone());
        while reader.read_group(&mut group)? > 0 {
            group.clear();
        }
        Ok(())
    };
    check().map_err(|error| match error {
        StreamError::Batch(BatchError::Checksum) => Fault::new(
            tonic::Code::DataLoss,
            "upload.digest",
            "the rows do not have the digest announced at the beginning",
        ),
        error => error.into(),
    })
}

/// Reads a sealed batch.
pub(super) fn read(dir: &Path, id: &[u8; 16]) -> Result<Batch, Fault> {
    let file = File::open(Spool::path(dir, id))?;
    Batch::read(BufReader::new(file)).map_err(|error| Fault::internal("store.batch", &error))
}

#[cfg(test)]
mod tests {
    use linkage_core::encode::batch::{BatchWriter, Row};
    use linkage_core::keys::KeyId;
    use linkage_core::schema::Schema;

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
            project: [1; 32].into(),
            party: "health".into(),
            header,
            digest,
            chunk_bytes: 64,
            sealed: false,
        };
        (upload, body)
    }

    fn put(spool: &mut Spool, body: &[u8], from: usize) {
        for (index, chunk) in body.chunks(64).enumerate().skip(from) {
            spool
                .append(u32::try_from(index).unwrap(), crc32c::crc32c(chunk), chunk)
                .unwrap();
        }
    }

    #[test]
    fn resumes_at_the_last_whole_chunk_from_any_cut() {
        let (upload, body) = upload(7);
        for cut in 0..=(upload.header.len() + body.len()) {
            let dir = tempfile::tempdir().unwrap();
            let mut spool = Spool::open(dir.path(), &upload).unwrap();
            put(&mut spool, &body, 0);
            let path = Spool::path(dir.path(), &upload.id);
            OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(cut as u64)
                .unwrap();
            let mut spool = Spool::open(dir.path(), &upload).unwrap();
            let next = spool.next_chunk() as usize;
            assert!(next * 64 <= cut.saturating_sub(upload.header.len()).max(1) + 63);
            put(&mut spool, &body, next);
            spool.seal(&upload.digest).unwrap();
            assert_eq!(read(dir.path(), &upload.id).unwrap().len(), 7);
        }
    }

    #[test]
    fn refuses_wrong_order_length_checksum_and_digest() {
        let (upload, body) = upload(4);
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), &upload).unwrap();
        let chunk = &body[..64];
        let crc = crc32c::crc32c(chunk);
        assert_eq!(
            spool.append(1, crc, chunk).unwrap_err().reason(),
            "upload.order"
        );
        assert_eq!(
            spool.append(0, crc, &body[..32]).unwrap_err().reason(),
            "request.malformed"
        );
        assert_eq!(
            spool.append(0, crc ^ 1, chunk).unwrap_err().reason(),
            "upload.checksum"
        );
        put(&mut spool, &body, 0);
        assert_eq!(spool.seal(&[0; 32]).unwrap_err().reason(), "upload.digest");
        let incomplete = Spool {
            received: 64,
            ..Spool::open(dir.path(), &upload).unwrap()
        };
        assert_eq!(
            incomplete.seal(&upload.digest).unwrap_err().reason(),
            "upload.incomplete"
        );
    }

    #[test]
    fn refuses_a_batch_that_is_damaged_though_its_digest_fits() {
        let (mut upload, mut body) = upload(4);
        let dir = tempfile::tempdir().unwrap();
        // The last row's number of set bits.
        let last = body.len() - 2;
        body[last] ^= 1;
        let all = [upload.header.as_slice(), &body].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &all);
        upload.digest.copy_from_slice(digest.as_ref());
        let mut spool = Spool::open(dir.path(), &upload).unwrap();
        put(&mut spool, &body, 0);
        let refused = spool.seal(&upload.digest).unwrap_err();
        assert_eq!(refused.reason(), "upload.batch");
    }
}
