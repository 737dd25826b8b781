//! What each filter's agreement weighs: m and u of every level, match weights, and how the weights
//! of a few frequent patterns add up. Patterns of pairs, never a pair.

use super::data::{FilterWeights, PatternWeights, Weights};
use super::number;
use super::picture::{DataTable, LegendEntry, Picture};
use super::scale::Scale;
use super::svg::{Anchor, Drawing, at, fit};

/// Height of one bar with its distance to the next, in pixels.
const ROW: f64 = 18.0;

/// Height of a filter's name above its levels, in pixels.
const HEAD: f64 = 30.0;

/// Thickness of a bar, in pixels.
const BAR: f64 = 10.0;

/// Room for the levels' words on the left, in pixels.
const LABELS: u32 = 96;

/// Room for a pattern's words on the left, in pixels.
const STEPS: u32 = 168;

/// Font size in pixels, as in the style sheet.
const FONT: f64 = 12.0;

/// Most ticks below an axis of weights.
const TICKS: usize = 7;

/// Shares of every level among links and among strangers; nothing without weights.
pub(super) fn shares(id: &str, weights: &Weights) -> Option<Picture> {
    let filters = &weights.filters;
    let mut drawing = Drawing::new(height(filters, 1.5 * ROW));
    let mut data = DataTable::new(&["Filter", "Level", "m: among links", "u: among strangers"]);
    let mut y = 0.0;
    for filter in filters {
        head(&mut drawing, &filter.name, y);
        y += HEAD;
        for level in &filter.levels {
            word(&mut drawing, &level.level, y + BAR, LABELS);
            let shown = |share: f64| number::digits(100.0 * share, 2) + " %";
            let tip = |what: &str, share: f64| {
                format!(
                    "{}, {}: {} of {what}",
                    filter.name,
                    level.level,
                    shown(share)
                )
            };
            let width = |share: f64| 100.0 * share.clamp(0.0, 1.0);
            let (m, u) = (level.m, level.u);
            drawing.rect("bar linked", at(0.0, y), (width(m), BAR), &tip("links", m));
            drawing.rect(
                "bar",
                at(0.0, y + BAR),
                (width(u), BAR),
                &tip("strangers", u),
            );
            data.rows.push(vec![
                filter.name.clone(),
                level.level.clone(),
                shown(m),
                shown(u),
            ]);
            y += 1.5 * ROW;
        }
    }
    let best = filters
        .iter()
        .max_by(|x, y| exact(x).total_cmp(&exact(y)))?;
    let finding = format!(
        "“{}” is equal in {} of links",
        best.name,
        number::percent(exact(best), 1.0)
    );
    Some(Picture {
        kind: "shares",
        note:
            "How often filters agree, of the pairs in which both records have a value; estimated \
               without truth."
                .to_owned(),
        legend: vec![
            LegendEntry::new("bar linked", "m: among links"),
            LegendEntry::new("bar", "u: among strangers"),
        ],
        padding: [4, 0, 4, LABELS],
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(
            id,
            &finding,
            "Bars of m and u, two for each level of each filter.",
        ),
        finding,
        data,
    })
}

/// Match weight of every level; nothing without weights.
pub(super) fn levels(id: &str, weights: &Weights) -> Option<Picture> {
    let filters = &weights.filters;
    let all = || {
        filters
            .iter()
            .flat_map(|filter| &filter.levels)
            .map(|level| level.bits)
    };
    let scale = scale(all())?;
    let plot = height(filters, ROW);
    let mut drawing = Drawing::new(plot + 20.0);
    axis(&mut drawing, &scale, plot);
    let mut data = DataTable::new(&["Filter", "Level", "Match weight in bits"]);
    let mut y = 0.0;
    for filter in filters {
        head(&mut drawing, &filter.name, y);
        y += HEAD;
        for level in &filter.levels {
            word(&mut drawing, &level.level, y + BAR, LABELS);
            let tip = format!(
                "{}, {}: {} bits",
                filter.name,
                level.level,
                bits(level.bits)
            );
            bar(&mut drawing, &scale, (0.0, level.bits), y, &tip);
            data.rows.push(vec![
                filter.name.clone(),
                level.level.clone(),
                bits(level.bits),
            ]);
            y += ROW;
        }
    }
    let strongest = filters
        .iter()
        .flat_map(|filter| filter.levels.iter().map(move |level| (filter, level)))
        .max_by(|x, y| x.1.bits.total_cmp(&y.1.bits))?;
    let finding = format!(
        "“{}”, {}, speaks loudest for a link: {} bits",
        strongest.0.name,
        strongest.1.level,
        bits(strongest.1.bits)
    );
    Some(Picture {
        kind: "weights",
        note:
            "Match weights log2(m / u). Ten bits make a link a thousand times as likely; a value \
               that one record lacks weighs nothing."
                .to_owned(),
        legend: vec![
            LegendEntry::new("bar linked", "for a link"),
            LegendEntry::new("bar", "against"),
        ],
        padding: [4, 12, 4, LABELS],
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(id, &finding, "Bars of match weights, one for each level."),
        finding,
        data,
    })
}

