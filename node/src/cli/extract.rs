//! An analyst's requests.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use linkage_core::disclosure::epsilon::Thousandths;
use linkage_core::ids::ProjectId;
use linkage_node::client::{Client, Offer};
use linkage_node::report::{self, PAGE_FILE};
use serde_json::json;

use super::failure::{Blame, EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::runtime;
use super::screen::{self, Form};

/// What `extract submit` writes.
const FILES: [&str; 3] = ["table.csv", "table.json", PAGE_FILE];

/// Ask for tables.
#[derive(Debug, Subcommand)]
pub enum Extract {
    /// Show what the owners offer in a project: attributes, their values, what budget is left
    Catalogue(Catalogue),
    /// Show what a request would cost and who would learn what, without asking it
    Plan(Plan),
    /// Ask one owner or two for a table
    Submit(Submit),
}

/// Arguments of `extract catalogue`.
#[derive(Debug, Args)]
#[command(after_help = "\
Names and values only: no owner tells anything of its records here.

Example:
  linkage extract catalogue --as analyst.toml 06b57428...")]
pub struct Catalogue {
    #[command(flatten)]
    whose: Whose,
}

/// Arguments of `extract plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is asked and nothing paid. What would be refused now is said with the reason; the exit code
is then 1.

Example:
  linkage extract plan --as analyst.toml 06b57428... \\
    \"SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2\"")]
pub struct Plan {
    #[command(flatten)]
    whose: Whose,
    /// The request
    #[arg(value_name = "SQL")]
    sql: String,
}

/// Arguments of `extract submit`.
#[derive(Debug, Args)]
#[command(after_help = "\
A request names up to four attributes of one owner or two, and count(*). WHERE restricts it to some
of an attribute's values. Of two owners neither sees the other's values, and joint records are
counted; one owner alone counts its own records. Each adds noise; counts below the project's
threshold are not shown. Each answer uses up part of the privacy budget of every owner asked, also
a refused or interrupted one: see `linkage extract plan` first.

Examples:
  linkage extract submit --as analyst.toml 06b57428... \\
    \"SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2\"
  linkage extract submit --as analyst.toml 06b57428... --csv \\
    \"SELECT credit.grade, count(*) FROM persons WHERE health.chronic IN ('yes') GROUP BY 1\"")]
pub struct Submit {
    #[command(flatten)]
    whose: Whose,
    /// The request
    #[arg(value_name = "SQL")]
    sql: String,
    /// Print the table as CSV, one line for each cell, whatever --json says
    #[arg(long)]
    csv: bool,
    /// Also write table.csv, table.json and index.html, a page with a picture, to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long, requires = "out")]
    force: bool,
}

/// Who asks, in which project.
#[derive(Debug, Args)]
struct Whose {
    /// The analyst's configuration: trust_domain, tls, and every owner's node as `[[owner]]`
    #[arg(long = "as", value_name = "FILE")]
    config: PathBuf,
    /// The project's identity
    #[arg(value_name = "PROJECT")]
    project: ProjectId,
}

impl Extract {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Catalogue(catalogue) => catalogue.run(form),
            Self::Plan(plan) => plan.run(form),
            Self::Submit(submit) => submit.run(form),
        }
    }
}

impl Catalogue {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let Whose { config, project } = self.whose;
        let client = Client::read(&config).or_input()?;
        let offers = runtime()?.block_on(client.offers(&project)).or_input()?;
        form.show(&offers, || listed(&offers))?;
        Ok(EXIT_OK)
    }
}

/// The catalogue in words: a line for each attribute, then what is left of each budget.
fn listed(offers: &[Offer]) -> String {
    let mut lines = Vec::new();
    for offer in offers {
        for attribute in &offer.attributes {
            let title = attribute.title.as_ref().map(|title| format!(" ({title})"));
            lines.push(format!(
                "{}.{}{}: {}",
                offer.party.as_str().replace('-', "_"),
                attribute.name,
                title.unwrap_or_default(),
                attribute.values.join(", ")
            ));
        }
    }
    for offer in offers {
        lines.push(format!(
            "{}: {} counted from k = {}; epsilon {} a table, {} of {} left",
            offer.party,
            offer.population,
            offer.threshold_k,
            offer.epsilon_per_table,
            Thousandths(offer.epsilon_left_thousandths),
            Thousandths(offer.epsilon_budget_thousandths),
        ));
    }
    lines.join("\n")
}

impl Plan {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let Whose { config, project } = self.whose;
        let client = Client::read(&config).or_input()?;
        let plan = runtime()?
            .block_on(client.plan(&project, &self.sql))
            .or_input()?;
        form.show(&plan, || plan.to_string())?;
        Ok(if plan.obstacles.is_empty() {
            EXIT_OK
        } else {
            1
        })
    }
}

impl Submit {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let Whose { config, project } = self.whose;
        let client = Client::read(&config).or_input()?;
        // Before anything is paid for.
        let outputs = match &self.out {
            Some(folder) => Some(Outputs::within(folder, &FILES, &[&config], self.force)?),
            None => None,
        };
        let extract = runtime()?
            .block_on(client.extract(&project, &self.sql))
            .or_input()?;
        let data = json!({
            "project": project.to_string(),
            "request": extract.request.canonical(),
            "name": extract.name,
            "table": extract.table,
            "positions": extract.positions,
            "bytes_between_owners": extract.bytes_between_owners,
        });
        let csv = extract.table.to_csv()?;
        if let Some(outputs) = outputs {
            let made = jiff::Timestamp::now()
                .round(jiff::Unit::Second)?
                .to_string();
            let page = report::extract::page(&extract, &project.to_string(), &made)?;
            let json = serde_json::to_vec_pretty(&data)?;
            let contents = [&csv, &json, page.as_bytes()];
            for (index, content) in contents.iter().enumerate() {
                let target = outputs.target(index);
                let written = outputs.create(index)?.write_all(content);
                written.map_err(|error| outputs::io_error(&target)(error))?;
            }
            outputs.commit()?;
        }
        if self.csv {
            screen::show(&String::from_utf8_lossy(&csv))?;
            return Ok(EXIT_OK);
        }
        form.show(&data, || extract.table.to_string())?;
        Ok(EXIT_OK)
    }
}
