//! `cargo xtask`: builds, runs, tests, measures and deploys the system.
//!
//! Only Rust has to be installed by hand. Each task installs everything else that it needs (a wasm
//! toolchain, Chromium, Python packages), and prints what it installs and why. All output goes to
//! cargo's target folder, except for packages that `apt-get` installs.

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
    /// The root of the project; set it to run a task on another working tree.
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
    /// Fuzz the parsers of untrusted input.
    Fuzz(fuzz::Options),
    /// Deploy the functions and the site to AWS.
    Deploy(deploy::Options),
    /// Write the SBOM (CycloneDX) of the deployed code: each crate with its version, licence and
    /// checksum.
    Sbom,
    /// Run every flow, then search the table, buckets, logs and responses for personal data.
    Leaks,
    /// Kill the stack or inject faults into its services, and check that nothing is lost or
    /// duplicated.
    Chaos(chaos::Options),
    /// Benchmark Bukti and comparable programs.
    Bench(bench::Options),
}

/// The folders that tasks read from and write to.
struct Project {
    /// The folder with the workspace's Cargo.toml.
    root: PathBuf,
    /// Cargo's target folder, which an environment variable may override.
    target: PathBuf,
}

impl Project {
    fn find(root: Option<PathBuf>) -> Result<Self> {
        let root = match root {
            Some(root) => root,
            // `cargo run` sets this variable. Without it, the binary uses the folder in which it
            // was compiled.
            None => std::env::var_os("CARGO_MANIFEST_DIR")
                .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
                .join("../.."),
        };
        let root = root.canonicalize().with_context(|| format!("{} does not exist", root.display()))?;
        let metadata = run::capture(
            run::command(&root, "cargo").args(["metadata", "--no-deps", "--format-version", "1"]),
            "Check that this folder is a cargo workspace.",
        )?;
        let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata has no target_directory")?;
        Ok(Self { target: target.into(), root })
    }

    /// Creates a command that runs in the project's root, without the environment variables of the
    /// outer cargo.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        run::command(&self.root, program)
    }

    /// Formats a path for messages, relative to the project's root if possible.
    fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = Project::find(cli.root).and_then(|project| match cli.task {
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
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
