//! The search for candidate pairs of two token stores within a limit of memory.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use linkage_core::schema::CandidateSettings;
//! use linkage_engine::search::{Limits, across};
//! use linkage_engine::store::{TokenStore, Verify};
//!
//! let a = TokenStore::open(Path::new("health.store"), Verify::Checksums)?;
//! let b = TokenStore::open(Path::new("credit.store"), Verify::Checksums)?;
//! let limits = Limits { memory_bytes: 1 << 30, threads: 4 };
//! let settings = CandidateSettings::default();
//! let found = across(&a, &b, &settings, &limits, Path::new("run"), &|_, _| ())?;
//! assert!(found.pairs.is_sorted_by_key(|pair| (pair.a, pair.b)));
//! # Ok::<(), linkage_engine::Error>(())
//! ```

mod finder;
mod found;

use std::path::Path;

use linkage_core::candidates::{self, Candidates, Method, RuleCount, Splitter};
use linkage_core::encode::Header;
use linkage_core::schema::{CandidateSettings, LinkRole};
use rayon::ThreadPoolBuilder;
use serde::{Deserialize, Serialize};

pub use finder::Finder;
pub use found::{Found, Pairs};

use crate::checkpoint::{CellDone, Job, PassDone, RunFolder};
use crate::error::Error;
use crate::spill::cell::{CELL_STREAMS, Cells, Meaning};
use crate::spill::join::{Join, PairCounts};
use crate::spill::plan::Plan;
use crate::spill::scatter::{Key, Scatter};
use crate::spill::streams::{Streams, StreamsWriter};
use crate::spill::stripe::Stripe;
use crate::store::TokenStore;

/// Version of a run folder's files: they are read only by the version that wrote them.
const VERSION: u32 = 1;

/// Told how many of how many pieces of a search are finished.
pub type Progress<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// What a search may use. The result does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory for the search; what is returned comes on top.
    pub memory_bytes: u64,
    /// Threads; 0 for one per core.
    pub threads: usize,
}

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Two owners' records.
    Across,
    /// One owner's records among themselves, each pair once and none with itself.
    Within,
}

/// What [`candidates::across`] finds, within limits: the same pairs and counts. `folder` holds what
/// is finished, so that the same call goes on after a stop; it is removed in the end.
///
/// # Errors
/// [`Error`]; see [`Search::run`].
pub fn across(
    a: &TokenStore,
    b: &TokenStore,
    settings: &CandidateSettings,
    limits: &Limits,
    folder: &Path,
    progress: &Progress<'_>,
) -> Result<Candidates, Error> {
    let search = Search::new(a, Some(b), settings, *limits, folder);
    let (candidates, found) = search.candidates(progress)?;
    found.map_or(Ok(()), Found::remove)?;
    Ok(candidates)
}

/// What [`candidates::within`] finds, within limits; see [`across`].
///
/// # Errors
/// [`Error`]; see [`Search::run`].
pub fn within(
    a: &TokenStore,
    settings: &CandidateSettings,
    limits: &Limits,
    folder: &Path,
    progress: &Progress<'_>,
) -> Result<Candidates, Error> {
    let search = Search::new(a, None, settings, *limits, folder);
    let (candidates, found) = search.candidates(progress)?;
    found.map_or(Ok(()), Found::remove)?;
    Ok(candidates)
}

/// A search by keys, whatever the number of records.
#[derive(Debug)]
pub struct Search<'a> {
    a: &'a TokenStore,
    /// `None` for the records of `a` among themselves.
    b: Option<&'a TokenStore>,
    settings: CandidateSettings,
    floor: f64,
    limits: Limits,
    folder: &'a Path,
}

/// A pass over one column of keys.
#[derive(Debug, Clone, Copy)]
struct Pass {
    meaning: Meaning,
    /// Number of the column among those of its kind.
    column: usize,
}

impl<'a> Search<'a> {
    /// A search of `a`'s records with `b`'s, or among themselves without `b`.
    pub fn new(
        a: &'a TokenStore,
        b: Option<&'a TokenStore>,
        settings: &CandidateSettings,
        limits: Limits,
        folder: &'a Path,
    ) -> Self {
        Self {
            a,
            b,
            settings: settings.clone(),
            floor: 0.0,
            limits,
            folder,
        }
    }

