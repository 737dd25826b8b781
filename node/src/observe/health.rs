//! Whether the node is ready, and why not: one state, told to gRPC health checks, to `/readyz`, to
//! the metrics and to the service manager.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

use super::metrics;

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Opens its files; brings its database to this program's version.
    Starting,
    /// Answers calls.
    Serving,
    /// Lets calls end before it stops.
    Draining,
}

/// A node's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Where it is in its life.
    pub phase: Phase,
    /// The audit log cannot be written: nothing is done that must be accounted for.
    pub audit_blocked: bool,
    /// The database does not answer.
    pub database_failed: bool,
    /// Less disk space is free than the reserve: nothing new is stored.
    pub disk_low: bool,
}

impl State {
    /// Whether the node answers calls as it should. A low disk leaves reading possible.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Serving && !self.audit_blocked && !self.database_failed
    }

    /// The state in a line.
    pub fn words(&self) -> String {
        let phase = match self.phase {
            Phase::Starting => "starting",
            Phase::Serving => "serving",
            Phase::Draining => "draining",
        };
        let troubles = [
            (self.audit_blocked, "the audit log cannot be written"),
            (self.database_failed, "the database does not answer"),
            (
                self.disk_low,
                "the disk is nearly full: nothing new is stored",
            ),
        ];
        let troubles = troubles.iter().filter(|(stands, _)| *stands);
        let mut words = vec![phase];
        words.extend(troubles.map(|(_, words)| *words));
        words.join("; ")
    }
}

/// The node's state, as its parts change it.
#[derive(Clone)]
pub struct Health {
    state: Arc<Mutex<State>>,
    reporter: HealthReporter,
    services: Arc<Mutex<Vec<&'static str>>>,
}

impl Health {
    /// A node that starts; and the service that answers health checks.
    pub fn new() -> (Self, HealthServer<impl HealthService>) {
        let (reporter, server) = health_reporter();
        let health = Self {
            state: Arc::new(Mutex::new(State {
                phase: Phase::Starting,
                audit_blocked: false,
                database_failed: false,
                disk_low: false,
            })),
            reporter,
            // The empty name is the node as a whole.
            services: Arc::new(Mutex::new(vec![""])),
        };
        (health, server)
    }

    /// From the next change on the services of these procedures show the node's health, too.
    pub fn shows(&self, procedures: impl Iterator<Item = &'static str>) {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        for path in procedures {
            let name = path
                .trim_start_matches('/')
                .split('/')
                .next()
                .unwrap_or_default();
            if !services.contains(&name) {
                services.push(name);
            }
        }
    }

    /// The state now.
    pub fn state(&self) -> State {
        // Nothing panics while it holds the lock, and every state is whole.
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes the state and tells everyone of it.
    pub async fn change(&self, change: impl FnOnce(&mut State)) {
        let (before, after) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let before = state.clone();
            change(&mut state);
            (before, state.clone())
        };
        metrics::ready(after.is_ready());
        metrics::alarm("audit", after.audit_blocked);
        metrics::alarm("database", after.database_failed);
        metrics::alarm("disk", after.disk_low);
        let status = match after.is_ready() {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        let services = {
            let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.clone()
        };
        for service in services {
            self.reporter.set_service_status(service, status).await;
        }
        if before != after {
            let words = after.words();
            match after.is_ready() && !after.disk_low {
                true => tracing::info!(state = words, "state"),
                false => tracing::warn!(state = words, "state"),
            }
            // Silent where no service manager listens.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Status(&words)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn any_trouble_but_a_low_disk_makes_a_node_unready() {
        let (health, _server) = Health::new();
        assert!(!health.state().is_ready());
        health.change(|state| state.phase = Phase::Serving).await;
        assert!(health.state().is_ready());
        health.change(|state| state.disk_low = true).await;
        assert!(health.state().is_ready());
        assert!(health.state().words().contains("nothing new is stored"));
        health.change(|state| state.audit_blocked = true).await;
        assert!(!health.state().is_ready());
        health.change(|state| state.audit_blocked = false).await;
        health.change(|state| state.database_failed = true).await;
        assert!(!health.state().is_ready());
        health.change(|state| state.database_failed = false).await;
        health.change(|state| state.phase = Phase::Draining).await;
        assert!(!health.state().is_ready());
    }
}
