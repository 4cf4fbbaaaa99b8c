//! An embedded stack with sample data, for benchmarks that send requests.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::stack::{Build, Stack};
use crate::{Project, run};

/// A running stack with the doses of a thousand fictitious people. Dropping it deletes its files.
pub(super) struct SampleStack {
    pub(super) stack: Stack,
    /// The folder with the compiled programs.
    pub(super) programs: PathBuf,
    /// The path of the imported feed.
    pub(super) feed: PathBuf,
    /// The data folder of the stack.
    pub(super) data: PathBuf,
    folder: PathBuf,
}

impl SampleStack {
    /// Builds the programs, starts a stack in `target/bench/NAME` and imports the sample feed.
    ///
    /// # Errors
    /// If something cannot be built or run.
    pub(super) fn start(project: &Project, name: &str) -> Result<Self> {
        let mut build = project.command("cargo");
        build.args(["build", "--profile", "stack", "--package", "bukti-local", "--package", "bukti-cli"]);
        build.args(["--package", "bukti-bench-stack"]);
        run::stream(&mut build, "See the compiler's message above.")?;
        let folder = project.target.join("bench").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let programs = project.target.join("stack");
        let [feed, data, log] = ["feed.csv", "data", "stack.log"].map(|name| folder.join(name));
        let mut sample = project.command(programs.join("bukti"));
        run::capture(sample.args(["sample", "--people", "1000", "--feed"]).arg(&feed), "")?;
        let stack = Stack::start(project, Build::Fast, &data, None, &log)?;
        let mut import = project.command(programs.join("bukti"));
        run::capture(import.args(["import", "--endpoint", &stack.url]).arg(&feed), "See the message above.")?;
        Ok(Self { stack, programs, feed, data, folder })
    }
}

impl Drop for SampleStack {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
