//! Drawings: inline SVG that grows with the page while its text keeps its size.
//!
//! A `viewBox` would shrink the text with the picture, to 5 px on a phone. Here horizontal places
//! are percent of the plot's width and vertical ones are pixels; lines of many points, which
//! cannot be written in percent, lie in a nested `svg` that stretches while strokes do not. Labels
//! beside the plot overflow into the padding of the element around it.
//!
//! Colours are classes of the style sheet. No number that is not finite is ever written: the
//! shape it belongs to is left out.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;

/// Markup that was built here, every text in it escaped.
#[derive(Debug, Clone, Default)]
pub(super) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

// Only this module makes values of the type.
impl HtmlSafe for Markup {}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A place in the plot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Percent of the plot's width from its left side.
    pub(super) x: f64,
    /// Pixels from the top of the plot.
    pub(super) y: f64,
}

/// Shorthand for a [`Place`].
pub(super) fn at(x: f64, y: f64) -> Place {
    Place { x, y }
}

impl Place {
    fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

/// The small marks of a line's points.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    Dot,
    Square,
}

/// A drawing under construction.
#[derive(Debug)]
pub(super) struct Drawing {
    height: f64,
    body: String,
}

impl Drawing {
    /// An empty drawing, `height` pixels high.
    pub(super) fn new(height: f64) -> Self {
        Self {
            height,
            body: String::new(),
        }
    }

    /// A rectangle from `place`, `width` in percent and `height` in pixels. `tip` is shown when a
    /// pointer rests on it.
    pub(super) fn rect(&mut self, class: &str, place: Place, size: (f64, f64), tip: &str) {
        self.shaded_rect(class, place, size, 1.0, tip);
    }

