//! Measures the whole of Bukti on the embedded stack. `cargo xtask bench` builds and runs it.

mod cost;
mod functions;
mod load;
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
    /// Answers a second of a stack that runs.
    Status {
        /// Its address.
        url: String,
        /// The folder of its data.
        data: PathBuf,
        /// The feed that it has taken in.
        feed: PathBuf,
        /// How long each is asked for.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::Cost { prices, template, people } => cost::bench(&prices, &template, people),
        Bench::Status { url, data, feed, seconds } => load::bench(&url, &data, &feed, seconds),
    }
}
