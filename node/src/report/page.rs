//! The page: what the templates under `templates/report/` are given.

use std::cmp::Reverse;

use askama::Template;

use super::data::{AuditResult, Level, PairQuality, Quality, Report, Round, Sight, TableView};
use super::number;
use super::picture::{DataTable, Picture};
use super::{bars, candidates, curves, flow, heatmap, histogram, pair_map, weights};

/// Most pairs of owners whose pictures are shown: a page of hundreds is not read, and slow.
pub(super) const PICTURED_MAX: usize = 12;

/// Most pairs of owners that tables list; a picture has all of them where there are more.
const LISTED_MAX: usize = 30;

/// Renders the page.
pub(super) fn render(report: &Report) -> Result<String, askama::Error> {
    let mut figures = FigureIds(0);
    let page = Page {
        report,
        headlines: headlines(report),
        rounds: report
            .rounds
            .iter()
            .map(|round| RoundView::new(round, &mut figures))
            .collect(),
        sight_finding: sight_finding(report),
        parties: report.parties.iter().map(PartyView::new).collect(),
        audit_finding: audit_finding(&report.audit),
        processes: processes(report),
    };
    page.render()
}

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page<'a> {
    report: &'a Report,
    headlines: Vec<Headline>,
    rounds: Vec<RoundView<'a>>,
    sight_finding: String,
    parties: Vec<PartyView<'a>>,
    audit_finding: String,
    processes: DataTable,
}

/// Ids that no two figures share, whatever user-chosen names they show.
struct FigureIds(usize);

impl FigureIds {
    fn next(&mut self) -> String {
        self.0 += 1;
        format!("figure-{}", self.0)
    }
}

/// One of the results at the top.
struct Headline {
    label: String,
    figure: String,
    note: String,
    /// Whether the result is one to worry about.
    alarm: bool,
}

fn headlines(report: &Report) -> Vec<Headline> {
    let mut headlines: Vec<Headline> = report.rounds.iter().filter_map(quality_headline).collect();
    let tables = || report.rounds.iter().flat_map(|round| &round.tables);
    if tables().next().is_some() {
        let cells = || tables().flat_map(|table| table.cells.iter().flatten());
        let released = cells()
            .filter(|cell| matches!(cell, super::data::Cell::Value(_)))
            .count();
        let total = cells().count();
        headlines.push(Headline {
            label: "Released tables".to_owned(),
            figure: tables().count().to_string(),
            note: format!(
                "{released} of {total} cells released, {} withheld",
                total - released
            ),
            alarm: false,
        });
    }
    if !report.audit.is_empty() {
        let verified = report.audit.iter().filter(|result| result.verified).count();
        headlines.push(Headline {
            label: "Audit logs verified".to_owned(),
            figure: format!("{verified} of {}", report.audit.len()),
            note: audit_finding(&report.audit),
            alarm: verified < report.audit.len(),
        });
    }
    if !report.parties.is_empty() {
        let saw = strangers(report).len();
        headlines.push(Headline {
            label: "Parties that saw others’ identifiers".to_owned(),
            figure: format!("{saw} of {}", report.parties.len()),
            note: sight_finding(report),
            alarm: saw > 0,
        });
    }
    headlines
}

