//! Nothing lost, nothing twice: killed over and over, among services that fail, and where two do something at once.
//!
//! `cargo xtask chaos` runs the first two at length: how many rows, how often and with which seed comes by the environment.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod books;
mod faults;
mod kill;
mod races;

/// A number of the environment.
fn request(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}

/// People whose feed has about so many rows.
fn people(rows: u64) -> u32 {
    u32::try_from(rows * 100 / 155).unwrap().max(1)
}
