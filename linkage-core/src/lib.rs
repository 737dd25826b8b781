//! placeholder

pub mod audit;
pub mod disclosure;
pub mod extract;
