//! Kills the stack and makes its services fail, over and over, and counts what comes of it: `tests/tests/chaos` at length.

use anyhow::Result;
use clap::{Args, Subcommand, value_parser};

use crate::{Project, run};

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A feed whose stack is killed at random moments.
    Kill {
        /// How many rows the feed has, about.
        #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(100..))]
        rows: u32,
        /// How often.
        #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..))]
        kills: u32,
        /// What the moments follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A feed among services of which a fifth of all calls fail, in each of the ways in which they can.
    Faults {
        /// How many rows the feed has, about.
        #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(100..))]
        rows: u32,
        /// What the faults follow from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

/// Runs the test and prints what it counted.
///
/// # Errors
/// When something was lost or is there twice.
pub fn chaos(project: &Project, options: &Options) -> Result<()> {
    let (test, rows, kills, seed) = match options.what {
        What::Kill { rows, kills, seed } => ("kill::", rows, kills, seed),
        What::Faults { rows, seed } => ("faults::a_fifth", rows, 0, seed),
    };
    let mut tests = project.command("cargo");
    // Of the whole workspace, so that the packages share features with `cargo test` and nothing is compiled twice.
    tests.args(["test", "--workspace", "--test", "chaos", "--", "--nocapture", test]);
    tests.env("BUKTI_CHAOS_ROWS", rows.to_string()).env("BUKTI_CHAOS_KILLS", kills.to_string());
    tests.env("BUKTI_CHAOS_SEED", seed.to_string());
    run::stream(&mut tests, "What was lost, or is there twice, stands above; the seed brings it again.")
}
