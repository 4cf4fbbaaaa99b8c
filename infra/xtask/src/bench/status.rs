//! How many the embedded stack answers at once.

use anyhow::Result;

use super::people::People;
use crate::{Project, run};

/// Starts a stack with the doses of some people, and has it asked by many at once.
///
/// # Errors
/// When something cannot be built or run, or is not answered.
pub fn measure(project: &Project, seconds: u64) -> Result<()> {
    let people = People::new(project, "status")?;
    let mut bench = project.command(people.programs.join("bukti-bench-stack"));
    bench.args(["status", &people.stack.url]).arg(&people.data).arg(&people.feed);
    run::stream(
        bench.args(["--seconds", &seconds.to_string()]),
        "The message above says what did not go as it should.",
    )?;
    println!("rss_mb={:.0}", people.stack.most_memory_mb()?);
    Ok(())
}