    /// Keeps only pairs that agree by at least `floor` or share a link key. Others are compared and
    /// counted all the same, but take no room on disk.
    #[must_use]
    pub fn floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    /// Runs the search, or what of it is not finished in the folder.
    ///
    /// # Errors
    /// [`Error::Incomparable`], [`Error::Memory`]; [`Error::Changed`] and [`Error::Busy`] by the
    /// folder's state; [`Error::Damaged`], [`Error::Store`] and [`Error::Io`] by its files.
    pub fn run(&self, progress: &Progress<'_>) -> Result<Found, Error> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.limits.threads)
            .build()
            .map_err(Error::Threads)?;
        pool.install(|| self.run_here(progress))
    }

    /// What [`candidates`] finds with these settings, and the search on disk if there was one.
    fn candidates(self, progress: &Progress<'_>) -> Result<(Candidates, Option<Found>), Error> {
        let other = self.b.unwrap_or(self.a);
        self.a.header().comparable(other.header())?;
        let (a, b) = (self.a.columns(), self.b.map(TokenStore::columns));
        if candidates::method(&a, b.as_ref(), &self.settings) == Method::Keys {
            let floor = candidates::floor(&a, b.as_ref(), &self.settings);
            let found = self.floor(floor).run(progress)?;
            return Ok((found.candidates()?, Some(found)));
        }
        // Without keys the records themselves are read where they lie.
        let candidates = match b {
            Some(b) => candidates::across(&a, &b, &self.settings),
            None => candidates::within(&a, &self.settings),
        };
        Ok((candidates, None))
    }

    fn direction(&self) -> Direction {
        if self.b.is_some() {
            Direction::Across
        } else {
            Direction::Within
        }
    }

    fn run_here(&self, progress: &Progress<'_>) -> Result<Found, Error> {
        let header = self.a.header();
        let b = self.b.unwrap_or(self.a);
        header.comparable(b.header())?;
        let (threads, memory) = (rayon::current_num_threads(), self.limits.memory_bytes);
        let plan = Plan::new(header, (header.rows, b.header().rows), memory, threads)?;
        self.run_planned(plan, progress)
    }

    /// Runs the search as planned.
    fn run_planned(&self, plan: Plan, progress: &Progress<'_>) -> Result<Found, Error> {
        let header = self.a.header();
        let fits = |stripes| plan.with_stripes(stripes).is_some();
        let mut run = RunFolder::open(self.folder, self.job(), plan.stripes, fits)?;
        let plan = plan.with_stripes(run.stripes()).unwrap_or(plan);
        let passes = passes(header);
        let cells = self.cells(&plan);
        let total = passes.len() + cells.len();
        let unfinished = cells
            .iter()
            .any(|(a, b)| run.finished_cell(*a, *b).is_none());
        if unfinished {
            for (number, pass) in passes.iter().enumerate() {
                if run.finished_pass(number).is_none() {
                    let done = self.pass(&run, &plan, number, *pass)?;
                    run.finish_pass(done)?;
                }
                progress(number + 1, total);
            }
            self.compare(&mut run, &plan, &cells, &|done| {
                progress(passes.len() + done, total);
            })?;
            run.remove_passes()?;
        }
        progress(total, total);
        let block_rules: Vec<RuleCount> = passes
            .iter()
            .enumerate()
            .filter(|(_, pass)| pass.meaning == Meaning::Block)
            .filter_map(|(number, _)| Some(run.finished_pass(number)?.count.clone()))
            .collect();
        Ok(Found::new(run, self.floor, block_rules))
    }

    fn job(&self) -> Job {
        let stores = [Some(self.a), self.b];
        Job {
            version: VERSION,
            direction: self.direction(),
            inputs: stores
                .into_iter()
                .flatten()
                .map(|store| hex::encode(store.digest()))
                .collect(),
            block_pairs_max: self.settings.block_pairs_max,
            floor_bits: self.floor.to_bits(),
        }
    }

    /// The pairs of stripes that are compared.
    fn cells(&self, plan: &Plan) -> Vec<(u32, u32)> {
        let within = self.direction() == Direction::Within;
        (0..plan.stripes.count_a)
            .flat_map(|a| {
                let first = if within { a } else { 0 };
                (first..plan.stripes.count_b).map(move |b| (a, b))
            })
            .collect()
    }

