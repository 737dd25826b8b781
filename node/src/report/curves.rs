//! Precision, recall and F1 at other thresholds than the chosen one.

use super::data::{CurvePoint, PairQuality};
use super::number;
use super::picture::{
    AXIS_PADDING, DataTable, LegendEntry, Picture, horizontal_axis, threshold_line, vertical_axis,
};
use super::scale::Scale;
use super::svg::{Drawing, Mark, Place, at};

/// Height of the plot in pixels.
const HEIGHT: f64 = 220.0;

/// Distance of the marks on a line, in percent of the plot's width.
const MARK_DISTANCE: f64 = 12.0;

/// One line of the picture.
struct Line {
    name: &'static str,
    measured: &'static str,
    estimated: &'static str,
    mark: Option<Mark>,
    value: fn(&CurvePoint) -> f64,
}

/// F1 last, so that it lies on top.
const LINES: [Line; 3] = [
    Line {
        name: "precision",
        measured: "curve precision",
        estimated: "curve precision dashed",
        mark: Some(Mark::Dot),
        value: |point| point.precision,
    },
    Line {
        name: "recall",
        measured: "curve recall",
        estimated: "curve recall dashed",
        mark: Some(Mark::Square),
        value: |point| point.recall,
    },
    Line {
        name: "F1",
        measured: "curve f1",
        estimated: "curve f1 dashed",
        mark: None,
        value: |point| point.f1,
    },
];

/// The picture, or nothing when neither curve has a point.
pub(super) fn picture(id: &str, pair: &PairQuality) -> Option<Picture> {
    let points = || pair.curve.iter().chain(&pair.estimated_curve);
    let thresholds = || {
        points()
            .map(|point| point.threshold)
            .filter(|t| t.is_finite())
    };
    let (low, high) = thresholds().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| {
        (low.min(t), high.max(t))
    });
    if low > high {
        return None;
    }
    let across = Scale::linear(low, high);
    let lowest = points()
        .flat_map(|point| LINES.map(|line| (line.value)(point)))
        .filter(|value| value.is_finite())
        .fold(1.0, f64::min);
    // Whole fifths, so that the axis starts at a round rate below every point.
    let up = Scale::linear((lowest.max(0.0) * 5.0).floor().min(4.0) / 5.0, 1.0);

    let mut drawing = Drawing::new(HEIGHT);
    let (values, step) = up.ticks(6);
    let ticks: Vec<_> = values
        .into_iter()
        .map(|v| (v, number::tick(v, step)))
        .collect();
    vertical_axis(&mut drawing, &up, HEIGHT, &ticks, "rate");
    for line in &LINES {
        let estimated = places(line, &pair.estimated_curve, &across, &up);
        drawing.polyline(line.estimated, &estimated);
        let measured = places(line, &pair.curve, &across, &up);
        drawing.polyline(line.measured, &measured);
        // Marks on both kinds of lines would crowd the picture.
        if measured.is_empty() {
            marks(&mut drawing, line, line.estimated, &estimated);
        }
        marks(&mut drawing, line, line.measured, &measured);
    }
    horizontal_axis(&mut drawing, &across, HEIGHT, "threshold");
    threshold_line(&mut drawing, &across, HEIGHT, pair.threshold);

    let finding = finding(pair);
    let description = format!(
        "Lines of precision, recall and F1 for thresholds from {} to {}; the chosen threshold is \
         {}. The table below the picture has the values.",
        number::digits(low, 4),
        number::digits(high, 4),
        number::digits(pair.threshold, 4),
    );
    Some(Picture {
        kind: "curves",
        note: note(pair).to_owned(),
        legend: legend(pair),
        padding: AXIS_PADDING,
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(id, &finding, &description),
        finding,
        data: data(pair),
    })
}

fn places(line: &Line, points: &[CurvePoint], across: &Scale, up: &Scale) -> Vec<Place> {
    let place = |point: &CurvePoint| {
        let (x, y) = (point.threshold, (line.value)(point));
        // A value that is not finite breaks the line; clamping would hide it.
        match x.is_finite() && y.is_finite() {
            true => at(across.place(x) * 100.0, HEIGHT * (1.0 - up.place(y))),
            false => at(f64::NAN, f64::NAN),
        }
    };
    points.iter().map(place).collect()
}

/// Marks tell the lines apart without colour.
fn marks(drawing: &mut Drawing, line: &Line, class: &str, places: &[Place]) {
    // A line of one point is not visible without a mark.
    let single = places.len() == 1;
    let Some(mark) = line.mark.or(single.then_some(Mark::Dot)) else {
        return;
    };
    let mut next = f64::NEG_INFINITY;
    for place in places {
        if place.x >= next {
            drawing.mark(class, mark, *place, 3.0);
            next = place.x + MARK_DISTANCE;
        }
    }
}

/// The point with the largest F1.
fn best(points: &[CurvePoint]) -> Option<&CurvePoint> {
    let finite = points
        .iter()
        .filter(|p| p.f1.is_finite() && p.threshold.is_finite());
    finite.max_by(|a, b| a.f1.total_cmp(&b.f1))
}

