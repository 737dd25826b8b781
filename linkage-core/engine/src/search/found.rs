//! What a search has found, on disk.

use linkage_core::candidates::{Candidates, Method, RuleCount, ScoredPair};

use crate::checkpoint::RunFolder;
use crate::error::Error;
use crate::spill::cell::{CONFLICT_BYTES, CONFLICTS, HITS};
use crate::spill::hit::{self, HIT_BYTES};
use crate::spill::streams::{Extent, Streams};

/// A finished search; its pairs lie in the run folder.
#[derive(Debug)]
pub struct Found {
    run: RunFolder,
    floor: f64,
    block_rules: Vec<RuleCount>,
}

impl Found {
    pub(super) fn new(run: RunFolder, floor: f64, block_rules: Vec<RuleCount>) -> Self {
        Self {
            run,
            floor,
            block_rules,
        }
    }

    /// Number of pairs compared, counted as [`Candidates::compared`] is.
    pub fn compared(&self) -> u64 {
        if self.floor > 0.0 {
            self.block_rules.iter().map(|count| count.pairs).sum()
        } else {
            self.run.cells().iter().map(|cell| cell.compared).sum()
        }
    }

    /// Counts of the block-key rules, in schema order.
    pub fn block_rules(&self) -> &[RuleCount] {
        &self.block_rules
    }

    /// The pairs, in order of (a, b), from disk.
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs {
            found: self,
            stripe: 0,
            readers: vec![],
            failed: false,
        }
    }

    /// Pairs in identity conflict, in order of (a, b).
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Io`].
    pub fn identity_conflicts(&self) -> Result<Vec<(u32, u32)>, Error> {
        let (mut conflicts, mut bytes) = (Vec::new(), Vec::new());
        for cell in self.run.cells() {
            let streams = Streams::open(&self.run.cell(cell.a, cell.b), cell.index_crc)?;
            for extent in streams.extents(CONFLICTS) {
                streams.read(extent, &mut bytes)?;
                let pairs = bytes.as_chunks::<CONFLICT_BYTES>().0.iter();
                conflicts.extend(pairs.map(|[a0, a1, a2, a3, b0, b1, b2, b3]| {
                    (
                        u32::from_le_bytes([*a0, *a1, *a2, *a3]),
                        u32::from_le_bytes([*b0, *b1, *b2, *b3]),
                    )
                }));
            }
        }
        conflicts.sort_unstable();
        Ok(conflicts)
    }

    /// Everything in memory: 24 bytes a pair.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Io`].
    pub fn candidates(&self) -> Result<Candidates, Error> {
        Ok(Candidates {
            pairs: self.pairs().collect::<Result<_, _>>()?,
            method: Method::Keys,
            floor: self.floor,
            compared: self.compared(),
            block_rules: self.block_rules.clone(),
            token_bits: None,
            identity_conflicts: self.identity_conflicts()?,
        })
    }

    /// Removes what the search has put in its folder, and the folder if it is then empty.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(self) -> Result<(), Error> {
        self.run.remove()
    }
}

/// The pairs of a [`Found`]. After an error there are none.
pub struct Pairs<'a> {
    found: &'a Found,
    /// The stripe of a whose cells are opened next.
    stripe: u32,
    /// Readers of the cells of one stripe of a.
    readers: Vec<Reader>,
    failed: bool,
}

/// The pairs of one cell.
struct Reader {
    streams: Streams,
    extents: std::vec::IntoIter<Extent>,
    bytes: Vec<u8>,
    at: usize,
    next: Option<ScoredPair>,
}

impl Reader {
    fn new(streams: Streams) -> Result<Self, Error> {
        let mut this = Self {
            extents: streams.extents(HITS).to_vec().into_iter(),
            streams,
            bytes: Vec::new(),
            at: 0,
            next: None,
        };
        this.advance()?;
        Ok(this)
    }

    fn advance(&mut self) -> Result<(), Error> {
        if self.at >= self.bytes.len() {
            let Some(extent) = self.extents.next() else {
                self.next = None;
                return Ok(());
            };
            self.streams.read(&extent, &mut self.bytes)?;
            self.at = 0;
        }
        let hit = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk);
        let hit = hit.and_then(hit::get);
        self.next = Some(hit.ok_or_else(|| Error::damaged(self.streams.path()))?);
        self.at += HIT_BYTES;
        Ok(())
    }
}

impl Pairs<'_> {
    fn advance(&mut self) -> Result<Option<ScoredPair>, Error> {
        loop {
            // The cells of a stripe hold other rows of b each, so that no two pairs are equal.
            let pair = |reader: &Reader| reader.next.map(|pair| (pair.a, pair.b));
            let heads = self.readers.iter_mut().filter(|r| r.next.is_some());
            if let Some(reader) = heads.min_by_key(|reader| pair(reader)) {
                let next = reader.next;
                reader.advance()?;
                return Ok(next);
            }
            if self.stripe >= self.found.run.stripes().count_a {
                return Ok(None);
            }
            let run = &self.found.run;
            let cells = run.cells().iter().filter(|cell| cell.a == self.stripe);
            self.readers = cells
                .map(|cell| Reader::new(Streams::open(&run.cell(cell.a, cell.b), cell.index_crc)?))
                .collect::<Result<_, _>>()?;
            self.stripe += 1;
        }
    }
}

impl Iterator for Pairs<'_> {
    type Item = Result<ScoredPair, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.advance();
        self.failed = next.is_err();
        next.transpose()
    }
}
