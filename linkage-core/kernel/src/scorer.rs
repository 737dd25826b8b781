//! Pairs that something else has chosen: a list of them, or the pairs of two short lists of rows.

use crate::dense::{self, Found, Tiles};
use crate::error::Error;
use crate::isa::{Cpu, Isa, Lanes, Line, Work};
use crate::join::{Hit, check};
use crate::order::pieces;
use crate::rows::Rows;
use crate::rule::Rule;

/// How many pairs ahead tokens are asked for: enough for the memory to answer, a hundred
/// nanoseconds, at some nanoseconds a pair.
const AHEAD: usize = 16;

/// Fewer rows of either side than these are compared pair by pair: gathering them does not pay.
const TILED_MIN: (usize, usize) = (4, 8);

/// Compares chosen pairs. Holds its scratch space, so one is made for each thread and kept.
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
        Ok(Self {
            cpu: Cpu::new(isa)?,
            tiles: Tiles::new(),
            found: Vec::new(),
        })
    }

    /// Writes to `out` the number of bits that the tokens of each pair, a row of `a` and one of
    /// `b`, have in common. Pairs sorted by row of `a` are the fastest.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if `a` and `b` differ in length, [`Error::NoRow`] if a row is beyond the
    /// last; `out` is not touched then.
    pub fn intersections(
        &self,
        a: &Rows<'_>,
        b: &Rows<'_>,
        pairs: &[(u32, u32)],
        out: &mut Vec<u32>,
    ) -> Result<(), Error> {
        if a.bits() != b.bits() {
            return Err(Error::Length {
                expected: a.bits(),
                found: b.bits(),
            });
        }
        exist(a, pairs.iter().map(|pair| pair.0))?;
        exist(b, pairs.iter().map(|pair| pair.1))?;
        out.clear();
        out.reserve(pairs.len());
        self.cpu.run(List { a, b, pairs, out });
        Ok(())
    }

    /// Adds to `out` the pairs that `rule` accepts of each of `a_rows` with each of `b_rows`, by
    /// (`a`, `b`).
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the rows are of another length than the rule, [`Error::NoRow`] if a row
    /// is beyond the last; `out` is not touched then.
    pub fn block(
        &mut self,
        (a, a_rows): (&Rows<'_>, &[u32]),
        (b, b_rows): (&Rows<'_>, &[u32]),
        rule: &Rule,
        out: &mut Vec<Hit>,
    ) -> Result<(), Error> {
        check(a, rule)?;
        check(b, rule)?;
        exist(a, a_rows.iter().copied())?;
        exist(b, b_rows.iter().copied())?;
        let start = out.len();
        if a_rows.len() < TILED_MIN.0 || b_rows.len() < TILED_MIN.1 {
            self.cpu.run(Few {
                a: (a, a_rows),
                b: (b, b_rows),
                rule,
                out,
            });
        } else {
            self.tiled((a, a_rows), (b, b_rows), rule, out);
        }
        if let Some(new) = out.get_mut(start..) {
            new.sort_unstable();
        }
        Ok(())
    }

    fn tiled(
        &mut self,
        (a, a_rows): (&Rows<'_>, &[u32]),
        (b, b_rows): (&Rows<'_>, &[u32]),
        rule: &Rule,
        out: &mut Vec<Hit>,
    ) {
        let queries: Vec<&[u64]> = a_rows.iter().map(|&row| a.token(row as usize)).collect();
        for piece in pieces(b_rows.len(), Line::RECORDS) {
            let rows = b_rows.get(piece).unwrap_or(&[]);
            let tokens: Vec<&[u64]> = rows.iter().map(|&row| b.token(row as usize)).collect();
            self.tiles.fill(self.cpu, &tokens, b.width());
            let count = |row: &u32| b.count(*row as usize);
            let least = rows.iter().map(count).min().unwrap_or(0);
            let floors: Vec<u32> = a_rows
                .iter()
                .map(|&row| rule.need(a.count(row as usize) + least))
                .collect();
            dense::score(self.cpu, &queries, &floors, &self.tiles, &mut self.found);
            for found in self.found.drain(..) {
                let a_row = a_rows.get(found.query as usize);
                let b_row = rows.get(found.record as usize);
                if let Some((&a_row, &b_row)) = a_row.zip(b_row) {
                    take((a, a_row), (b, b_row), found.intersection, rule, out);
                }
            }
        }
    }
}

/// Refuses rows beyond the last.
fn exist(rows: &Rows<'_>, wanted: impl Iterator<Item = u32>) -> Result<(), Error> {
    match wanted.max() {
        Some(most) if most as usize >= rows.len() => Err(Error::NoRow(most)),
        _ => Ok(()),
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

struct List<'a> {
    a: &'a Rows<'a>,
    b: &'a Rows<'a>,
    pairs: &'a [(u32, u32)],
    out: &'a mut Vec<u32>,
}

impl Work for List<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        let ahead = self.pairs.iter().skip(AHEAD).map(Some);
        for (&(a, b), later) in self.pairs.iter().zip(ahead.chain(std::iter::repeat(None))) {
            if let Some(&(a, b)) = later {
                L::prefetch(proof, self.a.token(a as usize));
                L::prefetch(proof, self.b.token(b as usize));
            }
            let (a, b) = (self.a.token(a as usize), self.b.token(b as usize));
            self.out.push(L::common(proof, a, b));
        }
    }
}

struct Few<'a> {
    a: (&'a Rows<'a>, &'a [u32]),
    b: (&'a Rows<'a>, &'a [u32]),
    rule: &'a Rule,
    out: &'a mut Vec<Hit>,
}

impl Work for Few<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        let ((a, a_rows), (b, b_rows)) = (self.a, self.b);
        for &row in a_rows {
            L::prefetch(proof, a.token(row as usize));
        }
        for (at, &b_row) in b_rows.iter().enumerate() {
            if let Some(&later) = b_rows.get(at + AHEAD) {
                L::prefetch(proof, b.token(later as usize));
            }
            let token = b.token(b_row as usize);
            for &a_row in a_rows {
                let intersection = L::common(proof, a.token(a_row as usize), token);
                take((a, a_row), (b, b_row), intersection, self.rule, self.out);
            }
        }
    }
}
