//! Kill tests and fault injection: runs `tests/tests/chaos` with larger feeds.

use anyhow::Result;
use clap::{Args, Subcommand, value_parser};

use crate::{Project, run};

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    test: ChaosTest,
}

#[derive(Subcommand)]
enum ChaosTest {
    /// Import a feed while killing the stack at random times.
    Kill {
        /// The approximate number of rows in the feed.
        #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(100..))]
        rows: u32,
        /// The number of times that the stack is killed.
        #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..))]
        kills: u32,
        /// The seed for the random times.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Import a feed while a fifth of all service calls fail, in every possible way.
    Faults {
        /// The approximate number of rows in the feed.
        #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(100..))]
        rows: u32,
        /// The seed for the injected faults.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

/// Runs the chosen test.
///
/// # Errors
/// If anything was lost or duplicated.
pub fn chaos(project: &Project, options: &Options) -> Result<()> {
    let (test, rows, kills, seed) = match options.test {
        ChaosTest::Kill { rows, kills, seed } => ("kill::", rows, kills, seed),
        ChaosTest::Faults { rows, seed } => ("faults::nothing_is_lost", rows, 0, seed),
    };
    let mut tests = project.command("cargo");
    // `--workspace` keeps the feature set the same as in `cargo test`, so that packages are not
    // recompiled.
    tests.args(["test", "--workspace", "--test", "chaos", "--", "--nocapture", test]);
    tests.env("BUKTI_CHAOS_ROWS", rows.to_string()).env("BUKTI_CHAOS_KILLS", kills.to_string());
    tests.env("BUKTI_CHAOS_SEED", seed.to_string());
    run::stream(
        &mut tests,
        "The messages above say what was lost or duplicated. Repeat the run with the same seed.",
    )
}
