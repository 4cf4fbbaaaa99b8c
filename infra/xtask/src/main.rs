//! `cargo xtask`: builds the site, runs the whole system on this machine, tests it.
//!
//! A fresh machine needs Rust and nothing else by hand: whatever else a task needs (a wasm toolchain,
//! Chromium, Python packages) is installed by the task itself, each with a line that says what and why.
//! Everything it writes is under cargo's target folder, except what `apt-get` installs.

mod bench;
mod chaos;
mod deploy;
mod files;
mod fuzz;
mod leaks;
mod run;
mod sbom;
mod site;
mod stack;
mod supply;
mod test;
mod toolchain;
mod tools;
mod up;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// The tasks of this project. Start with `cargo xtask up`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    /// The project's root, to try these tasks on another tree.
    #[arg(long, global = true, hide = true)]
    root: Option<PathBuf>,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the web site into target/site.
    Site(site::Options),
    /// Build everything and run the whole system on this machine, without an AWS account.
    Up(up::Options),
    /// Check and test everything, stage by stage, installing what is missing.
    Test(test::Options),
    /// Look for inputs that make what reads strangers' bytes fail.
    Fuzz(fuzz::Options),
    /// Deploy everything to AWS, the site too.
    Deploy(deploy::Options),
    /// List what is deployed, each crate with version, licence and checksum (CycloneDX).
    Sbom,
    /// Look for personal data in table, buckets, logs and answers after a walk through everything.
    Leaks,
    /// Kill the stack and make its services fail, and see that nothing is lost and nothing comes twice.
    Chaos(chaos::Options),
    /// Measure Bukti beside others that do the like.
    Bench(bench::Options),
}

/// Where the project lies and where its build results go.
struct Project {
    /// The folder of the workspace's Cargo.toml.
    root: PathBuf,
    /// Cargo's target folder, wherever the environment puts it.
    target: PathBuf,
}

impl Project {
    fn find(root: Option<PathBuf>) -> Result<Self> {
        let root = match root {
            Some(root) => root,
            // `cargo run` gives the folder of this package; the built binary alone remembers where that was.
            None => std::env::var_os("CARGO_MANIFEST_DIR")
                .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
                .join("../.."),
        };
        let root = root.canonicalize().with_context(|| format!("{} is not there", root.display()))?;
        let metadata = run::capture(
            run::command(&root, "cargo").args(["metadata", "--no-deps", "--format-version", "1"]),
            "Is this folder a cargo workspace?",
        )?;
        let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target_directory")?;
        Ok(Self { target: target.into(), root })
    }

    /// A program that will run in the project's root, without the outer cargo's variables.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        run::command(&self.root, program)
    }

    /// A path as one would type it: relative to the project's root where it is inside.
    fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = Project::find(cli.root).and_then(|project| match cli.task {
        Task::Site(options) => site::build(&project, options.wasm_toolchain).map(drop),
        Task::Up(options) => up::up(&project, &options),
        Task::Test(options) => test::test(&project, &options),
        Task::Fuzz(options) => fuzz::fuzz(&project, &options),
        Task::Deploy(options) => deploy::deploy(&project, &options),
        Task::Sbom => sbom::sbom(&project),
        Task::Leaks => leaks::leaks(&project),
        Task::Chaos(options) => chaos::chaos(&project, &options),
        Task::Bench(options) => bench::bench(&project, &options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
