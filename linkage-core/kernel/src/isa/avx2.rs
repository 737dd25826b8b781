//! AVX2: plain words again, compiled for registers of 256 bits and with POPCNT.

#![allow(
    unsafe_code,
    reason = "code for instructions that not every processor has"
)]

use super::Work;

/// This processor has AVX2 and POPCNT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        found.then_some(Self(()))
    }
}

pub(super) fn run<W: Work>(_proof: Avx2, work: W) -> W::Output {
    // SAFETY: the proof shows that the processor has these instructions.
    unsafe { with_instructions(work) }
}

#[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
fn with_instructions<W: Work>(work: W) -> W::Output {
    work.run::<[u64; 4]>(())
}
