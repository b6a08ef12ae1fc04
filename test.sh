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

# In two steps, because the documentation's examples are not the runner's; both use what the first one builds. (`cargo build` would build
# everything once more: libraries that are not built for tests are other files.)
cargo nextest run --workspace --all-features --no-run
cargo test --workspace --all-features --doc --quiet
cargo nextest run --workspace --all-features "$@"
