//! The trace of whoever publishes, in an event's headers: W3C Trace Context, written by `publish` and read by whoever delivers or receives.
//!
//! Only this module knows OpenTelemetry. Without the feature `opentelemetry` it does nothing.

#[cfg(feature = "opentelemetry")]
pub(crate) use w3c::{continue_all, continue_from, write};

#[cfg(not(feature = "opentelemetry"))]
pub(crate) use nothing::{continue_all, continue_from, write};

#[cfg(not(feature = "opentelemetry"))]
mod nothing {
    use crate::Headers;
    use tracing::Span;

    pub(crate) fn write(_: &mut Headers) {}
    pub(crate) fn continue_from(_: &Span, _: &Headers) {}
    pub(crate) fn continue_all<'a>(_: &Span, _: impl Iterator<Item = &'a Headers>) {}
}

#[cfg(feature = "opentelemetry")]
mod w3c {
    use crate::Headers;
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
    use tracing::Span;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    const PARENT: &str = "traceparent";
    const STATE: &str = "tracestate";
    /// A batch has at most so many links; exporters drop what is beyond.
    const LINKS: usize = 128;

    /// Puts the trace of the current span into `headers`, unless there is none, or the publisher has set one.
    pub(crate) fn write(headers: &mut Headers) {
        if headers.keys().any(|name| name.eq_ignore_ascii_case(PARENT) || name.eq_ignore_ascii_case(STATE)) {
            return;
        }
        let of_span = Span::current().context();
        // Who uses OpenTelemetry without `tracing` has a span all the same.
        let context = if of_span.has_active_span() { of_span } else { Context::current() };
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() {
            return;
        }
        let parent = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), (span.trace_flags() & TraceFlags::SAMPLED).to_u8());
        headers.insert(PARENT.to_owned(), parent);
        let state = span.trace_state().header();
        if !state.is_empty() {
            headers.insert(STATE.to_owned(), state);
        }
    }

    /// Makes `span`, which was not entered yet, a child of the span in `headers`, if one is there.
    pub(crate) fn continue_from(span: &Span, headers: &Headers) {
        if let Some(parent) = read(span, headers) {
            // An error says that nobody listens to the span.
            let _ = span.set_parent(Context::new().with_remote_span_context(parent));
        }
    }

    /// As [`continue_from`] for what is done for several events at once. A span has one parent: if theirs are not the same, it is linked to
    /// each of them.
    pub(crate) fn continue_all<'a>(span: &Span, headers: impl Iterator<Item = &'a Headers>) {
        if span.is_disabled() {
            return;
        }
        let mut parents: Vec<Option<SpanContext>> = headers.map(|headers| read(span, headers)).collect();
        parents.dedup();
        if let [Some(parent)] = &*parents {
            let _ = span.set_parent(Context::new().with_remote_span_context(parent.clone()));
            return;
        }
        for parent in parents.into_iter().flatten().take(LINKS) {
            span.add_link(parent);
        }
    }

    /// What strangers have written may be anything: what is no trace is none.
    fn read(span: &Span, headers: &Headers) -> Option<SpanContext> {
        if span.is_disabled() || headers.is_empty() {
            return None;
        }
        let (trace, id, flags) = parse(headers.get(PARENT)?)?;
        let state = headers.get(STATE).and_then(|state| state.parse().ok()).unwrap_or(TraceState::NONE);
        let context = SpanContext::new(trace, id, flags, true, state);
        context.is_valid().then_some(context)
    }

    /// `version-trace-parent-flags`, in lower-case hexadecimal digits. Later versions may add something behind.
    fn parse(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
        let mut parts = text.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next()?;
            (part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))).then_some(part)
        };
        let (version, trace, id, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        if version == "ff" || version == "00" && parts.next().is_some() {
            return None;
        }
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        Some((TraceId::from_hex(trace).ok()?, SpanId::from_hex(id).ok()?, flags))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_parent_is_read_as_the_standard_says() {
            let read = |text| parse(text).map(|(trace, id, flags)| (trace.to_string(), id.to_string(), flags.is_sampled()));
            let (trace, id) = ("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), "00f067aa0ba902b7".to_owned());
            assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), Some((trace.clone(), id.clone(), true)));
            assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"), Some((trace.clone(), id.clone(), false)));
            assert_eq!(read("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-comes"), Some((trace, id, true)));
        }

        #[test]
        fn what_is_no_parent_is_none() {
            for text in [
                "",
                "-",
                "garbage",
                "00-1-2-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e473ö-00f067aa0ba902b7-01",
                "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1\n",
            ] {
                assert!(parse(text).is_none(), "{text:?}");
            }
        }
    }
}
