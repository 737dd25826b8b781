//! All pairs of two small blocks that something else has chosen.

use crate::dense::{self, Found, Tiles};
use crate::error::Error;
use crate::isa::{Cpu, Isa, Lanes, Line, Work};
use crate::join::{Hit, check};
use crate::order::pieces;
use crate::rows::Rows;
use crate::rule::Rule;

/// Fewer rows of either side than these are compared pair by pair: interleaving the second side's
/// and comparing eight queries with sixteen records, however many there are, does not pay.
const TILED_MIN: (usize, usize) = (5, 16);

/// Compares small blocks. Holds its scratch space, so one is made for each thread and kept.
pub struct Scorer {
    cpu: Cpu,
    tiles: Tiles,
    found: Vec<Found>,
}

impl Scorer {
    /// A scorer that uses the instructions `isa`.
    ///
    /// # Errors
    ///
    /// [`Error::Isa`] if this processor lacks them.
    pub fn new(isa: Isa) -> Result<Self, Error> {
        Cpu::new(isa).map(Self::of)
    }

    /// A scorer that uses the fastest instructions of this processor.
    pub fn best() -> Self {
        Self::of(Cpu::best())
    }

    fn of(cpu: Cpu) -> Self {
        Self {
            cpu,
            tiles: Tiles::new(),
            found: Vec::new(),
        }
    }

    /// Adds to `out` the pairs that `rule` accepts of each row of `a` with each of `b`, in an order
    /// that depends on nothing but the input and the instruction set.
    ///
    /// For sides small enough to stay in the cache, some thousand rows; [`join`](crate::join())
    /// is for larger ones.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the rows are of another length than the rule; `out` is as it was.
    pub fn block(
        &mut self,
        a: &Rows<'_>,
        b: &Rows<'_>,
        rule: &Rule,
        out: &mut Vec<Hit>,
    ) -> Result<(), Error> {
        check(a, rule)?;
        check(b, rule)?;
        if a.len() < TILED_MIN.0 || b.len() < TILED_MIN.1 {
            self.cpu.run(Few { a, b, rule, out });
        } else {
            self.tiled(a, b, rule, out);
        }
        Ok(())
    }

    fn tiled(&mut self, a: &Rows<'_>, b: &Rows<'_>, rule: &Rule, out: &mut Vec<Hit>) {
        let queries: Vec<&[u64]> = (0..a.len()).map(|row| a.token(row)).collect();
        for piece in pieces(b.len(), Line::RECORDS) {
            let tokens: Vec<&[u64]> = piece.clone().map(|row| b.token(row)).collect();
            self.tiles.fill(self.cpu, &tokens, b.width());
            let least = piece.clone().map(|row| b.count(row)).min().unwrap_or(0);
            let floors: Vec<u32> = (0..a.len())
                .map(|row| rule.need(a.count(row) + least))
                .collect();
            dense::score(self.cpu, &queries, &floors, &self.tiles, &mut self.found);
            for found in self.found.drain(..) {
                let row_b = piece.start + found.record as usize;
                if row_b < piece.end {
                    take(
                        (a, found.query),
                        (b, row_b as u32),
                        found.intersection,
                        rule,
                        out,
                    );
                }
            }
        }
    }
}

/// Adds a pair to `out` if `rule` accepts it.
#[inline(always)]
fn take(
    (a, a_row): (&Rows<'_>, u32),
    (b, b_row): (&Rows<'_>, u32),
    intersection: u32,
    rule: &Rule,
    out: &mut Vec<Hit>,
) {
    let (p, q) = (a.count(a_row as usize), b.count(b_row as usize));
    if rule.accepts(intersection, p as u32, q as u32) {
        out.push(Hit {
            a: a_row,
            b: b_row,
            intersection,
        });
    }
}

struct Few<'a> {
    a: &'a Rows<'a>,
    b: &'a Rows<'a>,
    rule: &'a Rule,
    out: &'a mut Vec<Hit>,
}

impl Work for Few<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        let (a, b) = (self.a, self.b);
        for row_a in 0..a.len() {
            let token = a.token(row_a);
            for row_b in 0..b.len() {
                let intersection = L::common(proof, token, b.token(row_b));
                let rows = ((a, row_a as u32), (b, row_b as u32));
                take(rows.0, rows.1, intersection, self.rule, self.out);
            }
        }
    }
}
