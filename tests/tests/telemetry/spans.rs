//! The spans of a test, as OpenTelemetry gets them.

use opentelemetry::SpanId;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::time::{Duration, Instant};
use tracing::info_span;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// How long the last holder of a span may keep it from ending.
const SOON: Duration = Duration::from_secs(10);

/// What a user's handler does, as far as a trace shows it.
pub(crate) fn work() {
    info_span!("work").in_scope(|| tracing::info!("working"));
}

/// The finished spans of this process, of which each test has its own. It cannot be the thread alone: databases have threads, too, and a
/// span is not over before they have left it.
pub(crate) struct Spans {
    exporter: InMemorySpanExporter,
    _provider: SdkTracerProvider,
}

impl Spans {
    /// Listens to spans up to a level.
    pub(crate) fn of(level: LevelFilter) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(level).with(layer)).unwrap();
        Self { exporter, _provider: provider }
    }

    pub(crate) fn reset(&self) {
        self.exporter.reset();
    }

    fn all(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }

    /// All of them, as soon as one of this name has ended.
    fn with(&self, name: &str) -> Vec<SpanData> {
        let begun = Instant::now();
        loop {
            let all = self.all();
            if all.iter().any(|span| span.name == name) || begun.elapsed() > SOON {
                return all;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The only span of this name.
    pub(crate) fn one(&self, name: &str) -> SpanData {
        self.only(&self.with(name), name)
    }

    /// The only span of this name whose target begins so.
    pub(crate) fn one_of(&self, name: &str, target: &str) -> SpanData {
        let mut all = self.with(name);
        all.retain(|span| span.name == name && self.attribute(span, "outbox.target").starts_with(target));
        self.only(&all, name)
    }

    /// The only one of these spans of this name.
    pub(crate) fn only(&self, spans: &[SpanData], name: &str) -> SpanData {
        let named: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(named.len(), 1, "spans `{name}` among {:?}", self.all().iter().map(|span| span.name.clone()).collect::<Vec<_>>());
        named[0].clone()
    }

    /// The children of the only span of this name.
    pub(crate) fn children_of(&self, name: &str) -> Vec<SpanData> {
        let parent = self.one(name).span_context;
        let is_child = |span: &SpanData| (span.span_context.trace_id(), span.parent_span_id) == (parent.trace_id(), parent.span_id());
        self.all().into_iter().filter(is_child).collect()
    }

    /// Exactly these spans are one trace, each with this parent.
    pub(crate) fn is_tree(&self, tree: &[(&str, Option<&str>)]) {
        let trace = self.one(tree[0].0).span_context.trace_id();
        tree.iter().for_each(|(name, _)| drop(self.one(name)));
        let mut of_trace: Vec<_> =
            self.all().into_iter().filter(|span| span.span_context.trace_id() == trace).map(|span| span.name).collect();
        let mut wanted: Vec<_> = tree.iter().map(|(name, _)| *name).collect();
        of_trace.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(of_trace, wanted);
        for (name, parent) in tree {
            let parent = parent.map_or(SpanId::INVALID, |parent| self.one(parent).span_context.span_id());
            assert_eq!(self.one(name).parent_span_id, parent, "the parent of `{name}`");
        }
    }

    /// The only span of this name belongs to no other.
    pub(crate) fn is_alone(&self, name: &str) {
        let span = self.one(name);
        assert_eq!(span.parent_span_id, SpanId::INVALID);
        let others = self.all().into_iter().filter(|other| other.span_context.trace_id() == span.span_context.trace_id());
        let others: Vec<_> = others.filter(|other| !["work", name].contains(&&*other.name)).map(|other| other.name).collect();
        assert_eq!(others, Vec::<&str>::new());
    }

    /// An attribute of a span as text; nothing if it has none.
    #[expect(clippy::unused_self, reason = "it reads like the other questions")]
    pub(crate) fn attribute(&self, span: &SpanData, name: &str) -> String {
        span.attributes
            .iter()
            .find(|attribute| attribute.key.as_str() == name)
            .map(|attribute| attribute.value.to_string())
            .unwrap_or_default()
    }
}
