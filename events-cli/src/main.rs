//! The `outbox` command.

fn main() -> std::process::ExitCode {
    events_cli::main()
}