/// How the weights of one pattern add up from the prior odds to the odds of a link.
pub(super) fn waterfall(id: &str, weights: &Weights, pattern: &PatternWeights) -> Option<Picture> {
    let mut steps = vec![("before comparing".to_owned(), weights.prior_bits)];
    let each = weights.filters.iter().zip(&pattern.steps);
    steps.extend(each.map(|(filter, (level, bits))| (format!("{}: {level}", filter.name), *bits)));
    let mut sum = 0.0;
    let sums: Vec<f64> = steps
        .iter()
        .map(|(_, bits)| {
            sum += bits;
            sum
        })
        .collect();
    let scale = scale(sums.iter().copied())?;
    let plot = (steps.len() as f64 + 1.0) * ROW;
    let mut drawing = Drawing::new(plot + 20.0);
    axis(&mut drawing, &scale, plot);
    let mut data = DataTable::new(&["Step", "Bits", "Sum"]);
    let mut before = 0.0;
    for (index, ((name, weight), after)) in steps.iter().zip(&sums).enumerate() {
        let y = index as f64 * ROW;
        word(&mut drawing, name, y + BAR, STEPS);
        let tip = format!("{name}: {} bits, sum {}", bits(*weight), bits(*after));
        bar(&mut drawing, &scale, (before, *after), y, &tip);
        data.rows
            .push(vec![name.clone(), bits(*weight), bits(*after)]);
        before = *after;
    }
    let y = steps.len() as f64 * ROW;
    word(&mut drawing, "sum", y + BAR, STEPS);
    bar(
        &mut drawing,
        &scale,
        (0.0, sum),
        y,
        &format!("sum: {} bits", bits(sum)),
    );
    let odds = sum.exp2();
    let chance = if odds.is_finite() {
        odds / (1.0 + odds)
    } else {
        1.0
    };
    let finding = format!(
        "{}: {} bits in all, a link with probability {}",
        pattern.name,
        bits(sum),
        number::rate(chance)
    );
    Some(Picture {
        kind: "waterfall",
        note: format!(
            "{} candidate pairs agree like this; {} links are expected among them once pairs of one \
             record have competed.",
            number::count(pattern.pairs),
            number::expected(pattern.links)
        ),
        legend: vec![],
        padding: [4, 12, 4, STEPS],
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(
            id,
            &finding,
            "Bars of weights, each from the sum before it.",
        ),
        finding,
        data,
    })
}

/// Share of equal values among links.
fn exact(filter: &FilterWeights) -> f64 {
    filter.levels.first().map_or(0.0, |level| level.m)
}

fn height(filters: &[FilterWeights], row: f64) -> f64 {
    let each = filters.iter();
    each.map(|filter| HEAD + filter.levels.len() as f64 * row)
        .sum()
}

/// From the least to the largest of `bits` and 0; nothing where there is none.
fn scale(bits: impl Iterator<Item = f64>) -> Option<Scale> {
    let finite = bits.filter(|bits| bits.is_finite());
    let (low, high) = finite.fold((0.0_f64, 0.0_f64), |(low, high), bits| {
        (low.min(bits), high.max(bits))
    });
    (low < high).then(|| Scale::linear(low, high))
}

fn axis(drawing: &mut Drawing, scale: &Scale, plot: f64) {
    let (ticks, step) = scale.ticks(TICKS);
    for tick in ticks {
        let x = 100.0 * scale.place(tick);
        drawing.line("grid", at(x, 0.0), at(x, plot));
        let text = number::tick(tick, step);
        drawing.text("", Anchor::Middle, at(x, plot + 16.0), 0.0, &text);
    }
    let zero = 100.0 * scale.place(0.0);
    drawing.line("axis", at(zero, 0.0), at(zero, plot));
}

