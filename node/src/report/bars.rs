//! Horizontal bars: stages by wall time, clusters by size.

use super::count::COUNT_MIN;
use super::data::{ClusterSize, Stage};
use super::number;
use super::picture::{DataTable, Picture};
use super::svg::{Anchor, Drawing, at, fit};

/// Height of one bar with its label above, in pixels.
const ROW: f64 = 42.0;

/// Room for a label, in pixels: what a phone leaves beside the value.
const LABEL_WIDTH: f64 = 210.0;

/// Font size of the labels in pixels, as in the style sheet.
const FONT: f64 = 13.0;

/// One bar.
struct Bar {
    label: String,
    value: f64,
    shown: String,
}

/// Wall time by stage, or nothing when there are no stages.
pub(super) fn stages(id: &str, stages: &[Stage]) -> Option<Picture> {
    let bars: Vec<Bar> = stages
        .iter()
        .map(|stage| Bar {
            label: stage.name.clone(),
            value: stage.seconds,
            shown: number::seconds(stage.seconds),
        })
        .collect();
    let longest = longest(&bars)?;
    let total: f64 = stages
        .iter()
        .map(|stage| stage.seconds)
        .filter(|s| s.is_finite())
        .sum();
    let share = number::percent(longest.value, total);
    let finding = format!(
        "“{}” takes {share} of {} in all",
        longest.label,
        number::seconds(total)
    );
    let measured = stages.iter().any(|stage| stage.cpu_seconds.is_some());
    let mut data = if measured {
        DataTable::new(&[
            "Stage",
            "Wall time",
            "CPU time",
            "Peak memory until its end",
            "Detail",
        ])
    } else {
        DataTable::new(&["Stage", "Wall time", "Detail"])
    };
    data.rows.extend(stages.iter().map(|stage| {
        let mut row = vec![stage.name.clone(), number::seconds(stage.seconds)];
        if measured {
            let absent = || number::ABSENT.to_owned();
            row.push(stage.cpu_seconds.map_or_else(absent, number::seconds));
            row.push(stage.memory_peak_bytes.map_or_else(absent, number::bytes));
        }
        row.push(stage.detail.clone());
        row
    }));
    let drawing = draw(&bars, longest.value);
    Some(Picture {
        kind: "stages",
        note: "Wall time of each stage, in the order they ran.".to_owned(),
        legend: Vec::new(),
        padding: [4, 0, 4, 0],
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(id, &finding, "Bars of wall time, one per stage."),
        finding,
        data,
    })
}

/// Clusters by the number of their records, or nothing when there are none.
pub(super) fn clusters(id: &str, clusters: &[ClusterSize]) -> Option<Picture> {
    let records = |size: usize| match size {
        1 => "1 record".to_owned(),
        _ => format!("{} records", number::count(size as u64)),
    };
    let bars: Vec<Bar> = clusters
        .iter()
        .map(|cluster| Bar {
            label: records(cluster.size),
            value: cluster.count.exact().unwrap_or(0) as f64,
            shown: cluster.count.to_string(),
        })
        .collect();
    let most = longest(&bars)?;
    let largest = clusters.iter().map(|cluster| cluster.size).max()?;
    let total: u64 = clusters.iter().fold(0, |sum, cluster| {
        sum.saturating_add(cluster.count.exact().unwrap_or(0))
    });
    let few = clusters
        .iter()
        .any(|cluster| cluster.count.exact().is_none());
    let finding = format!(
        "{}{} clusters; the largest has {}",
        if few { "More than " } else { "" },
        number::count(total),
        records(largest),
    );
    let mut data = DataTable::new(&["Size", "Clusters"]);
    data.rows.extend(
        bars.iter()
            .map(|bar| vec![bar.label.clone(), bar.shown.clone()]),
    );
    let drawing = draw(&bars, most.value);
    Some(Picture {
        kind: "clusters",
        note: format!(
            "Clusters of records that belong together, by number of records. Counts from 1 to {} are \
             withheld; a count marked × is withheld so that no other can be computed.",
            COUNT_MIN - 1
        ),
        legend: Vec::new(),
        padding: [4, 0, 4, 0],
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(
            id,
            &finding,
            "Bars of cluster counts, one per cluster size.",
        ),
        finding,
        data,
    })
}

fn longest(bars: &[Bar]) -> Option<&Bar> {
    bars.iter()
        .filter(|bar| bar.value.is_finite())
        .max_by(|a, b| a.value.total_cmp(&b.value))
}

fn draw(bars: &[Bar], most: f64) -> Drawing {
    let mut drawing = Drawing::new(bars.len() as f64 * ROW);
    for (index, bar) in bars.iter().enumerate() {
        let y = index as f64 * ROW;
        let label = fit(&bar.label, LABEL_WIDTH, FONT);
        drawing.text("label", Anchor::Start, at(0.0, y + 14.0), 0.0, &label);
        drawing.text("value", Anchor::End, at(100.0, y + 14.0), 0.0, &bar.shown);
        drawing.rect("track", at(0.0, y + 22.0), (100.0, 8.0), "");
        let width = if most > 0.0 {
            100.0 * bar.value / most
        } else {
            0.0
        };
        let class = if bar.value == most {
            "bar linked"
        } else {
            "bar"
        };
        drawing.rect(class, at(0.0, y + 22.0), (width, 8.0), "");
    }
    drawing
}

#[cfg(test)]
mod tests {
    use super::super::count::Count;
    use super::*;

    fn stage(name: &str, seconds: f64) -> Stage {
        Stage {
            cpu_seconds: None,
            memory_peak_bytes: None,
            name: name.to_owned(),
            seconds,
            detail: String::new(),
        }
    }

    #[test]
    fn the_longest_stage_is_named() {
        let drawn = stages("figure-1", &[stage("encode", 6.0), stage("compare", 2.0)]).unwrap();
        assert_eq!(drawn.finding, "“encode” takes 75 % of 8 s in all");
        let svg = drawn.drawing.to_string();
        assert_eq!(svg.matches("class=\"bar linked\"").count(), 1);
        assert!(svg.contains("width=\"33.33%\""), "{svg}");
    }

    #[test]
    fn nothing_zero_and_undefined_are_drawn_without_nonsense() {
        assert!(stages("figure-1", &[]).is_none());
        assert!(stages("figure-1", &[stage("x", f64::NAN)]).is_none());
        assert!(clusters("figure-1", &[]).is_none());
        let stages = stages("f", &[stage("x", 0.0), stage("y", f64::INFINITY)]).unwrap();
        let svg = stages.drawing.to_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn clusters_are_summed() {
        let sizes = [(1, 5000), (2, 1200), (3, 40)].map(|(size, count)| ClusterSize {
            size,
            count: Count::from(count),
        });
        let drawn = clusters("figure-1", &sizes).unwrap();
        assert_eq!(drawn.finding, "6,240 clusters; the largest has 3 records");
    }
}
