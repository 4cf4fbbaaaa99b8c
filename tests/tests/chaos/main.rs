//! Chaos tests: the stack is killed at random moments, its services fail, and calls race. No data
//! may be lost, and no dose may have two valid certificates.
//!
//! `cargo xtask chaos` runs a long version of the kill test or of the fault injection. It sets the
//! number of rows, the number of kills and the seed with environment variables.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod consistency;
mod faults;
mod kill;
mod races;

/// The number in an environment variable, or `default` if the variable is not set.
fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// The number of people to generate for a feed of about this many rows.
fn people_for_rows(rows: u64) -> u32 {
    u32::try_from(rows * 100 / 155).unwrap().max(1)
}
