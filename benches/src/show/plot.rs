//! A line chart as SVG, written by hand: two axes, lines, a legend, marks. Enough to see the shape of a result in a
//! browser or a README; whoever wants more has the JSON.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;

/// Of the picture, in pixels.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 440.0;

/// Between the picture's edge and the axes, for title, labels and numbers.
const LEFT: f64 = 76.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 56.0;

/// Of lines, in their order; they differ for the colour-blind as well. More lines than this share colours.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Axes have about so many numbers.
const TICKS: f64 = 6.0;

/// How values lie on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From zero, or from the least value when that is below zero.
    Linear,
    /// Every factor of ten takes the same room; values must be above zero.
    Log,
}

/// One axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What is told, with its unit.
    pub label: String,
    /// How.
    pub scale: Scale,
    /// Where numbers stand; where they look well when there are none.
    pub ticks: Vec<f64>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Points with lines between them.
    Line,
    /// Points only, the highest one larger.
    Dots,
}

/// One line with its name.
#[derive(Debug, Clone)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// Line or dots.
    pub style: Style,
    /// In their order.
    pub points: Vec<(f64, f64)>,
}

/// A vertical line at a moment.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// What happened.
    pub label: String,
}

/// Everything there is to draw.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// Below the title: the conditions.
    pub subtitle: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
    /// The moments.
    pub marks: Vec<Mark>,
}

impl Axis {
    /// An axis that chooses its numbers.
    pub fn new(label: &str, scale: Scale) -> Axis {
        Axis { label: label.to_owned(), scale, ticks: Vec::new() }
    }
}

/// An axis with its values: what turns a value into a place between 0 and 1.
#[derive(Debug, Clone, Copy)]
struct Range {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Range {
    fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Range {
        let usable = |value: &f64| value.is_finite() && (scale == Scale::Linear || *value > 0.0);
        let (low, high) = values
            .filter(usable)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (1.0, 10.0) } else { (low, high) };
        match scale {
            // Room above the highest point.
            Scale::Linear => {
                Range { scale, low: low.min(0.0), high: if high > 0.0 { high * 1.06 } else { 1.0 } }
            }
            Scale::Log => Range { scale, low: low / 1.15, high: high * 1.15 },
        }
    }

    fn place(&self, value: f64) -> f64 {
        let at =
            |value: f64| if self.scale == Scale::Log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        (at(value) - at(self.low)) / (at(self.high) - at(self.low))
    }

    /// 1, 2, 5 and their tenfolds: on a linear axis in even steps, on a logarithmic one the tenfolds, and the others
    /// where there are few of those.
    fn ticks(&self) -> Vec<f64> {
        let candidates: Vec<f64> = match self.scale {
            Scale::Linear => {
                let step = nice_step((self.high - self.low) / TICKS);
                let first = (self.low / step).ceil() as i64;
                let last = (self.high / step).floor() as i64;
                (first..=last).map(|number| number as f64 * step).collect()
            }
            Scale::Log => {
                let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
                let few = (self.high / self.low).log10() < 2.5;
                let digits: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
                (first..=last).flat_map(|power| digits.iter().map(move |d| d * 10f64.powi(power))).collect()
            }
        };
        candidates.into_iter().filter(|value| (self.low..=self.high).contains(value)).collect()
    }
}

/// The least of 1, 2, 5 and their tenfolds that is not below this.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= least * 0.999);
    digit.unwrap_or(10.0) * power
}