    /// Like [`Drawing::rect`], with its fill `opacity` between 0 and 1.
    pub(super) fn shaded_rect(
        &mut self,
        class: &str,
        place: Place,
        (width, height): (f64, f64),
        opacity: f64,
        tip: &str,
    ) {
        let finite = place.is_finite() && width.is_finite() && height.is_finite();
        if !finite || !opacity.is_finite() || width < 0.0 || height < 0.0 {
            return;
        }
        let shade = if opacity < 1.0 {
            format!(" fill-opacity=\"{}\"", number(opacity))
        } else {
            String::new()
        };
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{}%\" y=\"{}\" width=\"{}%\" height=\"{}\"{shade}>",
            number(place.x),
            number(place.y),
            number(width),
            number(height),
        ));
        if !tip.is_empty() {
            self.push(format_args!("<title>{}</title>", escape(tip)));
        }
        self.push(format_args!("</rect>\n"));
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: Place, to: Place) {
        if from.is_finite() && to.is_finite() {
            self.push(format_args!(
                "<line class=\"{class}\" x1=\"{}%\" y1=\"{}\" x2=\"{}%\" y2=\"{}\"/>\n",
                number(from.x),
                number(from.y),
                number(to.x),
                number(to.y),
            ));
        }
    }

    /// A straight line that ends in the arrow head defined by the page.
    pub(super) fn arrow(&mut self, from: Place, to: Place) {
        if from.is_finite() && to.is_finite() {
            self.push(format_args!(
                "<line class=\"arrow\" marker-end=\"url(#arrow)\" x1=\"{}%\" y1=\"{}\" \
                 x2=\"{}%\" y2=\"{}\"/>\n",
                number(from.x),
                number(from.y),
                number(to.x),
                number(to.y),
            ));
        }
    }

    /// A line through `points`, broken where one of them is not finite.
    pub(super) fn polyline(&mut self, class: &str, points: &[Place]) {
        for part in points.split(|point| !point.is_finite()) {
            if part.len() < 2 {
                continue;
            }
            let mut path = String::new();
            for point in part {
                // The nested view is 1000 units wide: percent times ten.
                let _ = write!(path, "{},{} ", number(point.x * 10.0), number(point.y));
            }
            self.push(format_args!(
                "<svg width=\"100%\" height=\"{height}\" viewBox=\"0 0 1000 {height}\" \
                 preserveAspectRatio=\"none\" overflow=\"visible\"><polyline class=\"{class}\" \
                 vector-effect=\"non-scaling-stroke\" points=\"{}\"/></svg>\n",
                path.trim_end(),
                height = number(self.height),
            ));
        }
    }

    /// A mark of fixed size.
    pub(super) fn mark(&mut self, class: &str, mark: Mark, place: Place, radius: f64) {
        if !place.is_finite() || !radius.is_finite() {
            return;
        }
        let (x, y, radius_text) = (number(place.x), number(place.y), number(radius));
        match mark {
            Mark::Dot => self.push(format_args!(
                "<circle class=\"{class}\" cx=\"{x}%\" cy=\"{y}\" r=\"{radius_text}\"/>\n"
            )),
            Mark::Square => self.push(format_args!(
                "<svg x=\"{x}%\" y=\"{y}\" overflow=\"visible\"><rect class=\"{class}\" \
                 x=\"-{radius_text}\" y=\"-{radius_text}\" width=\"{side}\" height=\"{side}\"/>\
                 </svg>\n",
                side = number(radius * 2.0),
            )),
        }
    }

    /// A line of text whose base line starts, is centred or ends `shift` pixels right of `place`.
    pub(super) fn text(
        &mut self,
        class: &str,
        anchor: Anchor,
        place: Place,
        shift: f64,
        text: &str,
    ) {
        if place.is_finite() && shift.is_finite() {
            self.push(format_args!(
                "<text class=\"{class}\" text-anchor=\"{}\" x=\"{}%\" y=\"{}\" dx=\"{}\">{}\
                 </text>\n",
                anchor.name(),
                number(place.x),
                number(place.y),
                number(shift),
                escape(text),
            ));
        }
    }

    /// The finished picture. `id` must be unique on the page; `title` and `description` are its
    /// text alternative.
    pub(super) fn finish(self, id: &str, title: &str, description: &str) -> Markup {
        Markup(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-description\" width=\"100%\" height=\"{height}\" \
             overflow=\"visible\">\n<title id=\"{id}-title\">{}</title>\n\
             <desc id=\"{id}-description\">{}</desc>\n{}</svg>",
            escape(title),
            escape(description),
            self.body,
            id = escape(id),
            height = number(self.height),
        ))
    }

    fn push(&mut self, piece: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.body.write_fmt(piece);
    }
}

/// A number with at most two decimals, as SVG reads it. Callers have refused what is not finite.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// Text as it may stand in XML, between tags and in attributes. Characters XML 1.0 forbids
/// (section 2.2) become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Width of `text` in pixels at a font size of `font` pixels. An estimate from above for the
/// fonts of the style sheet: full em for Chinese, Japanese and Korean, wide Latin otherwise.
pub(super) fn text_width(text: &str, font: f64) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|character| match character {
            '\u{1100}'.. => 1.02,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
            'A'..='Z' => 0.7,
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | ':' | ';' | '|' | '\'' => 0.36,
            _ => 0.58,
        })
        .sum();
    ems * font
}