fn finding(pair: &PairQuality) -> String {
    // The quality of the kind that the lines are of: the truth may be known at one threshold only.
    let measured = pair.measured.as_ref().filter(|_| !pair.curve.is_empty());
    let (quality, points, kind) = match (measured, &pair.estimated) {
        (Some(measured), _) => (Some(measured), &pair.curve, "F1"),
        (None, Some(estimated)) => (Some(estimated), &pair.estimated_curve, "Estimated F1"),
        (None, None) => (None, &pair.curve, "F1"),
    };
    match (quality, best(points)) {
        (Some(quality), Some(best)) => {
            let chosen = format!(
                "{kind} is {} at the chosen threshold",
                number::rate(quality.f1)
            );
            if best.f1 > quality.f1 + 0.00005 {
                let at = number::digits(best.threshold, 3);
                format!("{chosen}; the best is {} at {at}", number::rate(best.f1))
            } else {
                format!("{chosen}, the best on the curve")
            }
        }
        (Some(quality), None) => {
            format!(
                "{kind} is {} at the chosen threshold",
                number::rate(quality.f1)
            )
        }
        (None, _) => "Precision rises and recall falls with the threshold".to_owned(),
    }
}

fn note(pair: &PairQuality) -> &'static str {
    match (pair.curve.is_empty(), pair.estimated_curve.is_empty()) {
        (false, false) => "Solid lines are counted against the truth, dashed lines estimated.",
        (false, true) => "Counted against the truth.",
        _ => "Estimated without the truth.",
    }
}

fn legend(pair: &PairQuality) -> Vec<LegendEntry> {
    let measured = !pair.curve.is_empty();
    let mut legend: Vec<_> = LINES
        .iter()
        .rev()
        .map(|line| {
            LegendEntry::new(
                if measured {
                    line.measured
                } else {
                    line.estimated
                },
                line.name,
            )
        })
        .collect();
    if measured && !pair.estimated_curve.is_empty() {
        legend.push(LegendEntry::new("curve f1 dashed", "estimated"));
    }
    legend
}

fn data(pair: &PairQuality) -> DataTable {
    let mut table = DataTable::new(&["Source", "Threshold", "Precision", "Recall", "F1"]);
    for (source, points) in [
        ("measured", &pair.curve),
        ("estimated", &pair.estimated_curve),
    ] {
        table.rows.extend(points.iter().map(|point| {
            vec![
                source.to_owned(),
                number::digits(point.threshold, 4),
                number::rate(point.precision),
                number::rate(point.recall),
                number::rate(point.f1),
            ]
        }));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::data::{Histogram, Quality};
    use super::*;

    fn point(threshold: f64, precision: f64, recall: f64) -> CurvePoint {
        let f1 = 2.0 * precision * recall / (precision + recall);
        CurvePoint {
            threshold,
            precision,
            recall,
            f1,
        }
    }

    fn pair(curve: Vec<CurvePoint>, estimated_curve: Vec<CurvePoint>) -> PairQuality {
        PairQuality {
            owners: ("a".into(), "b".into()),
            histogram: Histogram::default(),
            threshold: 0.8,
            estimated: None,
            measured: None,
            curve,
            estimated_curve,
            candidates: None,
            weights: None,
        }
    }

    #[test]
    fn measured_lines_are_solid_and_estimated_ones_dashed() {
        let curve = vec![
            point(0.7, 0.9, 1.0),
            point(0.8, 0.98, 0.99),
            point(0.9, 1.0, 0.8),
        ];
        let drawn = picture("figure-1", &pair(curve.clone(), curve)).unwrap();
        let svg = drawn.drawing.to_string();
        assert_eq!(svg.matches("<polyline").count(), 6);
        assert_eq!(
            svg.matches("<polyline class=\"curve f1 dashed\"").count(),
            1
        );
        assert_eq!(svg.matches("class=\"threshold\"").count(), 1);
        assert_eq!(drawn.data.rows.len(), 6);
    }

    #[test]
    fn the_finding_names_a_better_threshold_if_there_is_one() {
        let mut pair = pair(
            vec![point(0.7, 0.99, 0.99), point(0.8, 0.999, 0.96)],
            Vec::new(),
        );
        let f1 = pair.curve[1].f1;
        pair.measured = Some(Quality {
            f1,
            ..Quality::default()
        });
        let finding = picture("figure-1", &pair).unwrap().finding;
        assert_eq!(
            finding,
            "F1 is 0.9791 at the chosen threshold; the best is 0.9900 at 0.7"
        );
        pair.measured = Some(Quality {
            f1: 0.99,
            ..Quality::default()
        });
        let finding = picture("figure-1", &pair).unwrap().finding;
        assert_eq!(
            finding,
            "F1 is 0.9900 at the chosen threshold, the best on the curve"
        );
    }

    #[test]
    fn empty_single_and_undefined_points_are_drawn_without_nonsense() {
        assert!(picture("figure-1", &pair(Vec::new(), Vec::new())).is_none());
        let single = picture("figure-1", &pair(vec![point(0.8, 1.0, 1.0)], Vec::new())).unwrap();
        assert_eq!(single.drawing.to_string().matches("<circle").count(), 2);
        // Precision of no links is 0/0.
        let undefined = point(0.9, f64::NAN, 0.0);
        let drawn = picture(
            "f",
            &pair(vec![point(0.7, 0.5, 1.0), undefined], Vec::new()),
        )
        .unwrap();
        let svg = drawn.drawing.to_string();
        assert!(!svg.contains("NaN"), "{svg}");
        assert_eq!(
            svg.matches("<polyline").count(),
            1,
            "only recall has two points"
        );
    }
}