/// F1 of a round: over all pairs if measured, else the lowest of its pairs.
fn quality_headline(round: &Round) -> Option<Headline> {
    let headline = |quality: &Quality, note: String| Headline {
        label: format!("F1, {}", round.name),
        figure: number::rate(quality.f1),
        note,
        alarm: false,
    };
    if let Some(quality) = &round.overall {
        let note = format!(
            "precision {}, recall {}, counted against the truth",
            number::rate(quality.precision),
            number::rate(quality.recall),
        );
        return Some(headline(quality, note));
    }
    if round.pairs.len() > PICTURED_MAX {
        let (middle, lowest) = pair_map::middle_and_lowest(&round.pairs)?;
        let measured = round.pairs.iter().all(|pair| pair.measured.is_some());
        return Some(Headline {
            label: format!("Median F1, {}", round.name),
            figure: number::rate(middle),
            note: format!(
                "of {} pairs of owners, lowest {}, {}",
                number::count(round.pairs.len() as u64),
                number::rate(lowest),
                if measured {
                    "counted against the truth"
                } else {
                    "estimated without the truth"
                },
            ),
            alarm: false,
        });
    }
    let lowest = |kind: fn(&PairQuality) -> Option<&Quality>| {
        let qualities: Option<Vec<&Quality>> = round.pairs.iter().map(kind).collect();
        qualities?.into_iter().min_by(|a, b| a.f1.total_cmp(&b.f1))
    };
    let pairs = match round.pairs.len() {
        1 => String::new(),
        pairs => format!("lowest of {pairs} pairs of owners, "),
    };
    if let Some(quality) = lowest(|pair| pair.measured.as_ref()) {
        return Some(headline(
            quality,
            format!("{pairs}counted against the truth"),
        ));
    }
    let quality = lowest(|pair| pair.estimated.as_ref())?;
    Some(headline(
        quality,
        format!("{pairs}estimated without the truth"),
    ))
}

/// Everything the page shows of one round.
struct RoundView<'a> {
    round: &'a Round,
    datasets: DataTable,
    quality: DataTable,
    /// Every pair at a glance, where there are too many to picture each.
    map: Option<Picture>,
    /// Pairs of owners beyond those that the tables list.
    unlisted: usize,
    /// How candidates were found: by pair of owners, by block key, and what was left out.
    candidates: DataTable,
    block_keys: DataTable,
    left_out: String,
    /// Pairs of owners beyond those whose pictures are shown.
    more_pairs: usize,
    flow: Option<Picture>,
    pairs: Vec<PairView>,
    clusters: Option<Picture>,
    stages: Option<Picture>,
    tables: Vec<ReleasedView<'a>>,
}

/// The pictures of one pair of owners.
struct PairView {
    name: String,
    pictures: Vec<Picture>,
}

/// A released table, its picture and the facts of its protection.
struct ReleasedView<'a> {
    table: &'a TableView,
    facts: Vec<(&'static str, String)>,
    picture: Option<Picture>,
}

impl<'a> RoundView<'a> {
    fn new(round: &'a Round, figures: &mut FigureIds) -> Self {
        let (shown, more_pairs) = some(round, PICTURED_MAX);
        let (listed, unlisted) = some(round, LISTED_MAX);
        let pairs = shown.into_iter().map(|pair| {
            let mut pictures = vec![
                histogram::picture(&figures.next(), pair),
                curves::picture(&figures.next(), pair),
            ];
            if let Some(known) = &pair.weights {
                pictures.push(weights::levels(&figures.next(), known));
                pictures.push(weights::shares(&figures.next(), known));
                let examples = known.examples.iter();
                let picture = |example| weights::waterfall(&figures.next(), known, example);
                pictures.extend(examples.map(picture));
            }
            PairView {
                name: format!("{} and {}", pair.owners.0, pair.owners.1),
                pictures: pictures.into_iter().flatten().collect(),
            }
        });
        let pairs = pairs.filter(|pair| !pair.pictures.is_empty()).collect();
        let tables = round.tables.iter().map(|table| ReleasedView {
            table,
            facts: protection(table),
            picture: heatmap::picture(&figures.next(), table),
        });
        let tables = tables.collect();
        Self {
            round,
            datasets: datasets(round),
            quality: quality(round, &listed),
            map: (more_pairs > 0)
                .then(|| pair_map::picture(&figures.next(), &round.pairs))
                .flatten(),
            unlisted,
            candidates: candidates::by_pair(&listed),
            block_keys: candidates::by_block_key(round),
            left_out: candidates::warning(round),
            more_pairs,
            flow: flow::picture(&figures.next(), round),
            pairs,
            clusters: bars::clusters(&figures.next(), &round.clusters),
            stages: bars::stages(&figures.next(), &round.stages),
            tables,
        }
    }
}

