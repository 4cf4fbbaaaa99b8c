//! Cold starts: the time from the start of a function's process until its first response.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::sample_stack::SampleStack;
use crate::{Project, deploy, run, tools};

/// Compiles the functions as for a deployment, then repeatedly starts the status function and its
/// equivalents in Node and Python.
///
/// # Errors
/// If something cannot be installed, built or run, or if the responses differ.
pub fn measure(project: &Project) -> Result<()> {
    let why = "to measure functions";
    let node = tools::program(project, &["node", "nodejs"], &["nodejs", "npm"], why)?;
    let peers = project.root.join("tests/bench/peers");
    let python = tools::venv(project, "venv-bench", &peers.join("python/requirements.txt"))?.join("python");
    let scripts = project.target.join("bench/node");
    tools::refresh_copy(&peers.join("node"), &scripts)?;
    tools::npm_install(project, &scripts)?;
    let (functions, largest_zip_mb) = deploy::build_functions(project)?;
    let bootstrap = functions.join("bukti-status/bootstrap");

    let sample = SampleStack::start(project, "cold")?;
    let function = |name: &str, command: &[&Path], zip_mb: Option<f64>| {
        json!({"name": name, "command": command, "zip_mb": zip_mb}).to_string()
    };
    let mut bench = project.command(sample.programs.join("bukti-bench-stack"));
    bench.args(["cold", &sample.stack.url]).arg(&sample.data).arg(&sample.feed).args([
        function("Bukti", &[&bootstrap], Some(largest_zip_mb)),
        function("Node, AWS SDK v3", &[&node, &scripts.join("status.mjs")], None),
        function("Python, boto3", &[&python, &peers.join("python/status.py")], None),
    ]);
    run::stream(&mut bench, "See the message above.")
}
