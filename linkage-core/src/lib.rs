//! placeholder

pub mod disclosure;
pub mod extract;