/// Places of the `most` largest in ascending order, by the number of pairs of records compared: the
/// quality of few is hardly known. Of equal ones the first.
pub(super) fn largest(compared: impl Iterator<Item = u64>, most: usize) -> Vec<usize> {
    let mut places: Vec<(usize, u64)> = compared.enumerate().collect();
    places.sort_by_key(|(_, compared)| Reverse(*compared));
    places.truncate(most);
    let mut places: Vec<usize> = places.into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// At most `most` pairs of owners, the largest in their order; and how many others there are.
fn some(round: &Round, most: usize) -> (Vec<&PairQuality>, usize) {
    let compared = |pair: &PairQuality| pair.candidates.as_ref().map_or(0, |found| found.compared);
    let places = largest(round.pairs.iter().map(compared), most);
    let more = round.pairs.len() - places.len();
    let shown = places
        .into_iter()
        .filter_map(|place| round.pairs.get(place));
    (shown.collect(), more)
}

pub(super) fn protection(table: &TableView) -> Vec<(&'static str, String)> {
    let mut facts = vec![("threshold k", number::count(table.k))];
    if let Some(epsilon) = table.epsilon {
        facts.push(("privacy loss ε", number::digits(epsilon, 3)));
    }
    if let Some(noise) = table.noise_sd {
        facts.push(("noise, standard deviation", number::digits(noise, 3)));
    }
    facts
}

fn datasets(round: &Round) -> DataTable {
    let mut table = DataTable::new(&[
        "Owner",
        "Rows read",
        "Rejected",
        "Tokens sent",
        "Bytes sent",
    ]);
    table.rows.extend(round.datasets.iter().map(|line| {
        vec![
            line.owner.clone(),
            number::count(line.rows_read),
            number::count(line.rows_rejected),
            number::count(line.tokens_sent),
            number::bytes(line.bytes_sent),
        ]
    }));
    table
}

/// Measured and estimated quality, one line each, all pairs first.
fn quality(round: &Round, listed: &[&PairQuality]) -> DataTable {
    let mut table = DataTable::new(&[
        "Owners",
        "Source",
        "Precision",
        "Recall",
        "F1",
        "F1, 95 %",
        "Correct",
        "Found",
        "True",
    ]);
    let mut push = |owners: &str, source: &str, quality: &Option<Quality>| {
        let Some(quality) = quality else { return };
        let interval = quality
            .f1_interval
            .map(|(low, high)| format!("{} – {}", number::rate(low), number::rate(high)));
        let counts = [
            quality.correct_links,
            quality.found_links,
            quality.true_links,
        ];
        let absent = || number::ABSENT.to_owned();
        let mut line = vec![
            owners.to_owned(),
            source.to_owned(),
            number::rate(quality.precision),
            number::rate(quality.recall),
            number::rate(quality.f1),
            interval.unwrap_or_else(absent),
        ];
        line.extend(counts.map(|count| count.map_or_else(absent, |count| count.to_string())));
        table.rows.push(line);
    };
    push("all", "measured", &round.overall);
    for pair in listed {
        let owners = format!("{} – {}", pair.owners.0, pair.owners.1);
        push(&owners, "measured", &pair.measured);
        push(&owners, "estimated", &pair.estimated);
    }
    table
}

/// One row of the matrix of who saw what.
struct PartyView<'a> {
    party: &'a str,
    role: &'a str,
    sights: [SightView<'a>; 6],
    bytes_in: String,
    bytes_out: String,
}

/// One cell of the matrix.
struct SightView<'a> {
    thing: &'static str,
    /// Id of the symbol and class of the style sheet.
    symbol: &'static str,
    word: &'static str,
    text: &'a str,
}

impl<'a> PartyView<'a> {
    fn new(party: &'a super::data::WhatPartySaw) -> Self {
        Self {
            party: &party.party,
            role: &party.role,
            sights: [
                SightView::new("Identifiers", &party.identifiers),
                SightView::new("Keys", &party.keys),
                SightView::new("Tokens", &party.tokens),
                SightView::new("Link map", &party.link_map),
                SightView::new("Attributes", &party.attributes),
                SightView::new("Tables", &party.table),
            ],
            bytes_in: number::bytes(party.bytes_in),
            bytes_out: number::bytes(party.bytes_out),
        }
    }
}

