//! Benchmarks of issuing certificates. `cargo xtask bench` runs them and the peers, and prints a
//! table.
//!
//! Each benchmark, and each peer in `peers/`, measures within its own process and prints one line
//! of JSON per row of the table; see [`timing::Row`].

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
    /// Bukti's certificates, from the complete dose to the signed PDF.
    Certificate(Run),
    /// The same page, made with printpdf and qrcode as in their READMEs.
    CertificateNaive(Run),
}

/// The arguments of all benchmarks and peers: `PROGRAM FOLDER ROUNDS`.
#[derive(Args)]
struct Run {
    /// The folder with `people.json`; a sample of the output is written there, too.
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
