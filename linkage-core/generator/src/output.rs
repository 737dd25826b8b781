//! CSV files: records, truth and error log.
//!
//! | file | columns |
//! |---|---|
//! | records | `record_id,name,sex,birth_date,id_number,mobile,address`, then the department's attributes |
//! | truth | `dataset,record_id,entity_id`: records with one `entity_id` are copies of one person |
//! | errors | `dataset,record_id,field,kind`: one row per error; a clean record has none |
//!
//! `dataset` is [`Department::slug`]. UTF-8, comma, `\n`, quoted only where needed. Truth and
//! errors of several departments may go to one file: write the header once with [`Header::No`].

use std::io;

use crate::department::Department;
use crate::settings::Settings;

/// Why writing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The CSV writer or the file beneath it.
    #[error("writing CSV")]
    Csv(#[from] csv::Error),
    /// The file, when flushed.
    #[error("flushing CSV")]
    Flush(#[from] io::Error),
}

/// Whether to begin with the column names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Begin with them.
    Yes,
    /// Continue a file that has them.
    No,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records.
    pub rows: u64,
    /// Errors over all fields.
    pub errors: u64,
    /// Records with at least one error.
    pub rows_with_errors: u64,
}

/// Writes a department's records.
///
/// # Errors
/// When the writer fails.
pub fn write_csv(
    department: Department,
    settings: &Settings,
    writer: impl io::Write,
) -> Result<Summary, Error> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(department.header())?;
    let mut summary = Summary::default();
    for record in department.records(settings) {
        let identifying = [
            record.record_id.as_str(),
            &record.name,
            record.sex,
            &record.birth_date,
            &record.id_number,
            &record.mobile,
            &record.address,
        ];
        csv.write_record(identifying.iter().chain(&record.attributes))?;
        summary.rows += 1;
        summary.errors += record.errors.len() as u64;
        summary.rows_with_errors += u64::from(!record.errors.is_empty());
    }
    csv.flush()?;
    Ok(summary)
}

/// Writes which person each record of a department is a copy of; returns the rows written.
///
/// # Errors
/// When the writer fails.
pub fn write_truth(
    department: Department,
    settings: &Settings,
    header: Header,
    writer: impl io::Write,
) -> Result<u64, Error> {
    let mut csv = csv::Writer::from_writer(writer);
    if header == Header::Yes {
        csv.write_record(["dataset", "record_id", "entity_id"])?;
    }
    let mut rows = 0;
    for record in department.records(settings) {
        csv.write_record([department.slug(), &record.record_id, &record.entity_id()])?;
        rows += 1;
    }
    csv.flush()?;
    Ok(rows)
}

/// Writes what went wrong in a department's records; returns the rows written.
///
/// # Errors
/// When the writer fails.
pub fn write_errors(
    department: Department,
    settings: &Settings,
    header: Header,
    writer: impl io::Write,
) -> Result<u64, Error> {
    let mut csv = csv::Writer::from_writer(writer);
    if header == Header::Yes {
        csv.write_record(["dataset", "record_id", "field", "kind"])?;
    }
    let mut rows = 0;
    for record in department.records(settings) {
        for (field, kind) in record.errors {
            let row = [
                department.slug(),
                &record.record_id,
                field.slug(),
                kind.slug(),
            ];
            csv.write_record(row)?;
            rows += 1;
        }
    }
    csv.flush()?;
    Ok(rows)
}
