//! What Prometheus reads is what the table says.

use events_core::metric::{ALL, BUCKETS, Metric};
use events_tests::events::note;
use events_tests::{OnSqlite, Scene};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

#[tokio::test]
async fn prometheus_reads_the_names_the_kinds_the_help_and_histograms_in_buckets() {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Prefix("outbox_".into()), BUCKETS).unwrap();
    let recorder = builder.build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.timeless().await.name("shop").handler::<note>().start_idle().await.unwrap();
    Scene::<OnSqlite>::publish(&outbox, [1]).await;
    Scene::<OnSqlite>::settle(&outbox).await;

    let text = recorder.handle().render();
    let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(types.len() > 15, "{text}");
    for line in types {
        let Metric { name, kind, help, .. } = ALL.iter().find(|metric| line.starts_with(&format!("{} ", metric.name))).expect(line);
        assert_eq!(line, format!("{name} {}", kind.as_str()));
        assert!(text.contains(&format!("# HELP {name} {help}\n")), "{text}");
    }
    for line in [
        "outbox_delivered_total{outbox=\"shop\",target=\"note\",source=\"memory\"} 1",
        "outbox_dead_total{outbox=\"shop\",target=\"note\",reason=\"exhausted\"} 0",
        "outbox_handler_seconds_bucket{outbox=\"shop\",target=\"note\",le=\"1800\"} 1",
        "outbox_commit_seconds_count{outbox=\"shop\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
