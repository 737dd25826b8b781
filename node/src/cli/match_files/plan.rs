//! What a matching would do and cost.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use linkage_core::candidates::{self, Costs, Estimate, Method, Plan as CandidatePlan};
use linkage_core::encode::Columns;
use linkage_core::schema::Schema;
use linkage_node::report;
use serde_json::{Value, json};

use super::super::failure::{Blame as _, EXIT_OK, Failure};
use super::super::screen::{self, Form};
use super::super::usage::cpu_seconds;
use super::super::{progress, schema};
use super::inputs;
use super::pair_name;

/// Arguments of `match plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
For each pair of data sets, and each way of finding candidate pairs: the pairs that would be \
compared, the CPU seconds of one core that this takes on this machine (divide by the cores), the \
memory beyond the records themselves, and the share of similar pairs that would be compared, where \
that is known. The way marked with * is the one that `linkage match` takes; it depends on the \
records and the schema alone, never on the machine.

For each block key: the records that have one, the pairs that share one, and the blocks that \
`linkage match` would cut because they hold more pairs than block_pairs_max. Figures are estimates \
from samples. To change the plan, edit [candidates] in the schema.

Example:
  linkage match plan health.tokens credit.tokens --schema persons.toml")]
pub struct Plan {
    /// Token files, made by `linkage encode` under one key and one schema
    #[arg(value_name = "TOKENS", num_args = 2.., required = true)]
    tokens: Vec<PathBuf>,
    /// The schema of the tokens, for its names and settings of candidates; default settings without
    #[arg(long, value_name = "SCHEMA")]
    schema: Option<PathBuf>,
}

impl Plan {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let given = match &self.schema {
            Some(path) => Some(schema::read(path).or_input()?),
            None => None,
        };
        let read = inputs::read(&self.tokens, |path, _| inputs::tokens(path));
        let (inputs, batches) = read.or_input()?;
        let columns: Vec<Columns<'_>> = batches.iter().map(|batch| batch.columns()).collect();
        if let (Some(given), Some(path)) = (&given, &self.schema) {
            inputs::check_schema(given, path, &inputs, &columns).or_input()?;
        }
        let settings = given.as_ref().map(|schema| schema.candidates.clone());
        let settings = settings.unwrap_or_default();

        let owners = columns.len();
        let bar = progress::counted("planning", (owners * (owners - 1) / 2) as u64);
        let mut plans = Vec::new();
        for (owner_a, a) in columns.iter().enumerate() {
            for (owner_b, b) in columns.iter().enumerate().skip(owner_a + 1) {
                let costs = Costs::measured(a, b, seconds);
                let plan = candidates::plan(a, b, &settings, &costs);
                plans.push((pair_name(&inputs, owner_a, owner_b), plan));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        let data: Vec<Value> = plans.iter().map(|(pair, plan)| data(pair, plan)).collect();
        form.show(&json!({ "pairs": data }), || {
            let parts = plans.iter();
            let parts = parts.map(|(pair, plan)| text(pair, plan, given.as_ref()));
            let notes = "CPU seconds are of one core of this machine; divide by the cores.";
            format!("{}\n\n{notes}", parts.collect::<Vec<_>>().join("\n\n"))
        })?;
        Ok(EXIT_OK)
    }
}

/// CPU seconds that `work` takes in this process.
fn seconds(work: &mut dyn FnMut()) -> f64 {
    let started = Instant::now();
    let before = cpu_seconds();
    work();
    match (before, cpu_seconds()) {
        (Some(before), Some(after)) => after - before,
        _ => started.elapsed().as_secs_f64(),
    }
}

fn data((a, b): &(String, String), plan: &CandidatePlan) -> Value {
    json!({ "datasets": [a, b], "plan": plan })
}

fn text((a, b): &(String, String), plan: &CandidatePlan, schema: Option<&Schema>) -> String {
    let count = |number: f64| screen::count(number.round() as u64);
    let options = plan.options.iter().map(|option| {
        let taken = option.method == plan.method;
        vec![
            format!("{} {}", if taken { "*" } else { " " }, name(option.method)),
            remark(option, taken, plan),
            count(option.pairs),
            format!("{:.2}", option.cpu_seconds),
            report::bytes(option.bytes.round() as u64),
            option
                .recall
                .map_or_else(|| "unknown".into(), |recall| screen::percent(recall, 1)),
        ]
    });
    let heading = ["way", "", "pairs", "CPU seconds", "memory", "recall"];
    let mut lines = vec![
        format!(
            "{a} ({}) - {b} ({}): {}",
            screen::counted(plan.rows_a, "record"),
            screen::counted(plan.rows_b, "record"),
            name(plan.method)
        ),
        screen::table(&heading, 2, options),
    ];
    if !plan.block_rules.is_empty() {
        let rules = plan.block_rules.iter().enumerate().map(|(rule, estimate)| {
            vec![
                block_key(schema, rule),
                count(estimate.entries),
                count(estimate.pairs),
                count(estimate.blocks_over),
                count(estimate.pairs_over),
            ]
        });
        let heading = [
            "block key",
            "records",
            "pairs",
            "blocks to cut",
            "pairs in them",
        ];
        lines.push(screen::table(&heading, 1, rules));
    }
    if plan.floor > 0.0 {
        lines.push(format!(
            "Pairs that agree less than {:.3} are compared, but not kept.",
            plan.floor
        ));
    }
    lines.join("\n")
}

/// Why a way is taken or not.
fn remark(option: &Estimate, taken: bool, plan: &CandidatePlan) -> String {
    match (taken, option.refused) {
        (false, Some(why)) => why.into(),
        (true, _) => match (plan.bits, plan.tables) {
            (Some(bits), Some(tables)) => format!("{tables} tables of {bits} bits"),
            _ => String::new(),
        },
        (false, None) => "dearer".into(),
    }
}

fn name(method: Method) -> &'static str {
    match method {
        Method::AllPairs => "all pairs",
        Method::Keys => "keys",
        Method::TokenBits => "token bits",
        Method::KeysAndTokenBits => "keys and token bits",
    }
}

/// Name of a block key: the schema's, else its number in the schema's order, from 1.
pub fn block_key(schema: Option<&Schema>, rule: usize) -> String {
    schema
        .and_then(|schema| schema.block_keys.get(rule))
        .map_or_else(|| (rule + 1).to_string(), |key| key.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_while_work_is_done() {
        let mut sum = 0_u64;
        let took = seconds(&mut || {
            sum = (0..50_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        });
        assert!(took > 0.0);
    }

    #[test]
    fn a_way_not_taken_says_why() {
        let option = Estimate {
            method: Method::AllPairs,
            refused: Some("too many"),
            pairs: 1.0,
            cpu_seconds: 0.1,
            bytes: 8.0,
            recall: None,
        };
        let plan = CandidatePlan {
            rows_a: 1,
            rows_b: 2,
            method: Method::TokenBits,
            options: vec![option.clone()],
            block_rules: vec![],
            bits: Some(16),
            tables: Some(20),
            floor: 0.0,
        };
        assert_eq!(remark(&option, false, &plan), "too many");
        assert_eq!(remark(&option, true, &plan), "20 tables of 16 bits");
        let pair = ("a".to_owned(), "b".to_owned());
        let shown = text(&pair, &plan, None);
        assert!(
            shown.contains("unknown") && shown.contains("2 records"),
            "{shown}"
        );
    }
}
