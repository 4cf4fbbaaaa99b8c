//! Logs of a function.

/// The target of the log lines that follow one event from its rows to its SMS, by
/// [`DoseRecord::trace`](bukti_records::DoseRecord::trace).
pub const WAY: &str = "way";

/// Starts the logs of a function: JSON lines on AWS, text elsewhere, the level by `RUST_LOG`
/// (`warn,bukti=debug`).
pub fn start_logs() {
    use std::io::IsTerminal;

    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;
    // Not an EnvFilter: it brings a machine for regular expressions, half a megabyte in each
    // function.
    let on_aws = std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some();
    let asked = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let usual = || {
        let usual =
            Targets::new().with_default(tracing::Level::WARN).with_target("bukti", tracing::Level::INFO);
        // The way of each dose, some lines for each: in a terminal only for who asks for it.
        if on_aws { usual.with_target(WAY, tracing::Level::INFO) } else { usual }
    };
    let logs = tracing_subscriber::registry().with(asked.unwrap_or_else(usual));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start (several functions in one test process) is no fault.
    let _ = if on_aws {
        logs.with(lines.json().without_time()).try_init()
    } else {
        logs.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
    };
}
