//! How far an upload is, as people and programs read it.

use linkage_proto::v1;
use serde_json::json;

use super::super::failure::{EXIT_OK, Failure};
use super::super::screen::Form;

/// Shows how far an upload is.
pub(super) fn show(form: Form, told: &v1::UploadProgress) -> Result<u8, Failure> {
    let data = json!({
        "state": told.state,
        "upload": hex::encode(&told.upload),
        "next_chunk": told.next_chunk,
        "chunks": told.chunks,
        "rows": told.rows,
        "reason": told.reason,
        "receipts": told.receipts,
    });
    form.show(&data, || text(told))?;
    Ok(EXIT_OK)
}

fn text(told: &v1::UploadProgress) -> String {
    let meaning = match told.state.as_str() {
        "none" => "nothing is encoded yet",
        "encoded" => "encoded, not sent; `linkage upload start` sends it",
        "open" => "under way; `linkage upload start` goes on with it",
        "sealed" => "all there; the matcher checks it",
        "accepted" => "accepted by the matcher",
        "refused" => "refused or given up; what had come of it is removed",
        "expired" => "nobody went on with it; `linkage upload start` begins anew",
        _ => "not known",
    };
    let mut lines = vec![("state", format!("{}: {meaning}", told.state))];
    if told.chunks > 0 {
        let chunks = format!(
            "{} of {} on the matcher's disk",
            told.next_chunk, told.chunks
        );
        lines.push(("chunks", chunks));
        lines.push(("rows", told.rows.to_string()));
    }
    if !told.reason.is_empty() {
        lines.push(("reason", told.reason.clone()));
    }
    let receipts = told.receipts.iter();
    lines.extend(receipts.map(|path| ("receipt", path.clone())));
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| format!("{name:<8} {value}"))
        .collect();
    lines.join("\n")
}
