//! Measures what Bukti does. `cargo xtask bench` runs it beside others that do the like, and prints the table.
//!
//! Each run, and each of the peers in `peers/`, measures inside its own process and prints a line of JSON for each
//! row of the table, see [`timing::Row`].

mod certificate;
mod naive;
mod paper;
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
    /// From a complete dose to its signed and printed certificate.
    Certificate(Run),
    /// The same page with printpdf and qrcode, used as their READMEs show.
    CertificateNaive(Run),
}

/// What each run is told, as each peer is: `PROGRAM FOLDER ROUNDS`.
#[derive(Args)]
struct Run {
    /// Where `people.json` lies and a sample of what is measured goes.
    folder: PathBuf,
    /// How many times it is measured.
    rounds: usize,
}

fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::Certificate(run) => certificate::bench(&run.folder, run.rounds),
        Bench::CertificateNaive(run) => naive::bench(&run.folder, run.rounds),
    }
}
