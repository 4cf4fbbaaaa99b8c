//! Fuzzes the parsers of untrusted input: QR code texts, trust and revocation lists, requests,
//! feeds and form fields.
//!
//! The fuzz targets are in `tests/fuzz`. Corpus, findings and logs are stored in the target folder,
//! and the corpus is kept between runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{Project, run, tools};

/// The limits for each input: length in bytes, time in seconds, and memory in megabytes.
const LIMITS: [&str; 3] = ["-max_len=8192", "-timeout=10", "-rss_limit_mb=1024"];

#[derive(Args)]
pub struct Options {
    /// The targets to fuzz [default: all in tests/fuzz, one after the other].
    targets: Vec<String>,
    /// The duration per target, in seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

struct TargetResult {
    target: String,
    executions: String,
    coverage: String,
    finding: Option<String>,
}

/// Builds and runs the targets, then prints a table of results.
///
/// # Errors
/// If a target is unknown, does not compile, or fails on an input.
pub fn fuzz(project: &Project, options: &Options) -> Result<()> {
    let sources = project.root.join("tests/fuzz");
    let known: BTreeSet<String> = fs::read_dir(sources.join("targets"))?
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(*target)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        bail!("unknown fuzz target {unknown}; choose from {}", known.join(", "));
    }
    let chosen = match options.targets.as_slice() {
        [] => known.into_iter().collect(),
        chosen => chosen.to_vec(),
    };

    tools::program(project, &["c++"], &["g++"], "to compile libFuzzer")?;
    let cargo_fuzz = tools::cargo_install(project, "cargo-fuzz", "to build the fuzz targets")?;
    let folder = project.target.join("fuzz");
    let mut build = project.command(cargo_fuzz);
    // Sanitizers require a nightly compiler and would find little: the code is safe Rust, which
    // fails by panicking, hanging or using unbounded memory.
    build.args(["build", "--sanitizer", "none", "--fuzz-dir"]).arg(&sources).arg("--target-dir").arg(&folder);
    run::stream(&mut build, "See the compiler's message above.")?;
    let host = run::capture(project.command("rustc").arg("-vV"), "")?;
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` prints no host")?;
    let programs = folder.join(host).join("release");

    let mut results = Vec::new();
    for target in chosen {
        run::print_status(format!("fuzzing {target} for {} s", options.seconds));
        let result = run_target(project, &programs.join(&target), &folder, &target, options.seconds)?;
        results.push(result);
    }
    eprintln!("\n{:<12}{:>12}{:>10}  finding", "target", "executions", "coverage");
    for TargetResult { target, executions, coverage, finding } in &results {
        eprintln!("{target:<12}{executions:>12}{coverage:>10}  {}", finding.as_deref().unwrap_or("none"));
    }
    match results.iter().filter(|result| result.finding.is_some()).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} targets failed; their inputs are listed above", results.len()),
    }
}

fn run_target(
    project: &Project,
    program: &Path,
    folder: &Path,
    target: &str,
    seconds: u64,
) -> Result<TargetResult> {
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let findings = folder.join("findings").join(target);
    fs::create_dir_all(&findings)?;
    let seeds = project.root.join("tests/fuzz/seeds").join(target);
    let log = project.target.join(format!("xtask-logs/fuzz-{target}.log"));
    let mut command = project.command(program);
    // libFuzzer writes new inputs only to the first folder.
    command.arg(&corpus).arg(seeds).args(vector_seeds(project, folder, target)?).args(LIMITS);
    command.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]);
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    let limit = Duration::from_secs(seconds + 120);
    let status = run::to_log(&mut command, &log, limit, "The last lines of libFuzzer:");

    let output = fs::read_to_string(&log)?;
    let last_value = |label: &str| {
        let found = output.lines().rev().find_map(|line| line.split_once(label));
        found.and_then(|(_, after)| after.split_whitespace().next()).unwrap_or("?").to_owned()
    };
    let finding = match status {
        Ok(()) => None,
        Err(error) if output.contains("Test unit written to ") => {
            eprintln!("{error:#}");
            Some(last_value("Test unit written to "))
        }
        Err(error) => return Err(error),
    };
    let (executions, coverage) = (last_value("stat::number_of_executed_units: "), last_value(" cov: "));
    Ok(TargetResult { target: target.to_owned(), executions, coverage, finding })
}

/// Writes the public test vectors as additional seeds, if this machine has them. Returns their
/// folder.
fn vector_seeds(project: &Project, folder: &Path, target: &str) -> Result<Option<PathBuf>> {
    let field = match target {
        "hc1" => "PREFIX",
        "cose" => "COSE",
        "cbor" => "CBOR",
        _ => return Ok(None),
    };
    let Ok(files) = fs::read_dir(project.root.join("../shared/vectors/dcc-common")) else { return Ok(None) };
    let seeds = folder.join("vectors").join(target);
    fs::create_dir_all(&seeds)?;
    for path in files.flatten().map(|entry| entry.path()) {
        let vector: serde_json::Value = match fs::read(&path).map(|bytes| serde_json::from_slice(&bytes)) {
            Ok(Ok(vector)) => vector,
            _ => continue,
        };
        let (Some(value), Some(name)) = (vector[field].as_str(), path.file_stem()) else { continue };
        let bytes = if target == "hc1" { Some(value.as_bytes().to_vec()) } else { from_hex(value) };
        if let Some(bytes) = bytes {
            fs::write(seeds.join(name), bytes)?;
        }
    }
    Ok(Some(seeds))
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
