//! Scores of the candidate pairs: two modes and the threshold between them.

use super::count::Count;
use super::data::{Histogram, PairQuality};
use super::number;
use super::picture::{
    AXIS_PADDING, DataTable, LegendEntry, Picture, horizontal_axis, threshold_line, vertical_axis,
};
use super::scale::{Scale, Shape};
use super::svg::{Drawing, Place, at};

/// Height of the plot in pixels.
const HEIGHT: f64 = 220.0;

/// Smallest distance of two labels of the vertical axis, in pixels: two lines of 12 px text.
const LABEL_SPACING: f64 = 26.0;

/// A group of bars lower than this share of the plot is hard to see; then the scale is bent.
const VISIBLE_SHARE: f64 = 0.15;

/// One bar.
struct Bin {
    from: f64,
    to: f64,
    count: Option<u64>,
    expected: Option<f64>,
    /// From the threshold on: its pairs are links.
    linked: bool,
}

/// The picture, or nothing when there are no bins. The histogram has been checked: one edge more
/// than counts, ascending.
pub(super) fn picture(id: &str, pair: &PairQuality) -> Option<Picture> {
    let bins = bins(pair);
    let (first, last) = (bins.first()?, bins.last()?);
    let across = Scale::linear(first.from, last.to);
    let up = vertical_scale(&bins, pair.histogram.k);
    let mut drawing = Drawing::new(HEIGHT);

    let ticks = up.count_ticks(HEIGHT, LABEL_SPACING);
    let ticks: Vec<_> = ticks
        .into_iter()
        .map(|v| (v, number::short_count(v)))
        .collect();
    let (axis_title, scale_note) = match up_shape(&bins) {
        Shape::Linear => ("candidate pairs", ""),
        Shape::SquareRoot => (
            "candidate pairs, square-root scale",
            "Heights are square roots of counts. ",
        ),
        Shape::Logarithmic => (
            "candidate pairs, logarithmic scale",
            "Heights are logarithms of counts. ",
        ),
    };
    vertical_axis(&mut drawing, &up, HEIGHT, &ticks, axis_title);
    for bin in &bins {
        bar(&mut drawing, bin, &across, &up, pair.histogram.k);
    }
    expected_outline(&mut drawing, &bins, &across, &up);
    horizontal_axis(&mut drawing, &across, HEIGHT, "score");
    threshold_line(&mut drawing, &across, HEIGHT, pair.threshold);

    let finding = finding(&bins, pair);
    let description = format!(
        "Histogram of {} bins with scores from {} to {}; the threshold is {}. The table below the \
         picture has its counts.",
        bins.len(),
        number::digits(first.from, 4),
        number::digits(last.to, 4),
        number::digits(pair.threshold, 4),
    );
    Some(Picture {
        kind: "histogram",
        note: format!("{scale_note}{}", links_note(pair)),
        legend: legend(&pair.histogram),
        padding: AXIS_PADDING,
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(id, &finding, &description),
        finding,
        data: data(&bins, pair.histogram.k),
    })
}

fn bins(pair: &PairQuality) -> Vec<Bin> {
    let histogram = &pair.histogram;
    let expected = histogram.null_counts.as_deref().unwrap_or_default();
    let borders = histogram.edges.iter().zip(histogram.edges.iter().skip(1));
    borders
        .zip(&histogram.counts)
        .enumerate()
        .map(|(index, ((from, to), count))| Bin {
            from: *from,
            to: *to,
            count: *count,
            expected: expected.get(index).copied(),
            // A bin that holds the threshold counts to the side its middle is on.
            linked: (from + to) / 2.0 >= pair.threshold,
        })
        .collect()
}

/// Highest bar of one side of the threshold.
fn highest(bins: &[Bin], linked: bool) -> f64 {
    let counts = bins
        .iter()
        .filter(|bin| bin.linked == linked)
        .filter_map(|bin| bin.count);
    counts.max().unwrap_or(0) as f64
}

/// The least bent scale on which the lower of the two modes is visible.
fn up_shape(bins: &[Bin]) -> Shape {
    let (links, rest) = (highest(bins, true), highest(bins, false));
    let ratio = links.min(rest) / links.max(rest);
    if !ratio.is_finite() || ratio == 0.0 || ratio >= VISIBLE_SHARE {
        Shape::Linear
    } else if ratio.sqrt() >= VISIBLE_SHARE {
        Shape::SquareRoot
    } else {
        Shape::Logarithmic
    }
}

