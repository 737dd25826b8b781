//! What an operator sees of a running node: logs, metrics, health, and the operation that joins
//! them.
//!
//! | module | gives |
//! |---|---|
//! | [`operation`] | an id for each call, in its log lines, audit entries and errors |
//! | [`log`] | JSON lines on standard error, at a level that can change |
//! | [`scrub`] | the last check that no known form of identifier is logged |
//! | [`metrics`] | counts and gauges, and their catalogue |
//! | [`certificates`] | how long certificates are still valid |
//! | [`health`] | whether the node is ready, and why not |
//! | [`http`] | `/livez`, `/readyz` and `/metrics` on loopback |
//! | [`reply`] | a reply on its way out |
//! | [`pulse`] | the task that looks after database, audit log, disk and certificates |

pub mod certificates;
pub mod health;
pub mod http;
pub mod log;
pub mod metrics;
pub mod operation;
pub mod pulse;
pub mod reply;
pub mod scrub;
