//! All pairs of two registers, or within one, over a threshold.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::engine::Engine;
use crate::error::Error;
use crate::isa::{Cpu, Isa, Line};
use crate::order::Order;
use crate::plan::{Choice, Plan, choose};
use crate::rows::Rows;
use crate::rule::Rule;

/// A pair of rows that a rule accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// Row of the one register.
    pub a: u32,
    /// Row of the other.
    pub b: u32,
    /// Number of bits set in both tokens.
    pub intersection: u32,
}

/// How to compare all pairs; the hits are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// What a sample of the data says is faster.
    #[default]
    Auto,
    /// Every word of every pair.
    FullWidth,
    /// Bit-sliced lower bounds first, every word of what they leave.
    Slices,
}

/// Which pairs are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pairs {
    /// Each row of `a` with each row of `b`.
    #[default]
    Across,
    /// Each row of `a` with each later row of `a`; `b` is not looked at.
    Within,
}

/// How to go about a join.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Instructions to use.
    pub isa: Isa,
    /// Method to use.
    pub method: Method,
    /// Pairs to compare.
    pub pairs: Pairs,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            isa: Isa::best(),
            method: Method::Auto,
            pairs: Pairs::Across,
        }
    }
}

/// All pairs that `rule` accepts, by (`a`, `b`). Works on rayon's current threads.
///
/// # Errors
///
/// [`Error::Length`] if the rows are of another length than the rule, [`Error::Isa`] if this
/// processor lacks the instructions.
pub fn join(
    a: &Rows<'_>,
    b: &Rows<'_>,
    rule: &Rule,
    settings: &Settings,
) -> Result<Vec<Hit>, Error> {
    let hits = Mutex::new(Vec::new());
    join_with(a, b, rule, settings, |some| {
        let mut hits = hits.lock().unwrap_or_else(PoisonError::into_inner);
        hits.extend_from_slice(some);
    })?;
    let mut hits = hits.into_inner().unwrap_or_else(PoisonError::into_inner);
    hits.par_sort_unstable();
    Ok(hits)
}

/// Like [`join`], but hands the hits to `sink`, some thousands at a time, from all threads and in
/// no order: memory stays bounded however many there are. Every hit is handed out once. Returns how
/// the pairs were compared.
///
/// # Errors
///
/// As [`join`]; nothing has been handed out then.
pub fn join_with(
    a: &Rows<'_>,
    b: &Rows<'_>,
    rule: &Rule,
    settings: &Settings,
    sink: impl Fn(&[Hit]) + Sync,
) -> Result<Plan, Error> {
    let sides = Sides::new(a, b, rule, settings)?;
    let choice = sides.choose(rule, settings);
    let engine = Engine {
        cpu: sides.cpu,
        rule,
        a: &sides.a,
        b: sides.b.as_ref().unwrap_or(&sides.a),
        within: sides.b.is_none(),
        swapped: sides.swapped,
        layout: choice.layout.as_ref(),
    };
    engine.run(&sink);
    Ok(choice.plan)
}

/// What [`join`] would do: the method that a sample of the data speaks for, and what it costs.
///
/// # Errors
///
/// As [`join`].
pub fn plan(a: &Rows<'_>, b: &Rows<'_>, rule: &Rule, settings: &Settings) -> Result<Plan, Error> {
    Ok(Sides::new(a, b, rule, settings)?
        .choose(rule, settings)
        .plan)
}

/// Refuses rows that are not of the rule's length.
pub(crate) fn check(rows: &Rows<'_>, rule: &Rule) -> Result<(), Error> {
    if rows.bits() == rule.bits() {
        Ok(())
    } else {
        Err(Error::Length {
            expected: rule.bits(),
            found: rows.bits(),
        })
    }
}

/// Fewer blocks than this do not keep all threads busy.
const BLOCKS_MIN: usize = 64;

/// Both sides, sorted.
struct Sides<'a> {
    cpu: Cpu,
    a: Order<'a>,
    /// `None` within one register.
    b: Option<Order<'a>>,
    swapped: bool,
}

impl<'a> Sides<'a> {
    fn new(a: &Rows<'a>, b: &Rows<'a>, rule: &Rule, settings: &Settings) -> Result<Self, Error> {
        let cpu = Cpu::new(settings.isa)?;
        check(a, rule)?;
        if settings.pairs == Pairs::Within {
            return Ok(Self {
                cpu,
                a: Order::new(*a),
                b: None,
                swapped: false,
            });
        }
        check(b, rule)?;
        // The larger side makes more blocks, which are what threads share.
        let swapped = b.len() < a.len() && b.len() < BLOCKS_MIN * Line::RECORDS;
        let (a, b) = if swapped { (b, a) } else { (a, b) };
        Ok(Self {
            cpu,
            a: Order::new(*a),
            b: Some(Order::new(*b)),
            swapped,
        })
    }

    fn choose(&self, rule: &Rule, settings: &Settings) -> Choice {
        let b = self.b.as_ref().unwrap_or(&self.a);
        let within = self.b.is_none();
        choose(self.cpu, rule, (&self.a, b), within, settings.method)
    }
}
