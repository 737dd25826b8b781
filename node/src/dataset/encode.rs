//! From a source to a batch in bounded memory.
//!
//! ```text
//! reader thread   blocks of lines
//! all cores       rows: taken apart, normalised, encoded, packed
//! this thread     identities kept, packed rows into random buckets
//!                 then: bucket after bucket shuffled and written
//! ```

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use linkage_core::encode::Encoder;
use linkage_core::encode::batch::{BatchWriter, Header, RowLayout};
use linkage_core::normalise::{DataQuality, Normaliser};
use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;

use super::blocks;
use super::ids::Ids;
use super::shuffle::Shuffle;
use super::work::{Done, Worker};
use super::{Encoded, Error, FillRange, Job, NO_VALUE, Progress, Summary, today};
use crate::ingest::{Reason, RejectFile};

/// Rows kept to make rows of nobody from: what is missing in these is missing there.
const DONORS_MAX: usize = 256;

/// Rows written between two reports of progress.
const ROWS_PER_REPORT: u64 = 16_384;

/// Reads, normalises and encodes a source, and writes its batch to `out` in secret random order.
///
/// # Errors
/// [`Error`], saying what to do.
pub fn encode<W: Write>(
    job: &Job<'_>,
    out: W,
    progress: &mut dyn FnMut(Progress),
) -> Result<(W, Encoded), Error> {
    let source = job.source.open(job.schema)?;
    let total = source.total();
    let layout = Header::new(job.project, job.schema, job.key.id(), 0).layout();
    let worker = Worker {
        parser: source.parser(),
        normaliser: Normaliser::new(job.schema, today()),
        encoder: Encoder::new(job.schema, job.key),
        layout,
    };
    let mut gathered = Gathered::new(job, &worker, layout, source.rows_max())?;
    let records = AtomicU64::new(0);
    blocks::through(
        source,
        |block| worker.block(block).map_err(|e| Error::Output(e.into())),
        |done| {
            gathered.put(done)?;
            records.store(gathered.ids.len() as u64, Ordering::Relaxed);
            Ok(())
        },
        |done| {
            progress(Progress::Reading {
                records: records.load(Ordering::Relaxed),
                done,
                total,
            });
        },
    )?;
    let done = gathered.close()?;
    write(job, done, out, progress)
}

/// What has been put away.
struct Gathered<'a> {
    job: &'a Job<'a>,
    worker: &'a Worker<'a>,
    layout: RowLayout,
    ids: Ids,
    /// Row in the file of some records and how many rows before it hold no record, where the
    /// number changes.
    skips: Vec<(u32, u64)>,
    shuffle: Shuffle<'a>,
    attributes: Vec<Option<Vec<u8>>>,
    rejects: RejectFile,
    quality: DataQuality,
    without_token: u64,
    fill: FillRange,
    /// A sample of the packed rows: algorithm R of Vitter, 1985.
    donors: Vec<Vec<u8>>,
    rng: ChaCha20Rng,
}

impl<'a> Gathered<'a> {
    fn new(
        job: &'a Job<'a>,
        worker: &'a Worker<'a>,
        layout: RowLayout,
        rows_max: u64,
    ) -> Result<Self, Error> {
        let rng = crate::entropy::generator()?;
        let attributes = 0..job.schema.attributes.len();
        let present = |at| worker.parser.has_attribute(at).then(Vec::new);
        Ok(Self {
            job,
            worker,
            layout,
            ids: Ids::default(),
            skips: vec![],
            shuffle: Shuffle::new(job.scratch, layout.row_bytes(), rows_max, rng),
            attributes: attributes.map(present).collect(),
            rejects: RejectFile::new(job.rejects).map_err(|e| job.rejects_error(e))?,
            quality: DataQuality::new(job.schema),
            without_token: 0,
            fill: FillRange::default(),
            donors: vec![],
            rng: crate::entropy::generator()?,
        })
    }

    fn put(&mut self, mut done: Done) -> Result<(), Error> {
        let fields = self.job.schema.fields.len();
        let attributes = self.attributes.len();
        let row_bytes = self.layout.row_bytes();
        let mut repeated = vec![];
        for (at, row) in done.rows.iter().enumerate() {
            let id = done.id(at);
            // No source has as many rows as would not fit: their ids alone would not.
            let record = self.ids.len() as u32;
            if let Some(before) = self.ids.push(id)? {
                let reason = Reason::DuplicateId(self.row_number(before));
                repeated.push(self.worker.parser.reject(&done.block, row.number, reason));
                continue;
            }
            self.note_row(record, row.number);
            let states = done.states.iter().skip(at * fields).take(fields);
            self.quality.add(states.copied());
            let packed = part(&done.packed, at, row_bytes);
            self.shuffle
                .push(record, packed)
                .map_err(|e| self.job.scratch_error(e))?;
            if self.job.dummies_share > 0.0 {
                let place = self.rng.random_range(0..=record as usize);
                if self.donors.len() < DONORS_MAX {
                    self.donors.push(packed.to_vec());
                } else if let Some(donor) = self.donors.get_mut(place) {
                    donor.copy_from_slice(packed);
                }
            }
            match self.layout.packed_ones(packed) {
                0 => self.without_token += 1,
                ones => self.fill.add(ones),
            }
            let values = part(&done.attributes, at, attributes);
            for (column, value) in self.attributes.iter_mut().zip(values) {
                if let Some(column) = column {
                    column.push(*value);
                }
            }
        }
        let mut rejects = std::mem::take(&mut done.rejects);
        rejects.append(&mut repeated);
        rejects.sort_by_key(|reject| reject.row);
        for reject in &rejects {
            let added = self.rejects.add(reject);
            added.map_err(|e| self.job.rejects_error(e))?;
        }
        Ok(())
    }

