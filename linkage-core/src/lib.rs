//! Privacy-preserving record linkage: the pure library.
//!
//! Modules stand in the order in which data passes through them; types carry the privacy claim.
//!
//! | step | module | in -> out | who runs it | reveals |
//! |---|---|---|---|---|
//! | agree | [`schema`], [`project`], [`keys`] | purpose, schema -> signed manifest, project key | all owners | fields, rules, thresholds |
//! | read | [`record`] | source row -> [`record::RawRecord`] | owner | nothing leaves |
//! | look up | [`pack`] | reference tables, the same for all owners | everyone | nothing |
//! | normalise | [`normalise`] | -> [`record::NormalRecord`] and a counts-only report | owner | nothing leaves |
//! | encode | [`encode`] | -> [`encode::EncodedRecord`]: token, link keys, block keys | owner | to the matcher only |
//! | upload | [`upload`] | a batch -> announcement, root over its chunks, states | owner -> matcher | row count |
//! | ask | [`mod@ask`] | keys of all owners -> filters of the block keys worth asking for | matcher -> owners | coarse keys of unlinked records |
//! | candidates | [`candidates`] | link keys, block keys -> pairs | matcher | block sizes to the matcher |
//! | compare | [`similarity`] | tokens -> agreement | matcher | |
//! | decide | [`decide`] | calibrated threshold, one-to-one, clusters | matcher | |
//! | run | [`run`] | batches of all owners -> clusters and a report | matcher | |
//! | deliver | [`linkmap`] | -> a fresh random position for every record | matcher -> owners | nothing about links |
//! | ask | [`extract`] | request text -> checked request | analyst, owners | the question |
//! | protect | [`disclosure`] | noised cells -> [`disclosure::release::ReleasedTable`] | owners, analyst | the released table |
//! | account | [`audit`] | every act -> hash-chained log | all | counts, digests |
//! | judge | [`quality`] | links, truth -> precision, recall, F1 | whoever holds the truth | |
//!
//! The crate reads no file, socket or clock and draws no randomness: callers pass it in.

// Agree.
pub mod ids;
pub mod schema;

pub mod project;

pub mod keys;

// At the owner.
pub mod record;

pub mod pack;

pub mod normalise;

pub mod encode;

pub mod upload;

// At the matcher.
pub mod ask;

pub mod candidates;
pub mod similarity;

pub mod decide;
pub mod run;

pub mod linkmap;

// Tables.
pub mod extract;

pub mod disclosure;

// Account and judge.
pub mod audit;
pub mod quality;
