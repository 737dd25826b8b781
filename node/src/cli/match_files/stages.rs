//! What each stage of a matching takes.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use linkage_core::candidates::Candidates;
use linkage_core::run::Finder;
use linkage_node::report::data::Stage;

use super::super::usage;
use super::judge::Judge;

/// A moment, by the clock and by what was taken until then.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    at: Instant,
    cpu_seconds: Option<f64>,
}

impl Start {
    /// Now.
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            cpu_seconds: usage::cpu_seconds(),
        }
    }

    /// The stage from here to now.
    pub fn stage(self, name: &str, detail: String) -> Stage {
        let (seconds, cpu_seconds) = self.taken();
        Stage {
            name: name.into(),
            seconds,
            cpu_seconds,
            memory_peak_bytes: usage::memory_peak_bytes(),
            detail,
        }
    }

    fn taken(self) -> (f64, Option<f64>) {
        let until = usage::cpu_seconds();
        let cpu = self
            .cpu_seconds
            .zip(until)
            .map(|(from, until)| until - from);
        (self.at.elapsed().as_secs_f64(), cpu)
    }
}

/// A finder that is timed: a run alternates between finding candidates and deciding on them.
pub struct Timed<'f, F> {
    finder: &'f F,
    taken: &'f Finding,
}

/// What finding candidates has taken so far, and, if the truth is known, what it has found of it.
#[derive(Default)]
pub struct Finding {
    taken: Mutex<Taken>,
    judge: Option<Judge>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    seconds: f64,
    cpu_seconds: f64,
    memory_peak_bytes: Option<u64>,
}

impl Finding {
    /// With the truth, if it is known.
    pub fn new(judge: Option<Judge>) -> Self {
        let taken = Mutex::default();
        Self { taken, judge }
    }

    /// What is known of the truth.
    pub fn judge(&self) -> Option<&Judge> {
        self.judge.as_ref()
    }

    /// `finder`, timed.
    pub fn by<'f, F>(&'f self, finder: &'f F) -> Timed<'f, F> {
        Timed {
            finder,
            taken: self,
        }
    }

    fn add(&self, start: Start, owners: (usize, usize), found: Option<&Candidates>) {
        let (seconds, cpu_seconds) = start.taken();
        if let (Some(judge), Some(found)) = (&self.judge, found) {
            judge.note(owners, found);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.seconds += seconds;
        taken.cpu_seconds += cpu_seconds.unwrap_or(0.0);
        taken.memory_peak_bytes = usage::memory_peak_bytes();
    }

    /// A run's stage as two: finding candidates, and the rest of it.
    pub fn split(&self, run: Stage, found: String) -> [Stage; 2] {
        let taken = *self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let finding = Stage {
            name: "Find and compare candidates".into(),
            seconds: taken.seconds,
            cpu_seconds: run.cpu_seconds.map(|_| taken.cpu_seconds),
            memory_peak_bytes: taken.memory_peak_bytes,
            detail: found,
        };
        let rest = Stage {
            seconds: (run.seconds - taken.seconds).max(0.0),
            cpu_seconds: run
                .cpu_seconds
                .map(|all| (all - taken.cpu_seconds).max(0.0)),
            ..run
        };
        [finding, rest]
    }
}

impl<F: Finder> Finder for Timed<'_, F> {
    type Error = F::Error;

    fn within(&self, owner: usize) -> Result<Candidates, F::Error> {
        let start = Start::now();
        let found = self.finder.within(owner);
        self.taken.add(start, (owner, owner), found.as_ref().ok());
        found
    }

    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, F::Error> {
        let start = Start::now();
        let found = self.finder.across(owner_a, owner_b);
        self.taken
            .add(start, (owner_a, owner_b), found.as_ref().ok());
        found
    }
}
