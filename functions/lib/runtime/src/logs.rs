//! Logging of the functions.

/// The target of the log lines that trace a dose from its rows to its SMS, by the trace id
/// [`DoseRecord::trace`](bukti_records::DoseRecord::trace).
pub const TRACE_TARGET: &str = "way";

/// Starts logging: JSON lines on AWS, text elsewhere. `RUST_LOG` sets the levels
/// (`warn,bukti=debug`).
pub fn start_logs() {
    use std::io::IsTerminal;

    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;
    // Not an EnvFilter: its regular expressions add half a megabyte to each function.
    let on_aws = std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some();
    let configured = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let default = || {
        let default =
            Targets::new().with_default(tracing::Level::WARN).with_target("bukti", tracing::Level::INFO);
        // Traces are several lines per dose, so a terminal shows them only if `RUST_LOG` enables
        // them.
        if on_aws { default.with_target(TRACE_TARGET, tracing::Level::INFO) } else { default }
    };
    let logs = tracing_subscriber::registry().with(configured.unwrap_or_else(default));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second call, by another function in the same test process, is ignored.
    let _ = if on_aws {
        logs.with(lines.json().without_time()).try_init()
    } else {
        logs.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
    };
}