fn head(drawing: &mut Drawing, name: &str, y: f64) {
    let shift = -f64::from(LABELS);
    let name = fit(name, 2.0 * f64::from(LABELS), FONT);
    drawing.text("value", Anchor::Start, at(0.0, y + 20.0), shift, &name);
}

fn word(drawing: &mut Drawing, text: &str, y: f64, room: u32) {
    let text = fit(text, f64::from(room) - 8.0, FONT);
    drawing.text("", Anchor::Start, at(0.0, y), -f64::from(room), &text);
}

/// A bar between two sums of weights, in the colour of links where it rises.
fn bar(drawing: &mut Drawing, scale: &Scale, (from, to): (f64, f64), y: f64, tip: &str) {
    let class = if to >= from { "bar linked" } else { "bar" };
    let (left, right) = (scale.place(from.min(to)), scale.place(from.max(to)));
    drawing.rect(
        class,
        at(100.0 * left, y),
        (100.0 * (right - left), BAR),
        tip,
    );
}

fn bits(value: f64) -> String {
    if value.is_finite() {
        format!("{value:+.1}")
    } else {
        number::ABSENT.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::LevelWeights;
    use super::*;

    fn weights() -> Weights {
        let level = |level: &str, m: f64, u: f64| LevelWeights {
            level: level.to_owned(),
            m,
            u,
            bits: (m / u).log2(),
        };
        let filter = |name: &str, m: f64| FilterWeights {
            name: name.to_owned(),
            levels: vec![level("exact", m, 0.01), level("below 0.2", 1.0 - m, 0.99)],
        };
        Weights {
            filters: vec![filter("surname", 0.8), filter("<b>born", 0.9)],
            prior_bits: -10.0,
            examples: vec![PatternWeights {
                name: "A sure link".to_owned(),
                steps: vec![("exact".to_owned(), 6.3), ("exact".to_owned(), 6.5)],
                pairs: 1234,
                links: 1200.0,
            }],
        }
    }

    #[test]
    fn every_level_has_its_bars() {
        let shares = shares("f", &weights()).unwrap();
        assert_eq!(shares.finding, "“<b>born” is equal in 90 % of links");
        let svg = shares.drawing.to_string();
        assert_eq!(svg.matches("class=\"bar linked\"").count(), 4);
        assert_eq!(svg.matches("class=\"bar\"").count(), 4);
        assert!(!svg.contains("<b>"), "{svg}");
        let levels = levels("f", &weights()).unwrap();
        let svg = levels.drawing.to_string();
        assert_eq!(svg.matches("class=\"bar linked\"").count(), 2);
        assert_eq!(svg.matches("class=\"bar\"").count(), 2);
        assert!(
            levels.finding.starts_with("“<b>born”, exact, "),
            "{}",
            levels.finding
        );
    }

    #[test]
    fn a_waterfall_ends_at_the_sum() {
        let weights = weights();
        let picture = waterfall("f", &weights, &weights.examples[0]).unwrap();
        assert_eq!(
            picture.finding,
            "A sure link: +2.8 bits in all, a link with probability 0.8744"
        );
        assert_eq!(picture.data.rows.len(), 3);
        assert_eq!(picture.data.rows[2], ["<b>born: exact", "+6.5", "+2.8"]);
        assert!(
            picture.note.starts_with("1,234 candidate pairs"),
            "{}",
            picture.note
        );
    }

    #[test]
    fn nothing_and_undefined_are_drawn_without_nonsense() {
        let none = Weights::default();
        assert!(shares("f", &none).is_none() && levels("f", &none).is_none());
        let mut odd = weights();
        odd.filters[0].levels[0].bits = f64::NAN;
        odd.filters[0].levels[1].m = f64::INFINITY;
        odd.prior_bits = f64::NAN;
        let pictures = [
            shares("f", &odd),
            levels("f", &odd),
            waterfall("f", &odd, &odd.examples[0]),
        ];
        for picture in pictures.into_iter().flatten() {
            let svg = picture.drawing.to_string();
            assert!(!svg.contains("NaN\"") && !svg.contains("inf\""), "{svg}");
        }
    }
}
