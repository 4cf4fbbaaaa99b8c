//! How many the embedded stack answers at once.

use std::fs;

use anyhow::Result;

use crate::stack::{Build, Stack};
use crate::{Project, run};

/// Starts a stack with the doses of some people, and has it asked by many at once.
///
/// # Errors
/// When something cannot be built or run, or is not answered.
pub fn measure(project: &Project, seconds: u64) -> Result<()> {
    let mut build = project.command("cargo");
    build.args(["build", "--profile", "stack", "--package", "bukti-local", "--package", "bukti-cli"]);
    build.args(["--package", "bukti-bench-stack"]);
    run::stream(&mut build, "The compiler's message above says where.")?;
    let folder = project.target.join("bench/status");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let programs = project.target.join("stack");
    let [feed, data, log] = ["feed.csv", "data", "stack.log"].map(|name| folder.join(name));
    let mut sample = project.command(programs.join("bukti"));
    run::capture(sample.args(["sample", "--people", "1000", "--feed"]).arg(&feed), "")?;
    let stack = Stack::start(project, Build::Fast, &data, None, &log)?;
    let mut import = project.command(programs.join("bukti"));
    run::capture(import.args(["import", "--endpoint", &stack.url]).arg(&feed), "See what it says above.")?;
    let mut bench = project.command(programs.join("bukti-bench-stack"));
    bench.args(["status", &stack.url]).arg(&data).arg(&feed).args(["--seconds", &seconds.to_string()]);
    run::stream(&mut bench, "The message above says what did not go as it should.")?;
    println!("rss_mb={:.0}", stack.most_memory_mb()?);
    drop(stack);
    let _ = fs::remove_dir_all(&folder);
    Ok(())
}