impl<'a> SightView<'a> {
    fn new(thing: &'static str, sight: &'a Sight) -> Self {
        let (symbol, word) = match sight.level {
            Level::Own => ("own", "own only"),
            Level::Nothing => ("nothing", "nothing"),
            Level::Pseudonymous => ("pseudonymous", "pseudonymous"),
            Level::Released => ("released", "released"),
        };
        Self {
            thing,
            symbol,
            word,
            text: &sight.text,
        }
    }
}

/// Parties that saw identifiers which are not their own.
fn strangers(report: &Report) -> Vec<&str> {
    let seen = |level| matches!(level, Level::Pseudonymous | Level::Released);
    let parties = report
        .parties
        .iter()
        .filter(|party| seen(party.identifiers.level));
    parties.map(|party| party.party.as_str()).collect()
}

fn sight_finding(report: &Report) -> String {
    let strangers = strangers(report);
    if strangers.is_empty() {
        "Identifiers stayed with their owners".to_owned()
    } else {
        format!(
            "Identifiers left their owners: seen by {}",
            strangers.join(", ")
        )
    }
}

fn audit_finding(audit: &[AuditResult]) -> String {
    let failed: Vec<&str> = audit
        .iter()
        .filter(|result| !result.verified)
        .map(|result| &*result.node)
        .collect();
    if failed.is_empty() {
        let entries = audit
            .iter()
            .fold(0u64, |sum, result| sum.saturating_add(result.entries));
        format!("{} entries, all verified", number::count(entries))
    } else {
        format!("Not verified: {}", failed.join(", "))
    }
}

fn processes(report: &Report) -> DataTable {
    let mut table = DataTable::new(&["Process", "Role", "Peak memory", "CPU time", "Log"]);
    table.rows.extend(report.processes.iter().map(|process| {
        vec![
            process.name.clone(),
            process.role.clone(),
            number::bytes(process.memory_peak_bytes),
            number::seconds(process.cpu_seconds),
            process.log_path.clone(),
        ]
    }));
    table
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    const STYLE: &str = include_str!("../../templates/report/style.css");

    /// A colour, red, green and blue from 0 to 1.
    type Rgb = [f64; 3];

    /// The variables of one theme.
    fn theme(block: &str) -> HashMap<&str, Rgb> {
        let declarations = block
            .lines()
            .filter_map(|line| line.trim().strip_prefix("--"));
        declarations
            .map(|line| {
                let (name, value) = line.trim_end_matches(';').split_once(": #").unwrap();
                let channel =
                    |at: usize| f64::from(u8::from_str_radix(&value[at..at + 2], 16).unwrap());
                (name, [0, 2, 4].map(|at| channel(at) / 255.0))
            })
            .collect()
    }

    /// Contrast of two colours, WCAG 2.2, "contrast ratio" and "relative luminance".
    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let luminance = |colour: Rgb| {
            let linear = colour.map(|c| match c {
                ..=0.04045 => c / 12.92,
                _ => ((c + 0.055) / 1.055).powf(2.4),
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn colours_keep_their_contrast_in_both_themes() {
        let (light, rest) = STYLE.split_once("@media screen").unwrap();
        let (dark, _) = rest.split_once("\n}\n").unwrap();
        for theme in [theme(light), theme(dark)] {
            assert_eq!(theme.len(), 8);
            for ground in ["page", "card"] {
                for text in ["ink", "muted", "accent", "alarm"] {
                    let ratio = contrast(theme[text], theme[ground]);
                    assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
                }
                let ratio = contrast(theme["rest"], theme[ground]);
                assert!(ratio >= 3.0, "bars on {ground}: {ratio:.2}");
            }
            let darkest = [0, 1, 2].map(|channel| {
                let (over, under) = (theme["accent"][channel], theme["card"][channel]);
                under + (over - under) * crate::report::heatmap::OPACITY.1
            });
            let ratio = contrast(theme["ink"], darkest);
            assert!(ratio >= 4.5, "ink on the darkest cell: {ratio:.2}");
        }
    }
}
