//! When a call that failed is made again, and how long after.
//!
//! The pause is drawn evenly between nothing and a bound that doubles from attempt to attempt
//! ("full jitter": Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so that
//! sixty owners that lost one matcher do not come back at once. How often is tried is bounded by
//! the length of the outage, not by a count.

use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;
use tokio::time::Instant;
use tonic::Code;

use crate::fault::Fault;
use crate::limits::UploadLimits;

/// Attempts at one act, until it gets on or the outage is too long.
pub(super) struct Retry {
    rng: ChaCha20Rng,
    pause_min: Duration,
    pause_max: Duration,
    outage_max: Duration,
    /// Attempts without progress.
    failed: u32,
    /// When something last got on.
    since: Instant,
}

impl Retry {
    pub(super) fn new(limits: &UploadLimits) -> Result<Self, Fault> {
        Ok(Self {
            rng: crate::entropy::generator()?,
            pause_min: limits.pause_min,
            pause_max: limits.pause_max,
            outage_max: limits.outage_max,
            failed: 0,
            since: Instant::now(),
        })
    }

    /// Something got on: the next pause is short again.
    pub(super) fn progress(&mut self) {
        self.failed = 0;
        self.since = Instant::now();
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `fault` itself, if another attempt cannot help or the outage is too long.
    pub(super) async fn pause(&mut self, fault: Fault) -> Result<(), Fault> {
        if !can_pass(&fault) || self.since.elapsed() >= self.outage_max {
            return Err(fault);
        }
        let pause = self.draw();
        tracing::warn!(
            reason = fault.reason(),
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "upload interrupted; it goes on after a pause: {fault}"
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn draw(&mut self) -> Duration {
        // 2^20 times the least bound is beyond every greatest one.
        let doubled = self.pause_min * (1 << self.failed.min(20));
        self.failed += 1;
        let bound = doubled.min(self.pause_max);
        bound.mul_f64(self.rng.random_range(0.0..1.0))
    }
}

/// Whether the other side, or the network, may answer otherwise in a while, or, where another
/// stream came between, when the upload begins again. Every other fault needs somebody to do
/// something.
fn can_pass(fault: &Fault) -> bool {
    matches!(
        fault.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pauses_grow_to_their_bound_and_are_spread_below_it() {
        let limits = UploadLimits::default();
        let mut retry = Retry::new(&limits).unwrap();
        let mut sums = [0.0; 10];
        for _ in 0..200 {
            retry.progress();
            for (failed, sum) in (0_u32..).zip(&mut sums) {
                let pause = retry.draw();
                let bound = (limits.pause_min * 2_u32.pow(failed)).min(limits.pause_max);
                assert!(pause <= bound, "{pause:?} after {failed}");
                *sum += pause.as_secs_f64() / bound.as_secs_f64();
            }
        }
        for sum in sums {
            // The mean of 200 even draws: half the bound, standard error 0.02; five of them.
            assert!((sum / 200.0 - 0.5_f64).abs() < 0.1, "{sum}");
        }
    }

    #[tokio::test]
    async fn only_what_may_pass_is_tried_again_and_not_for_ever() {
        let limits = UploadLimits {
            pause_min: Duration::ZERO,
            outage_max: Duration::from_millis(50),
            ..UploadLimits::default()
        };
        let fault = |code| Fault::new(code, "upload.test", "a test");
        let mut retry = Retry::new(&limits).unwrap();
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Aborted] {
            assert!(retry.pause(fault(code)).await.is_ok(), "{code:?}");
        }
        for code in [
            Code::ResourceExhausted,
            Code::PermissionDenied,
            Code::FailedPrecondition,
            Code::DataLoss,
            Code::Internal,
        ] {
            assert!(retry.pause(fault(code)).await.is_err(), "{code:?}");
        }
        tokio::time::sleep(limits.outage_max).await;
        assert!(retry.pause(fault(Code::Unavailable)).await.is_err());
        retry.progress();
        assert!(retry.pause(fault(Code::Unavailable)).await.is_ok());
    }
}
