//! The dashboard can be drawn, and every alert says what to do.

use crate::names::{metric, read};
use serde_json::Value;
use std::collections::BTreeSet;

/// Everything between `from` and `to`.
fn between<'a>(text: &'a str, from: &str, to: char) -> Vec<&'a str> {
    text.split(from).skip(1).map(|rest| rest.split(to).next().unwrap()).collect()
}

/// Labels that a query filters or groups its metrics by are labels of these.
fn labels_fit(query: &str) {
    for (at, _) in query.match_indices("outbox_") {
        let rest = &query[at..];
        let end = rest.find(|char: char| !(char.is_ascii_lowercase() || char == '_')).unwrap_or(rest.len());
        let known = metric(&rest[..end]).unwrap_or_else(|| panic!("{query}"));
        if let Some(selector) = rest[end..].strip_prefix('{') {
            for filter in selector.split('}').next().unwrap().split("\",") {
                let label = filter.trim().split(['=', '!']).next().unwrap();
                assert!(known.labels.contains(&label), "`{}` has no label `{label}`: {query}", known.name);
            }
        }
    }
    let of_query: BTreeSet<_> = query
        .split(|char: char| !(char.is_ascii_lowercase() || char == '_'))
        .filter_map(metric)
        .flat_map(|metric| metric.labels.iter().copied())
        .chain(["le", "instance"])
        .collect();
    for label in between(query, "by (", ')').into_iter().flat_map(|list| list.split(',')) {
        assert!(of_query.contains(label.trim()), "nothing has the label `{label}`: {query}");
    }
}

#[test]
fn the_dashboard_s_panels_have_queries_whose_labels_fit() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/outbox.json")).unwrap();
    let variables: BTreeSet<_> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(variables, BTreeSet::from(["datasource", "outbox", "target"]));
    let (mut ids, mut queries) = (BTreeSet::new(), 0);
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels with one id: {panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert!(!panel["title"].as_str().unwrap().is_empty() && !panel["description"].as_str().unwrap().is_empty(), "{panel}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert!(query.contains("outbox=~\"$outbox\""), "of all outboxes: {query}");
            assert_eq!(query.matches(['(', '{', '[']).count(), query.matches([')', '}', ']']).count(), "{query}");
            labels_fit(query);
            queries += 1;
        }
    }
    assert!(queries > 20, "{queries}");
}

#[test]
fn every_alert_says_how_bad_it_is_for_how_long_and_what_to_do() {
    let text = read("deploy/prometheus/alerts.yml");
    let alerts: Vec<_> = text.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10, "{}", alerts.len());
    for alert in alerts {
        for part in ["\n        expr: ", "\n        for: ", "\n          severity: ", "\n          summary: ", "\n          description: "]
        {
            assert_eq!(alert.matches(part).count(), 1, "{part:?} in\n{alert}");
        }
        let severity = between(alert, "severity: ", '\n')[0];
        assert!(["warning", "critical"].contains(&severity), "{severity}");
        let advice = alert.split("description: ").nth(1).unwrap();
        assert!(advice.contains("`outbox "), "no command:\n{alert}");
        let query = alert.split("expr: ").nth(1).unwrap().split("        for: ").next().unwrap();
        labels_fit(query);
    }
}