fn vertical_scale(bins: &[Bin], k: Option<u64>) -> Scale {
    let counts = bins.iter().map(|bin| bin.count.or(k).unwrap_or(0) as f64);
    let expected = bins.iter().filter_map(|bin| bin.expected);
    // `f64::max` passes over NaN.
    let most = counts
        .chain(expected)
        .filter(|v| v.is_finite())
        .fold(1.0, f64::max);
    Scale::counts(most, up_shape(bins))
}

fn bar(drawing: &mut Drawing, bin: &Bin, across: &Scale, up: &Scale, k: Option<u64>) {
    let left = across.place(bin.from) * 100.0;
    let width = across.place(bin.to) * 100.0 - left;
    // A tenth of the width stays free between bars.
    let (left, width) = (left + width * 0.05, width * 0.9);
    let height = |count: u64| up.place(count as f64) * HEIGHT;
    let tip = format!("{}: {} pairs", range(bin), shown(bin.count, k));
    match (bin.count, k) {
        (Some(0), _) => {}
        (Some(count), _) => {
            let class = if bin.linked { "bar linked" } else { "bar" };
            let height = height(count).max(1.0);
            drawing.rect(class, at(left, HEIGHT - height), (width, height), &tip);
        }
        // Drawn as high as it could be.
        (None, k) => {
            let height = height(k.unwrap_or(1).saturating_sub(1)).max(3.0);
            drawing.rect("withheld", at(left, HEIGHT - height), (width, height), &tip);
        }
    }
}

fn expected_outline(drawing: &mut Drawing, bins: &[Bin], across: &Scale, up: &Scale) {
    let mut steps: Vec<Place> = Vec::new();
    for bin in bins {
        let y = match bin.expected {
            Some(expected) if expected.is_finite() => HEIGHT * (1.0 - up.place(expected)),
            _ => f64::NAN,
        };
        steps.extend([bin.from, bin.to].map(|score| at(across.place(score) * 100.0, y)));
    }
    drawing.polyline("outline", &steps);
}

fn finding(bins: &[Bin], pair: &PairQuality) -> String {
    if let Some(found) = pair.candidates.as_ref().filter(|found| found.only_keyed) {
        return format!(
            "All pairs linked directly ({}) share a link key; no threshold was needed",
            found.keyed
        );
    }
    let total: u64 = bins.iter().filter_map(|bin| bin.count).sum();
    let linked = bins.iter().filter(|bin| bin.linked);
    let links: u64 = linked.clone().filter_map(|bin| bin.count).sum();
    let chance = linked.filter_map(|bin| bin.expected);
    // Counts are exact only if the threshold lies between two bins and no bin is withheld.
    let between = bins
        .iter()
        .any(|bin| (bin.from - pair.threshold).abs() < 1e-9);
    let about = if between && bins.iter().all(|bin| bin.count.is_some()) {
        ""
    } else {
        "About "
    };
    let mut finding = format!(
        "{about}{} of {} candidate pairs score at or above the threshold",
        number::count(links),
        number::count(total),
    );
    if pair.histogram.null_counts.is_some() {
        let sum: f64 = chance.sum();
        let expected = if sum < 0.5 {
            "fewer than one".to_owned()
        } else {
            format!("about {}", number::expected(sum.round()))
        };
        finding.push_str(&format!("; {expected} of them by chance"));
    }
    finding
}

/// Which pairs are links: those that share a link key stand at their score like any other.
fn links_note(pair: &PairQuality) -> &'static str {
    let keyed = pair.candidates.as_ref().map(|found| found.keyed);
    match keyed {
        None | Some(Count::Exact(0)) => "Pairs right of the line are links.",
        Some(_) => {
            "Pairs right of the line are links, and those that share a link key, wherever they are."
        }
    }
}

fn legend(histogram: &Histogram) -> Vec<LegendEntry> {
    let mut legend = vec![
        LegendEntry::new("bar linked", "at or above the threshold"),
        LegendEntry::new("bar", "below"),
    ];
    if histogram.null_counts.is_some() {
        legend.push(LegendEntry::new("outline", "expected non-matches"));
    }
    if let Some(k) = histogram.k {
        legend.push(LegendEntry::new(
            "withheld",
            format!("fewer than {k}, withheld"),
        ));
    }
    legend
}

fn range(bin: &Bin) -> String {
    format!(
        "{} to {}",
        number::digits(bin.from, 4),
        number::digits(bin.to, 4)
    )
}

fn shown(count: Option<u64>, k: Option<u64>) -> String {
    match (count, k) {
        (Some(count), _) => number::count(count),
        (None, Some(k)) => format!("< {k}"),
        (None, None) => number::ABSENT.to_owned(),
    }
}

