//! Bars as small SVG files, readable on a light ground and on a dark one.

use crate::record::Record;
use std::fmt::Write;
use std::path::Path;

const WIDTH: f64 = 760.0;
const LABELS: f64 = 250.0;
const FIGURES: f64 = 90.0;
const BAR: f64 = 18.0;
const GAP: f64 = 6.0;
const TOP: f64 = 40.0;

/// What is plotted of a record.
#[derive(Clone, Copy)]
struct Figure {
    file: &'static str,
    title: &'static str,
    of: fn(&Record) -> Option<f64>,
}

const FIGURES_OF_RECORDS: [Figure; 4] = [
    Figure { file: "throughput", title: "events per second", of: |record| record.events_per_s },
    Figure { file: "p99", title: "99th percentile in microseconds", of: |record| record.p99_us.map(crate::sample::as_f64) },
    Figure { file: "cpu", title: "CPU seconds per million events, without the server", of: |record| record.cpu_s_per_million },
    Figure { file: "wal", title: "WAL bytes per event", of: |record| record.wal_bytes_per_event },
];

/// Writes one file per case family and figure; returns their names.
pub(crate) fn write(folder: &Path, records: &[Record]) -> anyhow::Result<Vec<String>> {
    let mut families: Vec<&str> = Vec::new();
    for record in records {
        if !families.contains(&family(record)) {
            families.push(family(record));
        }
    }
    let mut files = Vec::new();
    for family_name in families {
        for figure in FIGURES_OF_RECORDS {
            let of_family = records.iter().filter(|record| family(record) == family_name);
            let bars: Vec<(&Record, f64)> = of_family.filter_map(|record| Some((record, (figure.of)(record)?))).collect();
            if bars.is_empty() {
                continue;
            }
            let file = format!("{family_name}-{}.svg", figure.file);
            std::fs::write(folder.join(&file), bar_chart(&format!("{family_name}: {}", figure.title), &bars))?;
            files.push(file);
        }
    }
    Ok(files)
}

/// Cases that differ by a number, or by being disturbed, belong into one picture.
fn family(record: &Record) -> &str {
    let known = ["growth-drain", "growth", "relays", "publish-10", "publish", "snapshot", "latency"];
    known.into_iter().find(|known| record.case.starts_with(known)).unwrap_or(&record.case)
}

fn bar_chart(title: &str, bars: &[(&Record, f64)]) -> String {
    let most = bars.iter().map(|(_, figure)| *figure).fold(f64::MIN_POSITIVE, f64::max);
    let mut y = TOP;
    let mut body = String::new();
    let mut group = None;
    for (record, figure) in bars {
        if group.is_some_and(|group| group != (&record.case, record.tasks)) {
            y += GAP * 1.5;
        }
        group = Some((&record.case, record.tasks));
        let class = match record.variant {
            known @ ("bare" | "floor" | "ours") => known,
            _ => "peer",
        };
        let (middle, width) = (y + BAR * 0.72, (figure / most * (WIDTH - LABELS - FIGURES)).max(1.0));
        let label = format!("{}, {} × {}", record.case, record.tasks, record.variant);
        let _ = write!(
            body,
            "  <text x=\"{:.0}\" y=\"{middle:.1}\" text-anchor=\"end\">{label}</text>\n  \
             <rect class=\"{class}\" x=\"{LABELS}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>\n  \
             <text x=\"{:.1}\" y=\"{middle:.1}\">{}</text>\n",
            LABELS - 8.0,
            LABELS + width + 6.0,
            short(*figure),
        );
        y += BAR + GAP;
    }
    let height = y + GAP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">\n  \
         <title>{title}</title>\n  <style>\n    text {{ font: 12px system-ui, sans-serif; fill: #24292f }}\n    .title {{ font-weight: 600; font-size: 14px }}\n    \
         .bare {{ fill: #a0a7b0 }} .floor {{ fill: #6f8fc9 }} .ours {{ fill: #1f9d6b }} .peer {{ fill: #c98a3c }}\n    \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} .bare {{ fill: #7d8590 }} }}\n  </style>\n  \
         <text class=\"title\" x=\"8\" y=\"22\">{title}</text>\n{body}</svg>\n"
    )
}

fn short(figure: f64) -> String {
    if figure >= 1e5 {
        format!("{:.0}k", figure / 1e3)
    } else if figure >= 1e4 {
        format!("{:.1}k", figure / 1e3)
    } else {
        format!("{figure:.0}")
    }
}
