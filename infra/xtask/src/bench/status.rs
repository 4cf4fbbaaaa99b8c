//! Throughput and latency of the embedded stack under concurrent requests.

use anyhow::Result;

use super::sample_stack::SampleStack;
use crate::{Project, run};

/// Starts a stack with sample data and sends concurrent requests to it.
///
/// # Errors
/// If something cannot be built or run, or if a request fails.
pub fn measure(project: &Project, seconds: u64) -> Result<()> {
    let sample = SampleStack::start(project, "status")?;
    let mut bench = project.command(sample.programs.join("bukti-bench-stack"));
    bench.args(["status", &sample.stack.url]).arg(&sample.data).arg(&sample.feed);
    run::stream(bench.args(["--seconds", &seconds.to_string()]), "See the message above.")?;
    println!("rss_mb={:.0}", sample.stack.peak_memory_mb()?);
    Ok(())
}
