//! Rows that cannot be used, and why.

use std::fmt;

use super::value::Reason;

/// Faults that are told one by one; the others are counted.
pub const FAULTS_TOLD_MAX: usize = 20;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Row in the file, from 1; a header is row 1.
    pub row: u64,
    /// The column, if one is at fault.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if let Some(column) = &self.column {
            write!(f, ", column \"{column}\":")?;
        }
        write!(f, " {}", self.reason)
    }
}

/// All rows that cannot be used: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    count: u64,
    first: Vec<Fault>,
}

impl Faults {
    /// How many rows cannot be used.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them, in the order of rows: at most [`FAULTS_TOLD_MAX`].
    pub fn first(&self) -> &[Fault] {
        &self.first
    }

    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        self.count += 1;
        let at = self.first.partition_point(|other| other.row <= fault.row);
        self.first.insert(at, fault);
        self.first.truncate(FAULTS_TOLD_MAX);
    }

    /// These and others.
    pub fn and(mut self, others: Self) -> Self {
        let told = others.first.len() as u64;
        others.first.into_iter().for_each(|fault| self.push(fault));
        self.count += others.count - told;
        self
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "1 row cannot be used:")?,
            count => write!(f, "{count} rows cannot be used:")?,
        }
        for fault in &self.first {
            write!(f, "\n  {fault}")?;
        }
        match self.count.saturating_sub(self.first.len() as u64) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for Faults {}
