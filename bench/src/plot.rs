//! Bar charts as SVG.

use std::fmt::Write;

use crate::samples::Summary;

/// One bar: a median, with a line from the least to the most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    pub(crate) summary: Summary,
}

const WIDTH: f64 = 720.0;
const ROW: f64 = 30.0;
/// Where names end and bars begin, where bars end, and where the title ends.
const LEFT: f64 = 200.0;
const RIGHT: f64 = 630.0;
const TOP: f64 = 44.0;

/// Draws horizontal bars from zero, one a line, in a file that depends on no other.
pub(crate) fn draw(title: &str, bars: &[Bar]) -> String {
    let height = TOP + ROW * bars.len() as f64 + 10.0;
    let most = bars.iter().map(|bar| bar.summary.most).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * value.max(0.0) / most;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">
<title>{title}</title>
<style>text {{ font: 13px sans-serif; fill: #222 }} .title {{ font-weight: bold }} .end {{ text-anchor: end }}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text class="title" x="10" y="26">{title}</text>
"##,
        title = escaped(title)
    );
    for (index, Bar { name, summary }) in bars.iter().enumerate() {
        let top = TOP + ROW * index as f64;
        let middle = top + ROW / 2.0;
        let Summary { median, least, most, .. } = *summary;
        let color = if name.starts_with("Roomwire") { "#b7410e" } else { "#8aa2b8" };
        let (name, text_y, bar_y) = (escaped(name), middle + 4.5, top + 5.0);
        let (bar, thickness, start, end) = (x(median) - LEFT, ROW - 10.0, x(least), x(most));
        let (names_end, value_x) = (LEFT - 8.0, end + 8.0);
        write!(
            svg,
            r##"<text class="end" x="{names_end}" y="{text_y}">{name}</text>
<rect x="{LEFT}" y="{bar_y}" width="{bar:.1}" height="{thickness}" fill="{color}"/>
<path d="M{start:.1} {middle}H{end:.1}" stroke="#222" stroke-width="1.5"/>
<text x="{value_x:.1}" y="{text_y}">{value}</text>
"##,
            value = short(median)
        )
        .unwrap_or_else(|error| unreachable!("a string takes everything: {error}"));
    }
    svg + "</svg>\n"
}

/// Three digits or more.
fn short(value: f64) -> String {
    let decimals = if value >= 100.0 { 0 } else { usize::from(value < 100.0) + usize::from(value < 10.0) };
    format!("{value:.decimals$}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Bar, draw, short};
    use crate::samples::Summary;

    #[test]
    fn a_bar_is_as_long_as_its_median() {
        let bar = |name, median| Bar { name, summary: Summary { median, least: median, most: median, rounds: 1 } };
        let svg = draw("CPU <µs>", &[bar("Roomwire", 5.0), bar("socketioxide", 10.0)]);
        assert!(svg.contains("CPU &lt;µs&gt;"), "{svg}");
        assert!(svg.contains(r#"width="215.0""#) && svg.contains(r#"width="430.0""#), "{svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
    }

    #[test]
    fn values_have_three_digits() {
        assert_eq!([1.234, 12.34, 123.4].map(short), ["1.23", "12.3", "123"]);
    }
}