/// `text`, or as much of it as fits `width` pixels followed by an ellipsis.
pub(super) fn fit(text: &str, width: f64, font: f64) -> String {
    if text_width(text, font) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if text_width(&kept, font) + font > width {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

/// `text` on one line if it fits `width` pixels, else on two, broken at the last space that fits
/// or, as Chinese text has none, anywhere. What does not fit the second line is cut.
pub(super) fn two_lines(text: &str, width: f64, font: f64) -> (String, String) {
    if text_width(text, font) <= width {
        return (text.to_owned(), String::new());
    }
    let fits = |end: &usize| text_width(text.get(..*end).unwrap_or(text), font) <= width;
    let ends = || {
        text.char_indices()
            .map(|(index, _)| index)
            .skip(1)
            .take_while(fits)
    };
    let spaces = text
        .match_indices(' ')
        .map(|(index, _)| index)
        .take_while(fits);
    let end = spaces
        .last()
        .filter(|end| *end > 0)
        .or_else(|| ends().last())
        .unwrap_or(0);
    let (first, second) = text.split_at(end);
    (
        first.trim_end().to_owned(),
        fit(second.trim_start(), width, font),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_left_out() {
        let mut drawing = Drawing::new(100.0);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            drawing.rect("bar", at(bad, 0.0), (1.0, 1.0), "");
            drawing.rect("bar", at(0.0, 0.0), (1.0, bad), "");
            drawing.shaded_rect("bar", at(0.0, 0.0), (1.0, 1.0), bad, "");
            drawing.line("grid", at(0.0, bad), at(1.0, 1.0));
            drawing.arrow(at(0.0, 0.0), at(bad, 1.0));
            drawing.mark("dot", Mark::Dot, at(bad, 0.0), 2.0);
            drawing.mark("dot", Mark::Square, at(0.0, 0.0), bad);
            drawing.text("label", Anchor::Start, at(bad, 0.0), 0.0, "x");
            drawing.polyline("curve", &[at(0.0, bad), at(1.0, 1.0), at(bad, 2.0)]);
        }
        assert_eq!(drawing.body, "");
    }

    #[test]
    fn a_line_is_broken_where_a_point_is_missing() {
        let mut drawing = Drawing::new(100.0);
        let points = [
            at(0.0, 1.0),
            at(10.0, 2.0),
            at(f64::NAN, 3.0),
            at(30.0, 4.0),
            at(40.0, 5.0),
        ];
        drawing.polyline("curve", &points);
        assert_eq!(drawing.body.matches("<polyline").count(), 2);
        assert!(
            drawing.body.contains("points=\"0,1 100,2\""),
            "{}",
            drawing.body
        );
    }

    #[test]
    fn text_is_escaped_and_stays_xml() {
        let hostile = "<script>alert('\"&\u{0}\u{8}\u{ffff}')</script>";
        let mut drawing = Drawing::new(10.0);
        drawing.text("label", Anchor::Middle, at(0.0, 0.0), 0.0, hostile);
        drawing.rect("bar", at(0.0, 0.0), (1.0, 1.0), hostile);
        let picture = drawing.finish("figure-1", hostile, hostile).to_string();
        assert!(!picture.contains("<script"), "{picture}");
        let document = roxmltree::Document::parse(&picture).unwrap();
        let expected = "<script>alert('\"&\u{fffd}\u{fffd}\u{fffd}')</script>";
        for name in ["title", "desc", "text"] {
            let node = document.descendants().find(|node| node.has_tag_name(name));
            let node =
                node.or_else(|| document.descendants().find(|n| n.tag_name().name() == name));
            assert_eq!(node.and_then(|node| node.text()), Some(expected), "{name}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(12.0), "12");
        assert_eq!(number(0.126), "0.13");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(100.0), "100");
    }

    #[test]
    fn long_text_is_cut_and_fits() {
        assert_eq!(fit("卫生健康委员会", 200.0, 12.0), "卫生健康委员会");
        let cut = fit("卫生健康委员会", 60.0, 12.0);
        assert!(
            cut.ends_with('…') && text_width(&cut, 12.0) <= 66.0,
            "{cut}"
        );
        assert_eq!(fit("", 0.0, 12.0), "");
    }

    #[test]
    fn a_label_takes_two_lines_if_it_must() {
        let lines = |text| two_lines(text, 90.0, 12.0);
        assert_eq!(lines("both"), ("both".into(), String::new()));
        assert_eq!(
            lines("hypertension 高血压"),
            ("hypertension".into(), "高血压".into())
        );
        let (first, second) = lines("国家企业信用信息公示系统平台");
        assert_eq!(format!("{first}{second}"), "国家企业信用信息公示系统平台");
        assert_eq!(two_lines("高血压", 1.0, 12.0), (String::new(), "…".into()));
    }
}
