//! Sets up logging for the functions.

/// The target of the log lines that trace a dose from import to SMS. All lines of a dose contain
/// the trace id [`DoseRecord::trace`](bukti_records::DoseRecord::trace).
pub const TRACE_TARGET: &str = "way";

/// Starts logging to standard error: JSON lines on AWS, plain text elsewhere. `RUST_LOG` overrides
/// the default levels, for example with `warn,bukti=debug`.
pub fn start_logs() {
    use std::io::IsTerminal;

    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;
    // `Targets` instead of `EnvFilter`, whose regular expressions add half a megabyte to each
    // function.
    let on_aws = std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some();
    let configured = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let default = || {
        let default =
            Targets::new().with_default(tracing::Level::WARN).with_target("bukti", tracing::Level::INFO);
        // Tracing writes several lines per dose, so outside AWS it is off unless `RUST_LOG` enables
        // it.
        if on_aws { default.with_target(TRACE_TARGET, tracing::Level::INFO) } else { default }
    };
    let logs = tracing_subscriber::registry().with(configured.unwrap_or_else(default));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // Tests run several functions in one process; every call after the first fails and is ignored.
    let _ = if on_aws {
        logs.with(lines.json().without_time()).try_init()
    } else {
        logs.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
    };
}
