//! A made-up report with every part filled: three owners, two rounds, two released tables.
//!
//! The figures follow from simple formulas (two bell curves of scores) so that the pictures look
//! like those of a real run. They measure nothing.

use linkage_node::report::count::Count;
use linkage_node::report::data::{
    AuditResult, BlockKeyUse, CandidateUse, Cell, ClusterSize, CurvePoint, DatasetLine, Dimension,
    Flow, FlowStep, Histogram, Level, PairQuality, ProcessUse, Quality, Report, Round, Sight,
    Stage, TableView, WhatPartySaw,
};

const HEALTH: &str = "Health 卫健委";
const CREDIT: &str = "Credit 信用办";
const TAX: &str = "Tax 税务局";
const OWNERS: [&str; 3] = [HEALTH, CREDIT, TAX];

/// The report, with `suffix` at the end of every text in it.
pub fn report(suffix: &str) -> Report {
    let text = Texts(suffix);
    Report {
        title: text.of("Linkage demo: three departments"),
        generated_at: text.of("2026-03-02T14:05:11+08:00"),
        linkage_version: text.of("0.1.0"),
        rounds: vec![text.persons(), text.enterprises()],
        parties: text.parties(),
        audit: text.audit(),
        processes: text.processes(),
    }
}

struct Texts<'a>(&'a str);

