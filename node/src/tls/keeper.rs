//! Keeps a node's TLS settings fresh: within seconds of a change of their files, unasked.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use linkage_core::audit::action::Action;
use tokio::time::{MissedTickBehavior, interval};

use super::credentials::Credentials;
use crate::fault::{Chain, Fault};
use crate::journal::Journal;

/// How often the files are looked at. Names, sizes and times are compared, not watched: a renewal
/// that swaps a link escapes a watcher.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// Keeps `credentials` fresh for as long as it runs.
pub async fn keep_fresh(credentials: Arc<Credentials>, journal: Journal) {
    let mut keeper = Keeper {
        credentials,
        journal,
        warned: [None; 3],
        failed: None,
    };
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if keeper.credentials.is_stale(SystemTime::now()) {
            keeper.reload();
        }
        keeper.warn();
    }
}

struct Keeper {
    credentials: Arc<Credentials>,
    journal: Journal,
    /// Days of the last warning of each part.
    warned: [Option<i64>; 3],
    /// The last failure, which is not told again each time it is met.
    failed: Option<String>,
}

impl Keeper {
    fn reload(&mut self) {
        match self.credentials.reload(Timestamp::now()) {
            Ok(changed) => {
                self.failed = None;
                tracing::info!(
                    changed,
                    "certificate, authorities and revocation lists read"
                );
                let contents = self.credentials.contents();
                let act = self
                    .journal
                    .act(Action::ConfigReload, "tls")
                    .digest("certificate", &contents.chain)
                    .digest("authorities", &contents.authorities)
                    .digest("revocation_lists", &contents.lists);
                // The new files are in place: to keep a revoked peer for want of a log entry would
                // be worse. That the log is blocked is told where it is found.
                let _ = act.ok();
            }
            Err(error) => {
                let words = Chain(&error).to_string();
                if self.failed.as_ref() == Some(&words) {
                    return;
                }
                let reason = error.code();
                tracing::error!(
                    reason,
                    error = words,
                    "new TLS files refused, old ones kept"
                );
                let fault = Fault::state(reason, words.clone());
                let _ = self.journal.act(Action::ConfigReload, "tls").failed(fault);
                self.failed = Some(words);
            }
        }
    }

    /// Warns when a part comes nearer to its end than at the last look.
    fn warn(&mut self) {
        let now = Timestamp::now();
        let parts = self.credentials.expiry().parts();
        for ((part, span), warned) in parts.into_iter().zip(&mut self.warned) {
            let due = span.and_then(|span| span.days_warned(now));
            if due != *warned {
                *warned = due;
                if let (Some(days), Some(span)) = (due, span) {
                    let seconds_left = span.seconds_left(now);
                    tracing::warn!(part, seconds_left, until = %span.until, "less than {days} days left");
                }
            }
        }
    }
}
