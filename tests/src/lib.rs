//! What the end-to-end tests share: real processes of the `linkage` program, a project taken
//! through its steps, and the means to look at what each party holds.
//!
//! One test binary per theme lies in `tests/`. Every test starts its own nodes, with its own
//! certificates, in a folder that goes away with them.
//!
//! | module | gives |
//! |---|---|
//! | [`program`] | the `linkage` program, built if need be |
//! | [`departments`] | small generated data sets and the truth about them |
//! | [`world`] | running nodes, and a project's steps as their operators take them |
//! | [`calls`] | single calls under any certificate, and the reasons of refusals |
//! | [`crashing`] | nodes that die at one of their writes |
//! | [`certificates`] | certificates that the development authority would not issue |
//! | [`postgres`] | a PostgreSQL server with TLS |
//! | [`protocol`] | any procedure of the protocol, called by its descriptor |
//! | [`proxy`] | a TCP proxy that records, and stops at a byte |
//! | [`sender`] | an owner that speaks the upload protocol by itself |
//! | [`search`] | values searched for in files, bytes and the memory of processes |
//! | [`synthetic`] | batches of made-up people, without their encoding |
//! | [`trail`] | entries of audit logs |
//! | [`matcher`] | a matcher that cheats |
//! | [`febrl`] | the Febrl data sets, encoded |
//! | [`estimates`] | what a run says of its own quality, against the truth |

pub mod calls;
pub mod certificates;
pub mod crashing;
pub mod departments;
pub mod estimates;
pub mod febrl;
pub mod matcher;
pub mod postgres;
pub mod preload;
pub mod program;
pub mod protocol;
pub mod proxy;
pub mod search;
pub mod sender;
pub mod synthetic;
pub mod trail;
pub mod world;
