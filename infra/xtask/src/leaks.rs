//! Looks for personal data where none belongs: `tests/tests/leaks` with the whole sample feed.

use anyhow::Result;

use crate::{Project, run};

/// Runs the search and prints what it found.
///
/// # Errors
///
/// When something was found, or the walk before it failed.
pub fn leaks(project: &Project) -> Result<()> {
    let mut search = project.command("cargo");
    // Of the whole workspace, so that the packages share features with `cargo test` and nothing is compiled twice.
    search.args(["test", "--workspace", "--test", "leaks", "--", "--nocapture", "--test-threads=1"]);
    search.env("BUKTI_LEAKS", "all");
    run::stream(&mut search, "What was found, and where, is listed above.")
}
