//! The data sets as users see them: bytes, rates, truth.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its shared functions included"
)]

mod enterprises;
mod error_model;
mod files;
mod overlap;
mod persons;

use linkage_generator::output::Dataset as _;
use linkage_generator::{Department, Record, Settings};

const SEED: u64 = 20_260_101;

fn settings(entities: u32) -> Settings {
    Settings::new(SEED, entities).unwrap()
}

fn records(department: Department, settings: &Settings) -> Vec<Record> {
    department.records(settings).unwrap().rows().collect()
}

/// Asserts a count within four standard deviations of its expectation. The seed is fixed, so this
/// either passes for ever or tells of a change.
#[track_caller]
fn assert_rate(found: usize, of: usize, rate: f64, what: &str) {
    let expected = of as f64 * rate;
    let deviation = (expected * (1.0 - rate)).sqrt().max(1.0);
    let off = (found as f64 - expected).abs() / deviation;
    assert!(
        off < 4.0,
        "{what}: {found} of {of}, expected {expected:.1}, {off:.1} deviations"
    );
}
