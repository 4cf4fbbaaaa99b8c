//! Measures the whole of Bukti on the embedded stack. `cargo xtask bench` builds and runs it.

mod cost;
mod functions;
mod meter;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bukti-bench-stack")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// What AWS takes for a million people.
    Cost {
        /// The prices, as `tests/bench/prices.json`.
        prices: PathBuf,
        /// The template, for the memory of each function.
        template: PathBuf,
        /// How many people are measured.
        #[arg(long, default_value_t = 300)]
        people: usize,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::Cost { prices, template, people } => cost::bench(&prices, &template, people),
    }
}