    /// Makes the blocks of one pass.
    fn pass(
        &self,
        run: &RunFolder,
        plan: &Plan,
        number: usize,
        pass: Pass,
    ) -> Result<PassDone, Error> {
        let path = run.pass(number);
        let cells = plan.stripes.cells();
        // One stream more for the counts of pairs.
        let writer = StreamsWriter::lasting(&path, cells + 1)?;
        let pairs = PairCounts::new(self.a.header().rows, plan.stripes.count_b);
        let (a, b) = (self.a.columns(), self.b.map(TokenStore::columns));
        let splitter = (pass.meaning == Meaning::Block)
            .then(|| Splitter::new(&a, b.as_ref(), &self.settings, pass.column));
        let join = Join {
            direction: self.direction(),
            plan,
            splitter: splitter.as_ref(),
            writer: &writer,
            pairs: &pairs,
        };
        let count = match pass.meaning {
            Meaning::Block => self.join::<u64>(run, &join, pass.column)?,
            Meaning::Link(_) | Meaning::Identity(_) => {
                self.join::<u128>(run, &join, pass.column)?
            }
        };
        writer.append(cells, &pairs.to_bytes())?;
        Ok(PassDone {
            number,
            index_crc: writer.seal()?,
            count,
        })
    }

    fn join<K: Key>(
        &self,
        run: &RunFolder,
        join: &Join<'_>,
        column: usize,
    ) -> Result<RuleCount, Error> {
        let scatter = |store: &TokenStore, side: &str| {
            let scatter = Scatter {
                partitions: join.plan.partitions,
                buffer: join.plan.partition_buffer,
                path: &run.scratch(side),
            };
            scatter.column::<K>(store, column)
        };
        let a = scatter(self.a, "a")?;
        let b = self.b.map(|store| scatter(store, "b")).transpose()?;
        join.run::<K>(&a, b.as_ref())
    }

    /// Compares the cells that are not finished.
    fn compare(
        &self,
        run: &mut RunFolder,
        plan: &Plan,
        cells: &[(u32, u32)],
        done: &dyn Fn(usize),
    ) -> Result<(), Error> {
        let pairs = PairCounts::new(self.a.header().rows, plan.stripes.count_b);
        let mut blocks = Vec::new();
        for (number, pass) in passes(self.a.header()).into_iter().enumerate() {
            // All passes are finished by now.
            let crc = run.finished_pass(number).map_or(0, |pass| pass.index_crc);
            let streams = Streams::open(&run.pass(number), crc)?;
            let mut bytes = Vec::new();
            for extent in streams.extents(plan.stripes.cells()) {
                streams.read(extent, &mut bytes)?;
                pairs.add_bytes(&bytes);
            }
            blocks.push((pass.meaning, streams));
        }
        let compare = Cells {
            direction: self.direction(),
            header: self.a.header(),
            plan,
            passes: &blocks,
            pairs: &pairs,
            floor: self.floor,
        };
        let mut stripe_a: Option<(u32, Stripe)> = None;
        for (finished, (at_a, at_b)) in (1..).zip(cells.iter().copied()) {
            if run.finished_cell(at_a, at_b).is_none() {
                // Released before the next is read: two would not fit.
                stripe_a = stripe_a.filter(|(at, _)| *at == at_a);
                let a = match stripe_a.take() {
                    Some((_, a)) => a,
                    None => self.stripe(self.a, at_a, plan.stripes.rows_a)?,
                };
                let b = self.stripe(self.b.unwrap_or(self.a), at_b, plan.stripes.rows_b)?;
                let writer = StreamsWriter::lasting(&run.cell(at_a, at_b), CELL_STREAMS)?;
                let compared = compare.run((at_a, &a), (at_b, &b), &writer)?;
                run.finish_cell(CellDone {
                    a: at_a,
                    b: at_b,
                    index_crc: writer.seal()?,
                    compared,
                })?;
                stripe_a = Some((at_a, a));
            }
            done(finished);
        }
        Ok(())
    }

    fn stripe(&self, store: &TokenStore, at: u32, rows: u32) -> Result<Stripe, Error> {
        Stripe::read(store, at * rows, rows)
    }
}

/// The passes over records with this header, in the order of their columns.
fn passes(header: &Header) -> Vec<Pass> {
    let links = header.link_columns.iter().map(|link| match link.role {
        LinkRole::Link => Meaning::Link(link.rule),
        LinkRole::Identity => Meaning::Identity(link.rule),
    });
    let blocks = (0..header.block_keys).map(|_| Meaning::Block);
    let links = (0..).zip(links);
    links
        .chain((0..).zip(blocks))
        .map(|(column, meaning)| Pass { meaning, column })
        .collect()
}

#[cfg(test)]
mod tests;
