//! Measures the whole of Bukti on the embedded stack. `cargo xtask bench` builds and runs it.

mod cold;
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
    /// From the start of a function's process to its first answer.
    Cold {
        /// The address of the stack that they look in.
        url: String,
        /// The folder of its data.
        data: PathBuf,
        /// The feed that it has taken in.
        feed: PathBuf,
        /// The functions as JSON: `name`, `command`, `zip_mb`. Bukti's first, then whom it is compared with.
        functions: Vec<cold::Function>,
    },
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
        Bench::Cold { url, data, feed, functions } => cold::bench(&url, &data, &feed, &functions),
        Bench::Cost { prices, template, people } => cost::bench(&prices, &template, people),
        Bench::Status { url, data, feed, seconds } => load::bench(&url, &data, &feed, seconds),
    }
}
