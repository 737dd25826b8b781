//! placeholder

pub mod disclosure;