fn data(bins: &[Bin], k: Option<u64>) -> DataTable {
    let mut table = DataTable::new(&["Score", "Candidate pairs", "Expected non-matches"]);
    for bin in bins {
        let expected = bin
            .expected
            .map_or(number::ABSENT.to_owned(), number::expected);
        table
            .rows
            .push(vec![range(bin), shown(bin.count, k), expected]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::data::CandidateUse;
    use super::*;

    fn pair(counts: Vec<Option<u64>>) -> PairQuality {
        let bins = counts.len();
        PairQuality {
            owners: ("a".into(), "b".into()),
            histogram: Histogram {
                edges: (0..=bins).map(|n| n as f64 / bins as f64).collect(),
                counts,
                k: Some(10),
                null_counts: None,
            },
            threshold: 0.5,
            estimated: None,
            measured: None,
            curve: Vec::new(),
            estimated_curve: Vec::new(),
            candidates: None,
            weights: None,
        }
    }

    #[test]
    fn the_finding_counts_both_sides_of_the_threshold() {
        let mut pair = pair(vec![Some(900), Some(20), Some(30), Some(50)]);
        let drawn = picture("figure-1", &pair).unwrap();
        assert_eq!(
            drawn.finding,
            "80 of 1,000 candidate pairs score at or above the threshold"
        );
        pair.histogram.null_counts = Some(vec![899.0, 18.0, 2.0, 1.4]);
        let drawn = picture("figure-1", &pair).unwrap();
        assert!(
            drawn.finding.ends_with("; about 3 of them by chance"),
            "{}",
            drawn.finding
        );
        assert_eq!(
            drawn
                .drawing
                .to_string()
                .matches("class=\"outline\"")
                .count(),
            1
        );
        assert_eq!(
            drawn
                .drawing
                .to_string()
                .matches("class=\"bar linked\"")
                .count(),
            2
        );
    }

    #[test]
    fn counts_are_called_exact_only_if_they_are() {
        let mut pair = pair(vec![Some(100), Some(10)]);
        let finding = |pair: &PairQuality| picture("figure-1", pair).unwrap().finding;
        assert!(finding(&pair).starts_with("10 of 110"));
        pair.threshold = 0.6;
        assert!(finding(&pair).starts_with("About 10 of 110"));
        pair.threshold = 0.5;
        pair.histogram.counts[0] = None;
        assert!(finding(&pair).starts_with("About 10 of 10"));
    }

    #[test]
    fn the_scale_is_bent_only_as_far_as_needed() {
        for (low, high, shape) in [
            (400, 1000, Shape::Linear),
            (100, 1000, Shape::SquareRoot),
            (9_000, 1_200_000, Shape::Logarithmic),
            (0, 1000, Shape::Linear),
        ] {
            let pair = pair(vec![Some(high), Some(0), Some(0), Some(low)]);
            assert_eq!(up_shape(&bins(&pair)), shape, "{low} {high}");
        }
    }

    #[test]
    fn withheld_counts_are_hatched_and_marked() {
        let drawn = picture("figure-1", &pair(vec![Some(500), None, Some(40)])).unwrap();
        let svg = drawn.drawing.to_string();
        assert_eq!(svg.matches("class=\"withheld\"").count(), 1);
        assert!(svg.contains("&lt; 10 pairs"), "{svg}");
        assert_eq!(drawn.data.rows[1][1], "< 10");
    }

    #[test]
    fn no_bins_and_odd_numbers_draw_no_nonsense() {
        assert!(picture("figure-1", &pair(Vec::new())).is_none());
        let mut odd = pair(vec![Some(0)]);
        odd.threshold = f64::NAN;
        odd.histogram.null_counts = Some(vec![f64::INFINITY]);
        let drawn = picture("figure-1", &odd).unwrap();
        let svg = drawn.drawing.to_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn links_by_key_alone_need_no_threshold() {
        let mut keyed = pair(vec![Some(0), Some(29)]);
        keyed.threshold = 1.0;
        keyed.candidates = Some(CandidateUse {
            keyed: Count::Exact(29),
            only_keyed: true,
            ..CandidateUse::default()
        });
        let drawn = picture("figure-1", &keyed).unwrap();
        assert_eq!(
            drawn.finding,
            "All pairs linked directly (29) share a link key; no threshold was needed"
        );
        assert!(drawn.note.contains("wherever they are"), "{}", drawn.note);
        keyed.candidates = None;
        let drawn = picture("figure-1", &keyed).unwrap();
        assert!(drawn.finding.contains("at or above the threshold"));
    }
}
