//! Measures times and sizes, and prints them as rows of JSON.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

/// A row of the table that `cargo xtask bench` prints.
#[derive(Serialize)]
pub struct Row<'a> {
    /// The measured program; indented if the row breaks down the row above it.
    pub who: &'a str,
    /// The measured work, in a few words.
    pub what: &'a str,
    /// The median time, in milliseconds.
    pub median_ms: f64,
    /// The 99th percentile of the times, in milliseconds; `None` for work that is done once.
    pub p99_ms: Option<f64>,
    /// The median size of the output, in bytes; `None` if there is no output.
    pub bytes: Option<usize>,
    /// The largest size of the output, in bytes; `None` if there is no output.
    pub largest: Option<usize>,
}

impl Row<'_> {
    /// Creates a row for work that is done once per process.
    pub fn once<'a>(who: &'a str, what: &'a str, took: Duration) -> Row<'a> {
        Row { who, what, median_ms: milliseconds(took), p99_ms: None, bytes: None, largest: None }
    }

    /// Prints the row as a line of JSON for `cargo xtask bench`.
    pub fn print(&self) -> Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// Measures `make`, which receives the number of the round and returns the size of its output, if
/// any.
pub fn measure<'a>(
    who: &'a str,
    what: &'a str,
    rounds: usize,
    mut make: impl FnMut(usize) -> Result<Option<usize>>,
) -> Result<Row<'a>> {
    for round in 0..warm_up(rounds) {
        make(round)?;
    }
    let mut times = Vec::with_capacity(rounds);
    let mut sizes = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let started = Instant::now();
        let size = make(round)?;
        times.push(started.elapsed());
        sizes.extend(size);
    }
    times.sort_unstable();
    sizes.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied().map(milliseconds);
    Ok(Row {
        who,
        what,
        median_ms: times.get(times.len() / 2).copied().map(milliseconds).unwrap_or_default(),
        p99_ms: p99,
        bytes: sizes.get(sizes.len() / 2).copied(),
        largest: sizes.last().copied(),
    })
}

/// The number of warm-up rounds before the measured rounds. The peers use the same number.
fn warm_up(rounds: usize) -> usize {
    (rounds / 3).max(10)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
