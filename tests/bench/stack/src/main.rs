//! Benchmarks of the whole system on the embedded stack: cold starts, cost and load. `cargo xtask
//! bench` builds and runs them.

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
    /// Cold starts: the time from the start of a function's process to its first response.
    Cold {
        /// The URL of a running stack.
        url: String,
        /// The folder of its data.
        data: PathBuf,
        /// The feed that it has imported.
        feed: PathBuf,
        /// The functions as JSON: `name`, `command`, `zip_mb`. Bukti's first, then its peers.
        functions: Vec<cold::Function>,
    },
    /// The cost on AWS for a million people.
    Cost {
        /// The prices, in the format of `tests/bench/prices.json`.
        prices: PathBuf,
        /// The CloudFormation template, for the memory of each function.
        template: PathBuf,
        /// The number of people that are simulated.
        #[arg(long, default_value_t = 300)]
        people: usize,
    },
    /// Load: the throughput of a running stack, in responses per second.
    Status {
        /// The URL of the stack.
        url: String,
        /// The folder of its data.
        data: PathBuf,
        /// The feed that it has imported.
        feed: PathBuf,
        /// The duration of each measurement.
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
