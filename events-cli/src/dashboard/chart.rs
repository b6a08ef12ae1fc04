//! Charts: lines in SVG, with their numbers as a table for those who cannot see them.

use askama::Template;

/// The drawing's size; it scales with the page.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 180.0;
/// Room for the labels of the axes.
const LEFT: f64 = 62.0;
const BOTTOM: f64 = 22.0;
const TOP: f64 = 8.0;
/// More lines than this nobody can tell apart.
pub(super) const MOST_LINES: usize = 6;
/// So many rows the table has at most.
const TABLE_ROWS: usize = 12;

/// One line: what it is, and its points: seconds after the Unix epoch, value.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(i64, f64)>,
}

/// A chart.
#[derive(Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    title: String,
    note: &'static str,
    id: &'static str,
    lines: Vec<Drawn>,
    grid: Vec<(f64, String)>,
    times: Vec<(f64, String)>,
    rows: Vec<(String, Vec<String>)>,
    t: &'static super::texts::Texts,
}

struct Drawn {
    name: String,
    path: String,
    /// The point of a line that has only one.
    only: Option<(f64, f64)>,
    last: String,
}

/// How values are written.
pub(super) type Unit = fn(f64) -> String;

impl Chart {
    pub(super) fn new(
        t: &'static super::texts::Texts,
        id: &'static str,
        (title, note): (impl Into<String>, &'static str),
        lines: &[Line],
        unit: Unit,
    ) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let first = points().map(|(at, _)| *at).min().unwrap_or(0);
        let last = points().map(|(at, _)| *at).max().unwrap_or(0).max(first + 60);
        let top = nice(points().map(|(_, value)| *value).fold(0.0, f64::max));
        let x = |at: i64| LEFT + (at - first) as f64 / (last - first) as f64 * (WIDTH - LEFT - 8.0);
        let y = |value: f64| HEIGHT - BOTTOM - (value / top).min(1.0) * (HEIGHT - BOTTOM - TOP);
        let drawn = lines.iter().map(|line| Drawn {
            name: line.name.clone(),
            path: line.points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect::<Vec<_>>().join(" "),
            only: if let [(at, value)] = &*line.points { Some((x(*at), y(*value))) } else { None },
            last: line.points.last().map_or_else(|| "–".to_owned(), |(_, value)| unit(*value)),
        });
        let grid = [0.0, 0.5, 1.0].map(|share| (y(top * share), unit(top * share)));
        let times = [first, first.midpoint(last), last].map(|at| (x(at), clock(at)));
        // The table has some of the moments; a reader of numbers needs no more.
        let mut moments: Vec<i64> = points().map(|(at, _)| *at).collect();
        moments.sort_unstable();
        moments.dedup();
        let step = moments.len().div_ceil(TABLE_ROWS).max(1);
        let at =
            |line: &Line, moment: i64| line.points.iter().find(|(at, _)| *at == moment).map_or_else(String::new, |(_, value)| unit(*value));
        let rows = moments.iter().rev().step_by(step).map(|moment| (clock(*moment), lines.iter().map(|line| at(line, *moment)).collect()));
        Self { title: title.into(), note, id, rows: rows.collect(), lines: drawn.collect(), grid: grid.to_vec(), times: times.to_vec(), t }
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// The next number above that is easy to read.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|nice| *nice >= value).unwrap_or(10.0 * power)
}

fn clock(at: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(at).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

/// `1.5 k`, `20`, `0.25`.
pub(super) fn plain_number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        value if value >= 1e3 => format!("{} k", trimmed(value / 1e3)),
        value => trimmed(value),
    }
}

/// Milliseconds.
pub(super) fn millis(value: f64) -> String {
    if value >= 1_000.0 { format!("{} s", trimmed(value / 1_000.0)) } else { format!("{} ms", trimmed(value)) }
}

/// Seconds.
pub(super) fn seconds(value: f64) -> String {
    match value {
        value if value >= 7_200.0 => format!("{} h", trimmed(value / 3_600.0)),
        value if value >= 120.0 => format!("{} min", trimmed(value / 60.0)),
        value => format!("{} s", trimmed(value)),
    }
}

fn trimmed(value: f64) -> String {
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::texts::ENGLISH;
    use super::*;

    #[test]
    fn a_chart_has_its_lines_within_its_frame_and_its_numbers_in_a_table() {
        let line = Line { name: "</svg><script>".into(), points: (0..100).map(|n| (1_000 + n * 10, n as f64)).collect() };
        let chart = Chart::new(&ENGLISH, "c", ("Title", "note"), &[line], plain_number);
        for point in chart.lines[0].path.split(' ') {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{point}");
        }
        assert!(chart.rows.len() <= TABLE_ROWS + 1 && chart.rows[0].1 == ["99"], "{:?}", chart.rows);
        let html = chart.render().unwrap();
        assert!(!html.contains("<script>") && html.contains("Title"), "{html}");
        assert!(Chart::new(&ENGLISH, "c", ("Title", "note"), &[], plain_number).render().unwrap().contains(ENGLISH.no_samples));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!((plain_number(0.25), plain_number(20.0), plain_number(1_500.0)), ("0.25".into(), "20".into(), "1.5 k".into()));
        assert_eq!((millis(2_500.0), seconds(90.0), seconds(600.0)), ("2.5 s".into(), "90 s".into(), "10 min".into()));
        assert_eq!((nice(0.0), nice(3.0), nice(51.0), nice(1_000.0)), (1.0, 5.0, 100.0, 1_000.0));
    }
}
