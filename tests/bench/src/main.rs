//! Benchmarks of Bukti. `cargo xtask bench` runs them and their peers, and prints a table.
//!
//! Each benchmark, and each of the peers in `peers/`, measures inside its own process and prints a
//! line of JSON for each row of the table, see [`timing::Row`].

mod certificate;
mod naive;
mod peer_input;
mod people;
mod timing;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bukti-bench")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Bukti's certificates, from a complete dose to the signed PDF.
    Certificate(Run),
    /// The same page with printpdf and qrcode, used as their READMEs show.
    CertificateNaive(Run),
}

/// The arguments of each benchmark and of each peer: `PROGRAM FOLDER ROUNDS`.
#[derive(Args)]
struct Run {
    /// The folder of `people.json`, to which a sample of the output is written.
    folder: PathBuf,
    /// The number of measured rounds.
    rounds: usize,
}

fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::Certificate(run) => certificate::bench(&run.folder, run.rounds),
        Bench::CertificateNaive(run) => naive::bench(&run.folder, run.rounds),
    }
}
