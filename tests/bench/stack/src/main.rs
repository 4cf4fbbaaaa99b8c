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
    /// Measure cold starts: the time from the start of a function's process to its first response.
    Cold {
        /// The URL of a running stack.
        url: String,
        /// The data folder of the stack.
        data: PathBuf,
        /// The feed that the stack has imported.
        feed: PathBuf,
        /// The functions as JSON objects with `name`, `command` and `zip_mb`; first Bukti's, then
        /// its peers.
        functions: Vec<cold::Function>,
    },
    /// Estimate the cost on AWS for a million people.
    Cost {
        /// The price list, in the format of `tests/bench/prices.json`.
        prices: PathBuf,
        /// The CloudFormation template, which contains each function's memory size.
        template: PathBuf,
        /// The number of simulated people.
        #[arg(long, default_value_t = 300)]
        people: usize,
    },
    /// Measure the throughput and latency of a running stack.
    Status {
        /// The URL of the stack.
        url: String,
        /// The data folder of the stack.
        data: PathBuf,
        /// The feed that the stack has imported.
        feed: PathBuf,
        /// The duration of each measurement, in seconds.
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