/// `0.5`, `20`, `12,000`.
fn number(value: f64) -> String {
    let text = if value.abs() >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}").trim_end_matches('0').to_owned()
    };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    if digits.contains('.') || digits.len() < 5 {
        return text;
    }
    let head = digits.len() % 3;
    let groups = std::iter::once(&digits[..head]).filter(|group| !group.is_empty());
    let rest =
        digits.as_bytes()[head..].chunks(3).map(|group| std::str::from_utf8(group).unwrap_or_default());
    format!("{sign}{}", groups.chain(rest).collect::<Vec<_>>().join(","))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Plot {
    /// Writes the picture to a file.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        std::fs::write(file, self.to_svg()).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The picture.
    pub fn to_svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let marks = self.marks.iter().map(|mark| mark.x);
        let x = Range::of(self.x.scale, points().map(|(x, _)| x).chain(marks));
        let y = Range::of(self.y.scale, points().map(|(_, y)| y));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        let text = |svg: &mut String, x: f64, y: f64, attributes: &str, words: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{}</text>", escape(words));
        };
        text(&mut svg, LEFT, 20.0, "font-size=\"15\" font-weight=\"bold\"", &self.title);
        text(&mut svg, LEFT, 38.0, "fill=\"#666\"", &self.subtitle);
        self.axes(&mut svg, x, y, text);
        for (place, mark) in self.marks.iter().enumerate() {
            let at = across(x, mark.x);
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"#888\" \
                 stroke-dasharray=\"4 3\"/>",
                HEIGHT - BOTTOM
            );
            // To the side with more room, and one below the other: marks are often close.
            let (side, anchor) = if at < WIDTH * 0.7 { (4.0, "start") } else { (-4.0, "end") };
            let attributes = format!("fill=\"#555\" text-anchor=\"{anchor}\"");
            text(&mut svg, at + side, TOP + 12.0 + 14.0 * (place % 4) as f64, &attributes, &mark.label);
        }
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            draw(&mut svg, series, colour, x, y);
        }
        let mut right = WIDTH - RIGHT;
        let coloured: Vec<_> = self.series.iter().zip(COLOURS.iter().cycle()).collect();
        for (series, colour) in coloured.into_iter().rev() {
            // About the width of the words.
            right -= 7.0 * series.name.chars().count() as f64 + 26.0;
            let _ = writeln!(
                svg,
                "<rect x=\"{right:.1}\" y=\"{:.1}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>",
                TOP - 11.0
            );
            text(&mut svg, right + 18.0, TOP - 5.0, "", &series.name);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn axes(&self, svg: &mut String, x: Range, y: Range, text: impl Fn(&mut String, f64, f64, &str, &str)) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        let ticks = |axis: &Axis, range: Range| {
            if axis.ticks.is_empty() { range.ticks() } else { axis.ticks.clone() }
        };
        for value in ticks(&self.y, y) {
            let at = upwards(y, value);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e4e4e4\"/>"
            );
            text(svg, LEFT - 6.0, at + 4.0, "text-anchor=\"end\"", &number(value));
        }
        for value in ticks(&self.x, x) {
            let at = across(x, value);
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{bottom}\" y2=\"{:.1}\" stroke=\"#222\"/>",
                bottom + 5.0
            );
            text(svg, at, bottom + 19.0, "text-anchor=\"middle\"", &number(value));
        }
        let _ = writeln!(
            svg,
            "<polyline points=\"{LEFT},{TOP} {LEFT},{bottom} {right},{bottom}\" fill=\"none\" stroke=\"#222\"/>"
        );
        let middle = (LEFT + right) / 2.0;
        text(svg, middle, HEIGHT - 14.0, "text-anchor=\"middle\"", &self.x.label);
        let (side, centre) = (18.0, (TOP + bottom) / 2.0);
        let turned = format!("text-anchor=\"middle\" transform=\"rotate(-90 {side} {centre})\"");
        text(svg, side, centre, &turned, &self.y.label);
    }
}

fn across(range: Range, value: f64) -> f64 {
    LEFT + range.place(value) * (WIDTH - LEFT - RIGHT)
}

fn upwards(range: Range, value: f64) -> f64 {
    HEIGHT - BOTTOM - range.place(value) * (HEIGHT - TOP - BOTTOM)
}

fn draw(svg: &mut String, series: &Series, colour: &str, x: Range, y: Range) {
    let places: Vec<(f64, f64)> =
        series.points.iter().map(|(a, b)| (across(x, *a), upwards(y, *b))).collect();
    let highest = places.iter().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
    let radius = |y: f64| match series.style {
        Style::Line => 3.0,
        // One among a thousand must not be overlooked.
        Style::Dots if y == highest => 4.0,
        Style::Dots => 1.4,
    };
    if series.style == Style::Line {
        let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let line = line.join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
    }
    let _ = writeln!(svg, "<g fill=\"{colour}\">");
    for (x, y) in places {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{}\"/>", radius(y));
    }
    svg.push_str("</g>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        Plot {
            title: "Answers <fast>".to_owned(),
            subtitle: "here".to_owned(),
            x: Axis { ticks: vec![1.0, 10.0, 100.0], ..Axis::new("clients", Scale::Log) },
            y: Axis::new("ops/s", Scale::Linear),
            series: vec![Series {
                name: "triad".to_owned(),
                style: Style::Line,
                points: vec![(1.0, 0.0), (10.0, 500.0), (100.0, 1000.0)],
            }],
            marks: vec![Mark { x: 10.0, label: "half".to_owned() }],
        }
    }

    #[test]
    fn a_picture_has_its_axes_lines_marks_and_legend() {
        let svg = plot().to_svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        for expected in [
            ">Answers &lt;fast&gt;</text>",
            ">clients</text>",
            ">ops/s</text>",
            ">triad</text>",
            ">half</text>",
            "text-anchor=\"middle\">100</text>",
            "text-anchor=\"end\">1000</text>",
            "stroke-dasharray",
        ] {
            assert!(svg.contains(expected), "{expected} is missing in\n{svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 3);
    }

    #[test]
    fn equal_factors_are_equally_far_on_a_logarithmic_axis() {
        let range = Range::of(Scale::Log, [1.0, 100.0].into_iter());
        assert!((range.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!(range.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }

    #[test]
    fn a_linear_axis_counts_from_zero_in_even_steps() {
        let range = Range::of(Scale::Linear, [300.0, 1000.0].into_iter());
        assert_eq!(range.ticks(), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
    }

    #[test]
    fn a_picture_of_nothing_is_a_picture() {
        let svg = Plot { series: Vec::new(), marks: Vec::new(), ..plot() }.to_svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (2.0, "2"),
            (1500.0, "1500"),
            (12_000.0, "12,000"),
            (1e6, "1,000,000"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
