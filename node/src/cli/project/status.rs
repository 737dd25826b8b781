//! How projects are shown.

use linkage_proto::v1;
use serde_json::{Value, json};

use super::super::failure::{EXIT_OK, Failure};
use super::super::screen::{self, Form};

/// Shows a project with all that its owners agree to.
///
/// # Errors
/// When nothing can be written.
pub fn show(form: Form, status: &v1::ProjectStatus) -> Result<u8, Failure> {
    form.show(&data(status), || text(status))?;
    Ok(EXIT_OK)
}

/// Shows projects, one a line.
///
/// # Errors
/// When nothing can be written.
pub fn show_all(form: Form, projects: &[v1::ProjectStatus]) -> Result<u8, Failure> {
    let all: Vec<_> = projects.iter().map(data).collect();
    form.show(&json!({ "projects": all }), || {
        let rows = projects.iter().map(|status| {
            vec![
                hex::encode(&status.project),
                state(status).to_owned(),
                status.expires.clone(),
                status.name.clone(),
            ]
        });
        screen::table(&["project", "state", "expires", "name"], 4, rows)
    })?;
    Ok(EXIT_OK)
}

fn state(status: &v1::ProjectStatus) -> &str {
    match status.state.as_str() {
        "" => "waits for approval",
        state => state,
    }
}

fn data(status: &v1::ProjectStatus) -> Value {
    let notices = status.notices.iter().map(|notice| {
        json!({ "owner": notice.party, "number": notice.number, "kind": notice.kind,
                "reason": notice.reason })
    });
    let receipts = status.receipts.iter().map(|receipt| {
        let content: Value = serde_json::from_slice(&receipt.receipt).unwrap_or_default();
        json!({ "node": receipt.node, "receipt": content,
                "signature": hex::encode(&receipt.signature) })
    });
    json!({
        "project": hex::encode(&status.project),
        "name": status.name,
        "purpose": status.purpose,
        "legal_basis": status.legal_basis,
        "expires": status.expires,
        "epoch": status.epoch,
        "predecessor": hex::encode(&status.predecessor),
        "state": status.state,
        "matcher_state": status.matcher_state,
        "first_person": status.first_person,
        "suspended_by": status.suspended_by,
        "key_id": status.key_id,
        "profile": status.profile,
        "risk_accepted_by": status.risk_accepted_by,
        "risk_reason": status.risk_reason,
        "schema_sha256": status.schema_sha256,
        "link_rules": status.link_rules,
        "block_rules": status.block_rules,
        "ask_rows_max_share": status.ask_rows_max_share,
        "tokens_sent": status.tokens_sent,
        "rows": status.rows,
        "rows_asked": status.rows_asked,
        "analysts": status.analysts,
        "threshold_k": status.threshold_k,
        "epsilon_per_table": status.epsilon_per_table,
        "epsilon_budget": status.epsilon_budget,
        "owners": status.owners,
        "signed": status.signed,
        "notices": notices.collect::<Vec<_>>(),
        "receipts": receipts.collect::<Vec<_>>(),
    })
}

fn text(status: &v1::ProjectStatus) -> String {
    let or = |text: &str, none: &str| match text {
        "" => none.to_owned(),
        text => text.to_owned(),
    };
    let list = |names: &[String]| or(&names.join(", "), "none");
    let risk = match status.risk_reason.as_str() {
        "" => String::new(),
        reason => format!("; risk accepted by {}: {reason}", status.risk_accepted_by),
    };
    let epoch = match status.predecessor.is_empty() {
        true => status.epoch.to_string(),
        false => format!(
            "{}, after {}",
            status.epoch,
            hex::encode(&status.predecessor)
        ),
    };
    let asked = match status.rows {
        0 => String::new(),
        rows => format!("; so far {} of {rows}", status.rows_asked),
    };
    let mut lines = vec![
        ("project", hex::encode(&status.project)),
        ("name", status.name.clone()),
        ("purpose", status.purpose.clone()),
        ("legal basis", status.legal_basis.clone()),
        ("expires", status.expires.clone()),
        ("epoch", epoch),
        ("state", state(status).to_owned()),
        ("at the matcher", or(&status.matcher_state, "not known")),
        ("profile", format!("{}{risk}", status.profile)),
        ("schema", status.schema_sha256.clone()),
        ("link rules", list(&status.link_rules)),
        ("block rules", list(&status.block_rules)),
        ("tokens", status.tokens_sent.clone()),
        (
            "asked at most",
            format!("{} of the rows{asked}", status.ask_rows_max_share),
        ),
        ("analysts", list(&status.analysts)),
        ("threshold k", status.threshold_k.to_string()),
        (
            "epsilon",
            format!(
                "{} per table, {} in all",
                status.epsilon_per_table, status.epsilon_budget
            ),
        ),
        ("owners", list(&status.owners)),
        ("signed by", list(&status.signed)),
        ("answered for by", or(&status.first_person, "no one here")),
        ("key", or(&status.key_id, "not agreed yet")),
    ];
    if status.state != "proposed" && status.state != "draft" && !status.state.is_empty() {
        lines.retain(|(name, _)| *name != "answered for by");
    }
    if !status.suspended_by.is_empty() {
        lines.push(("suspended by", list(&status.suspended_by)));
    }
    for notice in &status.notices {
        let said = format!("{} {}: {}", notice.party, notice.kind, notice.reason);
        lines.push(("notice", said));
    }
    for receipt in &status.receipts {
        lines.push(("receipt", destroyed(receipt)));
    }
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| format!("{name:<16} {value}"))
        .collect();
    lines.join("\n")
}

/// A receipt in a line.
fn destroyed(receipt: &v1::Receipt) -> String {
    use linkage_core::project::receipt::Receipt;
    let Ok(content) = serde_json::from_slice::<Receipt>(&receipt.receipt) else {
        return format!("{}: not readable", receipt.node);
    };
    let what = content.destroyed.iter().map(|item| {
        let of = item.of.as_ref().map(|party| format!(" of {party}"));
        format!("{}{} ({})", item.what, of.unwrap_or_default(), item.count)
    });
    let what: Vec<_> = what.collect();
    match what.is_empty() {
        true => format!("{} had nothing to destroy", receipt.node),
        false => format!("{} destroyed {}", receipt.node, what.join(", ")),
    }
}
