#!/usr/bin/env bash
# Runs all tests: unit, conformance, fault and compile-fail tests, then the examples in the documentation.
# Needs Rust and a C compiler. Servers are taken from POSTGRES_URL and MYSQL_URL, or from 127.0.0.1:5432 and :3306 if they let their
# superuser in without a password; otherwise they are installed and started (on Debian and its kin). PgBouncer and the message brokers are
# installed, and started by the tests that need them. Everything else is created in temporary folders.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v cargo-nextest >/dev/null; then
  echo "installing cargo-nextest, the test runner"
  cargo install cargo-nextest --locked
fi

servers=$(scripts/servers)
eval "$servers"

# The kill test and the doc tests use what this builds, so that no test pays for a build of its own. With all targets, because without them
# libraries have other features, and would be built a second time.
cargo build --workspace --all-targets --all-features --quiet
cargo test --workspace --all-features --doc --quiet
cargo nextest run --workspace --all-features "$@"
