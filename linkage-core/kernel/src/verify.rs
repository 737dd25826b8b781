//! Full comparison of the pairs that a filter has left.

use crate::dense::Found;
use crate::engine::Packed;
use crate::filter::Survivors;
use crate::isa::{Cpu, Lanes, Work};
use crate::rule::Rule;

/// Survivors of one query in 64 records of the block.
#[derive(Clone, Copy)]
struct Part {
    query: u32,
    first: u32,
    bits: u64,
}

/// Scratch space of [`verify`].
pub(crate) struct Parts(Vec<Part>);

impl Parts {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Cuts the survivors' lines into words and keeps those with a bit. Nearly all have one bit
    /// then, and loops over them are predicted well.
    fn fill(&mut self, survivors: &Survivors) {
        let none = Part {
            query: 0,
            first: 0,
            bits: 0,
        };
        self.0.clear();
        self.0.resize(8 * survivors.entries().len() + 1, none);
        let mut len = 0;
        for (query, line) in survivors.entries() {
            for (first, bits) in (0..).step_by(64).zip(line.0) {
                // Written in any case and kept if not zero.
                if let Some(part) = self.0.get_mut(len) {
                    *part = Part {
                        query: *query,
                        first,
                        bits,
                    };
                }
                len += usize::from(bits != 0);
            }
        }
        self.0.truncate(len);
    }
}

/// Adds to `found` the survivors that `rule` accepts.
pub(crate) fn verify(
    cpu: Cpu,
    rule: &Rule,
    (queries, block): (&Packed, &Packed),
    survivors: &Survivors,
    parts: &mut Parts,
    found: &mut Vec<Found>,
) {
    parts.fill(survivors);
    cpu.run(Verify {
        rule,
        queries,
        block,
        parts: &parts.0,
        found,
    });
}

struct Verify<'a> {
    rule: &'a Rule,
    queries: &'a Packed,
    block: &'a Packed,
    parts: &'a [Part],
    found: &'a mut Vec<Found>,
}

impl Work for Verify<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        for part in self.parts {
            let token = self.queries.token(part.query as usize);
            let ones = self.queries.count(part.query as usize);
            let mut bits = part.bits;
            while bits != 0 {
                let record = part.first + bits.trailing_zeros();
                bits &= bits - 1;
                let other = self.block.token(record as usize);
                let intersection = L::common(proof, token, other);
                if intersection >= self.rule.need(ones + self.block.count(record as usize)) {
                    self.found.push(Found {
                        query: part.query,
                        record,
                        intersection,
                    });
                }
            }
        }
    }
}