    /// Remembers the row of `record` if it is not the one after the record before.
    fn note_row(&mut self, record: u32, number: u64) {
        let skipped = number - u64::from(record);
        if self.skips.last().is_none_or(|(_, last)| *last != skipped) {
            self.skips.push((record, skipped));
        }
    }

    /// Row of `record` in the file.
    fn row_number(&self, record: u32) -> u64 {
        let after = self.skips.partition_point(|(from, _)| *from <= record);
        let skip = after.checked_sub(1).and_then(|at| self.skips.get(at));
        u64::from(record) + skip.map_or(0, |(_, skipped)| *skipped)
    }

    /// The end of reading.
    fn close(mut self) -> Result<Closed<'a>, Error> {
        let dummies = self.add_dummies()?;
        self.ids.close();
        let finished = self.rejects.finish();
        let (rejected, rejects_file) = finished.map_err(|e| self.job.rejects_error(e))?;
        let summary = Summary {
            rows: self.ids.len() as u64,
            rejected,
            rejects_file,
            without_token: self.without_token,
            fill: self.fill.shares(self.job.schema.token_bits()),
            quality: self.quality,
        };
        if self.ids.is_empty() {
            return Err(Error::NoRows {
                origin: self.job.source.clone(),
                rejected: summary.rejected_rows(),
                rejects: summary.rejects_file.map_or_else(
                    || "the header, there are no rows".into(),
                    |p| p.display().to_string(),
                ),
            });
        }
        Ok(Closed {
            ids: self.ids,
            dummies,
            shuffle: self.shuffle,
            attributes: self.attributes,
            summary,
        })
    }
}

impl Gathered<'_> {
    /// Puts rows of nobody among the others; their number.
    fn add_dummies(&mut self) -> Result<u64, Error> {
        let share = self.job.dummies_share;
        let records = self.ids.len();
        if share <= 0.0 {
            return Ok(0);
        }
        let drawn: f64 = self.rng.random_range(0.5..1.5);
        let count = (records as f64 * share * drawn).ceil() as usize;
        let segments = self.job.schema.segments();
        let parts: Vec<u32> = if segments.is_empty() {
            vec![self.job.schema.token_bits()]
        } else {
            segments.iter().map(|segment| segment.bits).collect()
        };
        for at in 0..count {
            let donor = self.rng.random_range(0..self.donors.len().max(1));
            let Some(mut row) = self.donors.get(donor).cloned() else {
                break;
            };
            self.layout.disguise(&mut row, &parts, &mut self.rng);
            // Numbered behind the records.
            let number = u32::try_from(records + at).unwrap_or(u32::MAX);
            let pushed = self.shuffle.push(number, &row);
            pushed.map_err(|e| self.job.scratch_error(e))?;
        }
        Ok(count as u64)
    }
}

/// Part `at` of `parts` that all have the same length.
fn part<T>(parts: &[T], at: usize, length: usize) -> &[T] {
    parts.get(at * length..(at + 1) * length).unwrap_or(&[])
}

/// All rows, before they are put in order.
struct Closed<'a> {
    ids: Ids,
    dummies: u64,
    shuffle: Shuffle<'a>,
    attributes: Vec<Option<Vec<u8>>>,
    summary: Summary,
}

fn write<W: Write>(
    job: &Job<'_>,
    done: Closed<'_>,
    out: W,
    progress: &mut dyn FnMut(Progress),
) -> Result<(W, Encoded), Error> {
    let rows = done.summary.rows + done.dummies;
    let header = Header::new(job.project, job.schema, job.key.id(), rows);
    let mut writer = BatchWriter::new(out, &header)?;
    let mut order = Vec::with_capacity(usize::try_from(rows).unwrap_or(0));
    done.shuffle
        .finish(&mut |record, packed| -> Result<(), Error> {
            order.push(record);
            let written = order.len() as u64;
            if written.is_multiple_of(ROWS_PER_REPORT) || written == rows {
                progress(Progress::Writing {
                    records: written,
                    total: rows,
                });
            }
            Ok(writer.push_packed(packed)?)
        })?;
    let (out, digest) = writer.finish()?;
    let encoded = Encoded {
        header,
        digest,
        ids: done.ids,
        order,
        attributes: done.attributes,
        summary: done.summary,
    };
    Ok((out, encoded))
}

const _: () = assert!(linkage_core::schema::ATTRIBUTE_VALUES_MAX < NO_VALUE as usize);
