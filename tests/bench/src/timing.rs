//! How long something takes.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

/// A row of the table.
#[derive(Serialize)]
pub struct Row<'a> {
    /// Whose work it is; indented where it is a part of the row above.
    pub who: &'a str,
    /// What is done, in few words.
    pub what: &'a str,
    /// Milliseconds, half of the rounds took less.
    pub median_ms: f64,
    /// Milliseconds, 99 of 100 rounds took less.
    pub p99_ms: Option<f64>,
    /// Bytes of what was made, half of them are smaller.
    pub bytes: Option<usize>,
    /// Bytes of the largest.
    pub largest: Option<usize>,
}

impl Row<'_> {
    /// What is done once only.
    pub fn once<'a>(who: &'a str, what: &'a str, took: Duration) -> Row<'a> {
        Row { who, what, median_ms: milliseconds(took), p99_ms: None, bytes: None, largest: None }
    }

    /// Prints it for who started this program.
    pub fn print(&self) -> Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// Measures `make`, which is told the number of the round and gives the size of what it made, if that matters.
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
        let began = Instant::now();
        let size = make(round)?;
        times.push(began.elapsed());
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

/// Rounds before the measured ones. The peers do as many.
fn warm_up(rounds: usize) -> usize {
    (rounds / 3).max(10)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
