//! Searches for leaked personal data: runs `tests/tests/leaks` with the whole sample feed.

use anyhow::Result;

use crate::{Project, run};

/// Runs the search and streams its findings to the terminal.
///
/// # Errors
///
/// If personal data is found, or if a flow fails.
pub fn leaks(project: &Project) -> Result<()> {
    let mut search = project.command("cargo");
    // `--workspace` keeps the feature set the same as in `cargo test`, so that packages are not
    // recompiled.
    search.args(["test", "--workspace", "--test", "leaks", "--", "--nocapture", "--test-threads=1"]);
    search.env("BUKTI_LEAKS", "all");
    run::stream(&mut search, "The personal data that were found, and their places, are listed above.")
}
