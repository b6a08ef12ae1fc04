//! Conformance suites and fault tests: one behaviour, one suite, every store and transport.
