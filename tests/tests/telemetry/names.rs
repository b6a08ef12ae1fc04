//! Whoever names a metric names one that there is.

use events_core::metric::{ALL, Kind, Metric};
use std::collections::BTreeSet;
use std::path::Path;

pub(crate) fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All names of metrics in a text: words that begin with `outbox_`, but for this beginning itself.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|char: char| !(char.is_ascii_lowercase() || char == '_'));
    words.filter(|word| word.strip_prefix("outbox_").is_some_and(|rest| !rest.is_empty())).collect()
}

/// The metric of this name, or of which it is a series.
pub(crate) fn metric(name: &str) -> Option<&'static Metric> {
    let whole = |name: &str| ALL.iter().find(|metric| metric.name == name);
    let part = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    match part {
        Some(histogram) => whole(histogram).filter(|metric| metric.kind == Kind::Histogram),
        // Prometheus has no series of a histogram's own name.
        None => whole(name).filter(|metric| metric.kind != Kind::Histogram),
    }
}

#[test]
fn dashboards_and_alerts_name_metrics_that_there_are() {
    for file in ["deploy/grafana/outbox.json", "deploy/prometheus/alerts.yml"] {
        let text = read(file);
        let names = names(&text);
        assert!(names.len() > 8, "{file} names {names:?}");
        for name in names {
            assert!(metric(name).is_some(), "{file} names `{name}`");
        }
    }
}

#[test]
fn the_documentation_has_every_metric_with_its_kind_and_its_labels_and_no_other() {
    let text = read("docs/telemetry.md");
    for Metric { name, kind, labels, help, .. } in ALL {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let line = format!("| `{name}` | {} | {labels} | {help} |", kind.as_str());
        assert!(text.lines().any(|found| found == line), "docs/telemetry.md lacks the line\n{line}");
    }
    for name in names(&text) {
        assert!(ALL.iter().any(|metric| metric.name == name), "docs/telemetry.md names `{name}`");
    }
}

#[test]
fn a_name_that_is_only_nearly_right_is_found_out() {
    assert!(metric("outbox_handler_seconds_bucket").is_some() && metric("outbox_delivered_total").is_some());
    for wrong in ["outbox_delivered", "outbox_delivered_total_bucket", "outbox_handler_seconds", "outbox_backlogs"] {
        assert!(metric(wrong).is_none(), "{wrong}");
    }
    assert_eq!(names("sum(rate(outbox_x_total{outbox=\"a\"}[5m])) > inbox_y").into_iter().collect::<Vec<_>>(), ["outbox_x_total"]);
}
