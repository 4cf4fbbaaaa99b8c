//! A stack that knows some people who do not exist, to be asked for them.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::stack::{Build, Stack};
use crate::{Project, run};

/// The stack and the programs that ask it. Its files go away with it.
pub(super) struct People {
    pub(super) stack: Stack,
    /// The folder of the programs.
    pub(super) programs: PathBuf,
    /// What was taken in.
    pub(super) feed: PathBuf,
    /// The stack's data.
    pub(super) data: PathBuf,
    folder: PathBuf,
}

impl People {
    /// Builds the programs, starts a stack in a folder of this name and has it take in the doses of a thousand people.
    ///
    /// # Errors
    /// When something cannot be built or run.
    pub(super) fn new(project: &Project, name: &str) -> Result<Self> {
        let mut build = project.command("cargo");
        build.args(["build", "--profile", "stack", "--package", "bukti-local", "--package", "bukti-cli"]);
        build.args(["--package", "bukti-bench-stack"]);
        run::stream(&mut build, "The compiler's message above says where.")?;
        let folder = project.target.join("bench").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let programs = project.target.join("stack");
        let [feed, data, log] = ["feed.csv", "data", "stack.log"].map(|name| folder.join(name));
        let mut sample = project.command(programs.join("bukti"));
        run::capture(sample.args(["sample", "--people", "1000", "--feed"]).arg(&feed), "")?;
        let stack = Stack::start(project, Build::Fast, &data, None, &log)?;
        let mut import = project.command(programs.join("bukti"));
        run::capture(
            import.args(["import", "--endpoint", &stack.url]).arg(&feed),
            "See what it says above.",
        )?;
        Ok(Self { stack, programs, feed, data, folder })
    }
}

impl Drop for People {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