impl Texts<'_> {
    fn of(&self, text: &str) -> String {
        format!("{text}{}", self.0)
    }

    fn persons(&self) -> Round {
        let pairs = vec![
            self.pair((HEALTH, CREDIT), 1_200_000.0, 9_600.0),
            self.pair((HEALTH, TAX), 86_000.0, 7_300.0),
        ];
        Round {
            name: self.of("Persons 自然人"),
            description: self.of("Records of the same people in three registers, with typing errors, missing values and changed names."),
            datasets: self.datasets([12_000, 15_400, 9_800]),
            flows: self.flows(),
            pairs,
            clusters: [(1, 11_204), (2, 7_870), (3, 4_120)]
                .map(|(size, count)| ClusterSize { size, count: Count::from(count) })
                .into(),
            overall: Some(Quality {
                precision: 0.99312,
                recall: 0.98934,
                f1: 0.99123,
                f1_interval: Some((0.98991, 0.99248)),
                true_links: Some(16_230.into()),
                found_links: Some(16_168.into()),
                correct_links: Some(16_057.into()),
            }),
            stages: [
                ("Normalise and encode", 11.42, "37,200 records, 3,257 records/s"),
                ("Upload", 1.873, "30.4 MiB, 3 owners in parallel"),
                ("Candidates", 2.41, "1,286,000 candidate pairs"),
                ("Compare and decide", 3.062, "0.42 M comparisons/s"),
                ("Oblivious tables", 24.713, "2 tables, 35 encrypted cells"),
                ("Release", 0.0312, "noise, suppression, receipt"),
            ]
            .map(|(name, seconds, detail)| Stage {
                name: self.of(name),
                seconds,
                cpu_seconds: Some(seconds * 1.7),
                memory_peak_bytes: Some(34_000_000),
                detail: self.of(detail),
            })
            .into(),
            tables: vec![self.two_dimensions(), self.one_dimension()],
        }
    }

    fn enterprises(&self) -> Round {
        let mut pair = self.pair((CREDIT, TAX), 4_000.0, 2_100.0);
        pair.measured = None;
        pair.curve.clear();
        Round {
            name: self.of("Enterprises 企业"),
            description: self.of("Matched by organisation code and by name; no truth is known."),
            datasets: self.datasets([0, 2_600, 2_480]).split_off(1),
            pairs: vec![pair],
            ..Round::default()
        }
    }

    fn datasets(&self, rows: [u64; 3]) -> Vec<DatasetLine> {
        let lines = OWNERS.iter().zip(rows).map(|(owner, rows)| DatasetLine {
            owner: self.of(owner),
            rows_read: rows,
            rows_rejected: rows / 731,
            tokens_sent: rows - rows / 731,
            bytes_sent: rows * 857,
        });
        lines.collect()
    }

    fn flows(&self) -> Vec<Flow> {
        let flow = |step, owner: &str, bytes| Flow {
            step,
            party: self.of(owner),
            bytes,
        };
        OWNERS
            .iter()
            .flat_map(|owner| {
                [
                    flow(FlowStep::Positions, owner, 61_440),
                    flow(
                        FlowStep::Tables,
                        owner,
                        18_874_368 + owner.len() as u64 * 99_991,
                    ),
                    flow(FlowStep::Release, owner, 812),
                ]
            })
            .collect()
    }

    fn candidates(&self, pairs: f64) -> CandidateUse {
        let keys = [("phone 手机", 0.4, 0), ("name and birth year", 1.2, 3)];
        CandidateUse {
            method: self.of("keys"),
            compared: pairs as u64,
            reduction_ratio: 0.99341,
            pair_completeness: Some(0.9987),
            keyed: 4021.into(),
            only_keyed: false,
            identity_conflicts: 12.into(),
            block_keys: keys
                .map(|(name, share, cut)| BlockKeyUse {
                    name: self.of(name),
                    pairs: (pairs * share) as u64,
                    blocks_cut: cut,
                    pairs_left_out: cut * 100_417,
                })
                .into(),
            token_bits: None,
        }
    }

    fn pair(&self, owners: (&str, &str), strangers: f64, links: f64) -> PairQuality {
        let bell =
            |score: f64, middle: f64, width: f64| (-((score - middle) / width).powi(2) / 2.0).exp();
        let edges: Vec<f64> = (0..=40).map(|n| 0.6 + f64::from(n) * 0.01).collect();
        let middles = edges.iter().map(|edge| edge + 0.005).take(40);
        let null: Vec<f64> = middles
            .clone()
            .map(|score| strangers * 0.11 * bell(score, 0.68, 0.034))
            .collect();
        let counts = middles.zip(&null).map(|(score, null)| {
            let count = (null + links * 0.13 * bell(score, 0.94, 0.028)).round() as u64;
            (count == 0 || count >= 10).then_some(count)
        });
        let quality = |shift: f64| {
            let point = point(0.842, shift);
            let CurvePoint {
                precision,
                recall,
                f1,
                ..
            } = point;
            Quality {
                precision,
                recall,
                f1,
                ..Quality::default()
            }
        };
        PairQuality {
            owners: (self.of(owners.0), self.of(owners.1)),
            histogram: Histogram {
                counts: counts.collect(),
                edges,
                k: Some(10),
                null_counts: Some(null),
            },
            threshold: 0.842,
            estimated: Some(quality(0.004)),
            measured: Some(quality(0.0)),
            curve: curve(0.0),
            estimated_curve: curve(0.004),
            candidates: Some(self.candidates(strangers + links)),
            weights: None,
        }
    }

    fn dimension(&self, owner: &str, name: &str, labels: &[&str]) -> Dimension {
        Dimension {
            owner: self.of(owner),
            name: self.of(name),
            labels: labels.iter().map(|label| self.of(label)).collect(),
        }
    }

    fn two_dimensions(&self) -> TableView {
        let truth: Vec<Vec<i64>> = (0..5)
            .map(|row| {
                (0..4)
                    .map(|column| 2400 / (1 + row * row * 3 + column * 5))
                    .collect()
            })
            .collect();
        let cells = truth.iter().enumerate().map(|(row, cells)| {
            let cell = |(column, value): (usize, &i64)| match value
                + (row as i64 * 7 + column as i64 * 4) % 11
                - 5
            {
                ..40 => Cell::BelowK,
                _ if (row, column) == (3, 1) => Cell::Complementary,
                noisy => Cell::Value(noisy),
            };
            cells.iter().enumerate().map(cell).collect()
        });
        TableView {
            sql: self.of("SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2"),
            measure: self.of("count(*)"),
            row_dimension: self.dimension(CREDIT, "grade", &["AAA", "AA", "A", "B 关注", "C 失信"]),
            column_dimension: Some(self.dimension(HEALTH,
                "chronic",
                &["none 无", "diabetes 糖尿病", "hypertension 高血压", "both"],
            )),
            cells: cells.collect(),
            k: 40,
            shown_min: 40,
            epsilon: Some(0.5),
            noise_sd: Some(4.2426),
            method_note: self.of("Discrete Gaussian noise in every cell, threshold on the noisy count, complementary suppression by row."),
            true_cells: Some(truth),
        }
    }

    fn one_dimension(&self) -> TableView {
        let values = [10_412, 3_980, 1_204];
        TableView {
            sql: self.of("SELECT tax.band, count(*) FROM persons GROUP BY 1"),
            measure: self.of("count(*)"),
            row_dimension: self.dimension(TAX, "band", &["low", "middle", "high"]),
            column_dimension: None,
            cells: values.map(|value| vec![Cell::Value(value)]).into(),
            k: 10,
            shown_min: 10,
            epsilon: None,
            noise_sd: None,
            method_note: String::new(),
            true_cells: None,
        }
    }

    fn parties(&self) -> Vec<WhatPartySaw> {
        let sight = |level, text: &str| Sight {
            level,
            text: if text.is_empty() {
                String::new()
            } else {
                self.of(text)
            },
        };
        let owner = |name: &str| WhatPartySaw {
            party: self.of(name),
            role: self.of("owner"),
            identifiers: sight(Level::Own, "of its own register"),
            keys: sight(Level::Own, "project key, shared by owners"),
            tokens: sight(Level::Own, ""),
            link_map: sight(Level::Nothing, "random positions only"),
            attributes: sight(Level::Own, ""),
            table: sight(Level::Nothing, "encrypted cells"),
            bytes_in: 19_402_112,
            bytes_out: 30_190_044,
        };
        let mut parties: Vec<_> = OWNERS.iter().map(|name| owner(name)).collect();
        parties.push(WhatPartySaw {
            party: self.of("Matcher"),
            role: self.of("matcher"),
            identifiers: sight(Level::Nothing, ""),
            keys: sight(Level::Nothing, ""),
            tokens: sight(Level::Pseudonymous, "37,150 tokens"),
            link_map: sight(Level::Pseudonymous, "16,168 links"),
            attributes: sight(Level::Nothing, ""),
            table: sight(Level::Nothing, ""),
            bytes_in: 31_880_400,
            bytes_out: 184_320,
        });
        parties.push(WhatPartySaw {
            party: self.of("Analyst"),
            role: self.of("analyst"),
            identifiers: sight(Level::Nothing, ""),
            keys: sight(Level::Nothing, ""),
            tokens: sight(Level::Nothing, ""),
            link_map: sight(Level::Nothing, ""),
            attributes: sight(Level::Nothing, ""),
            table: sight(Level::Released, "2 tables"),
            bytes_in: 2_436,
            bytes_out: 640,
        });
        parties
    }

    fn audit(&self) -> Vec<AuditResult> {
        let nodes = OWNERS.iter().copied().chain(["Matcher"]);
        let results = nodes.enumerate().map(|(index, node)| AuditResult {
            node: self.of(node),
            entries: 118 + index as u64 * 7,
            head_hash: self
                .of(&format!("{:016x}", 0x9e37_79b9_7f4a_7c15u64 ^ index as u64).repeat(4)),
            verified: true,
            detail: self.of("chain, checkpoints, signatures, receipts"),
        });
        results.collect()
    }

    fn processes(&self) -> Vec<ProcessUse> {
        let names = OWNERS
            .iter()
            .map(|name| (*name, "owner"))
            .chain([("Matcher", "matcher")]);
        let processes = names.enumerate().map(|(index, (name, role))| ProcessUse {
            name: self.of(name),
            role: self.of(role),
            memory_peak_bytes: 88_000_000 + index as u64 * 31_000_000,
            cpu_seconds: 12.4 + index as f64 * 3.3,
            log_path: self.of(&format!("logs/node-{index}.log")),
        });
        processes.collect()
    }
}

/// Precision and recall against the threshold, as two bell curves of scores give them.
fn curve(shift: f64) -> Vec<CurvePoint> {
    (0..=30)
        .map(|n| point(0.7 + f64::from(n) * 0.01, shift))
        .collect()
}

fn point(threshold: f64, shift: f64) -> CurvePoint {
    let precision = 1.0 / (1.0 + (-(threshold - 0.762 - shift) * 62.0).exp());
    let recall = 1.0 / (1.0 + ((threshold - 0.931 + shift) * 58.0).exp());
    let f1 = 2.0 * precision * recall / (precision + recall);
    CurvePoint {
        threshold,
        precision,
        recall,
        f1,
    }
}
