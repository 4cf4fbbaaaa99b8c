//! Searches for leaked personal data: runs `tests/tests/leaks` with the whole sample feed.

use anyhow::Result;

use crate::{Project, run};

/// Runs the search.
///
/// # Errors
///
/// If personal data were found, or a flow failed.
pub fn leaks(project: &Project) -> Result<()> {
    let mut search = project.command("cargo");
    // With `--workspace`, so that packages have the same features as in `cargo test` and are not
    // compiled again.
    search.args(["test", "--workspace", "--test", "leaks", "--", "--nocapture", "--test-threads=1"]);
    search.env("BUKTI_LEAKS", "all");
    run::stream(&mut search, "The personal data that were found, and their places, are listed above.")
}
