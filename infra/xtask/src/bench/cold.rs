//! How soon a function answers that nobody has called for a while.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::people::People;
use crate::{Project, deploy, run, tools};

/// Compiles the functions as they are deployed, and has that of the status started again and again beside the same in Node and Python.
///
/// # Errors
/// When something cannot be installed, built or run, or does not answer as the others do.
pub fn measure(project: &Project) -> Result<()> {
    let why = "to measure functions";
    let node = tools::program(project, &["node", "nodejs"], &["nodejs", "npm"], why)?;
    let peers = project.root.join("tests/bench/peers");
    let python = tools::venv(project, "venv-bench", &peers.join("python/requirements.txt"))?.join("python");
    let scripts = project.target.join("bench/node");
    tools::renew_copy(&peers.join("node"), &scripts)?;
    tools::npm_install(project, &scripts)?;
    let (functions, largest_zip_mb) = deploy::functions(project)?;
    let bootstrap = functions.join("bukti-status/bootstrap");

    let people = People::new(project, "cold")?;
    let function = |name: &str, command: &[&Path], zip_mb: Option<f64>| {
        json!({"name": name, "command": command, "zip_mb": zip_mb}).to_string()
    };
    let mut bench = project.command(people.programs.join("bukti-bench-stack"));
    bench.args(["cold", &people.stack.url]).arg(&people.data).arg(&people.feed).args([
        function("Bukti", &[&bootstrap], Some(largest_zip_mb)),
        function("Node, AWS SDK v3", &[&node, &scripts.join("status.mjs")], None),
        function("Python, boto3", &[&python, &peers.join("python/status.py")], None),
    ]);
    run::stream(&mut bench, "The message above says what did not go as it should.")
}
