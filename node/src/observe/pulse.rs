//! The task that looks after the node: every few seconds it asks the audit log and the database
//! whether they still work, looks at the disk and the certificates, and tells the service manager
//! that the node lives. It is silent when either hangs, so that the service manager restarts it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::Code;

use super::certificates;
use super::health::{Health, Phase};
use super::metrics;
use crate::fault::Fault;
use crate::store::space::Space;
use crate::tls::TlsFiles;

/// Time between two looks. 5 s: six of them in the 30 s after which the service manager acts.
const INTERVAL: Duration = Duration::from_secs(5);

/// Time that a look at audit log or database may take. 10 s: a flush to a busy disk takes 0.1 s.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// Rest that callers are asked to take while the disk is low.
const DISK_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A look at a part that may hang: `true` if it works.
pub type Look = Arc<dyn Fn() -> bool + Send + Sync>;

/// What is looked at.
pub struct Pulse {
    /// The audit log's writer.
    pub audit: Look,
    /// The database.
    pub database: Look,
    /// The disk.
    pub space: Space,
    /// The certificates.
    pub tls: TlsFiles,
    /// Told of what is found.
    pub health: Health,
    /// Holds storing calls back while the disk is low; the drain holds them back for good.
    pub hold: watch::Sender<Option<Fault>>,
}

impl Pulse {
    /// Looks until it is dropped.
    pub async fn run(self) {
        let begun = Instant::now();
        let mut audit = Asked::new(Arc::clone(&self.audit));
        let mut database = Asked::new(Arc::clone(&self.database));
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (audit_works, database_works) =
                tokio::join!(audit.ask(LOOK_TIMEOUT), database.ask(LOOK_TIMEOUT));
            let disk_low = self.look_at_disk();
            self.health
                .change(|state| {
                    state.audit_blocked = !audit_works;
                    state.database_failed = !database_works;
                    state.disk_low = disk_low;
                })
                .await;
            self.look_at_certificates();
            metrics::process(begun.elapsed());
            metrics::upkeep();
            if audit_works && database_works {
                // Silent where no service manager listens.
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            }
        }
    }

    fn look_at_disk(&self) -> bool {
        let room = match self.space.room() {
            Ok(room) => room,
            Err(error) => {
                tracing::warn!(%error, "cannot tell how full the disk is");
                return false;
            }
        };
        metrics::disk_free(room.free_bytes);
        let is_draining = self.health.state().phase == Phase::Draining;
        let fault = room.is_low().then(|| {
            let message = "this node's disk is nearly full, and it stores nothing new; try again \
                           when its operator has made room";
            Fault::new(Code::ResourceExhausted, "store.reserve", message)
                .retry_after(DISK_RETRY_AFTER)
        });
        self.hold.send_if_modified(|hold| {
            let changes = !is_draining && *hold != fault;
            if changes {
                *hold = fault;
            }
            changes
        });
        room.is_low()
    }

    fn look_at_certificates(&self) {
        let now = jiff::Timestamp::now();
        for (name, file) in [("cert", &self.tls.cert), ("ca", &self.tls.ca)] {
            // A file that is being replaced is read again at the next look.
            if let Some(remaining) = certificates::remaining_s(file, now) {
                metrics::certificate(name, remaining);
            }
        }
    }
}

/// A question that may hang: it is never asked a second time before the first is answered.
struct Asked {
    look: Look,
    waiting: Option<JoinHandle<bool>>,
}

impl Asked {
    fn new(look: Look) -> Self {
        Self {
            look,
            waiting: None,
        }
    }

    async fn ask(&mut self, within: Duration) -> bool {
        let look = Arc::clone(&self.look);
        let waiting = self
            .waiting
            .get_or_insert_with(|| tokio::task::spawn_blocking(move || look()));
        match timeout(within, waiting).await {
            Ok(answer) => {
                self.waiting = None;
                answer.unwrap_or(false)
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_part_that_hangs_is_asked_once_and_found_out() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (free, held) = std::sync::mpsc::channel::<()>();
        let held = std::sync::Mutex::new(held);
        let count = Arc::clone(&asked);
        let look: Look = Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            held.lock().unwrap().recv().is_ok()
        });
        let mut question = Asked::new(look);
        assert!(!question.ask(Duration::from_millis(5)).await);
        assert!(!question.ask(Duration::from_millis(5)).await);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        free.send(()).unwrap();
        assert!(question.ask(Duration::from_secs(600)).await);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
