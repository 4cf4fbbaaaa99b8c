//! Fuzzes what reads strangers' bytes: QR texts, trust and revocation lists, requests, feeds, and what people write.
//!
//! The targets are in `tests/fuzz`. Corpus, findings and logs are under the target folder; a corpus grows from
//! run to run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{Project, run, tools};

/// The longest input, in bytes, the longest time for one, in seconds, and the most memory, in megabytes.
const LIMITS: [&str; 3] = ["-max_len=8192", "-timeout=10", "-rss_limit_mb=1024"];

#[derive(Args)]
pub struct Options {
    /// What to fuzz [default: each target of tests/fuzz, one after the other].
    targets: Vec<String>,
    /// How long, for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// What a run of a target came to.
struct Outcome {
    target: String,
    executions: String,
    coverage: String,
    finding: Option<String>,
}

/// Builds the targets, runs them and prints what they came to.
///
/// # Errors
/// When a target is unknown or does not compile, and when an input makes one fail.
pub fn fuzz(project: &Project, options: &Options) -> Result<()> {
    let sources = project.root.join("tests/fuzz");
    let known: BTreeSet<String> = fs::read_dir(sources.join("targets"))?
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(*target)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        bail!("there is no fuzz target {unknown}; there are {}", known.join(", "));
    }
    let chosen = match options.targets.as_slice() {
        [] => known.into_iter().collect(),
        chosen => chosen.to_vec(),
    };

    tools::program(project, &["c++"], &["g++"], "to compile libFuzzer")?;
    let cargo_fuzz = tools::cargo_install(project, "cargo-fuzz", "to build the fuzz targets")?;
    let folder = project.target.join("fuzz");
    let mut build = project.command(cargo_fuzz);
    // Without a sanitizer, which would need a nightly compiler: the code is safe Rust, so panics, hangs and
    // memory without bounds are what can be found.
    build.args(["build", "--sanitizer", "none", "--fuzz-dir"]).arg(&sources).arg("--target-dir").arg(&folder);
    run::stream(&mut build, "The compiler's message above says where.")?;
    let host = run::capture(project.command("rustc").arg("-vV"), "")?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let programs = folder.join(host).join("release");

    let mut outcomes = Vec::new();
    for target in chosen {
        run::say(format!("fuzzing {target} for {} s", options.seconds));
        let outcome = run_target(project, &programs.join(&target), &folder, &target, options.seconds)?;
        outcomes.push(outcome);
    }
    eprintln!("\n{:<12}{:>12}{:>10}  finding", "target", "executions", "coverage");
    for Outcome { target, executions, coverage, finding } in &outcomes {
        eprintln!("{target:<12}{executions:>12}{coverage:>10}  {}", finding.as_deref().unwrap_or("none"));
    }
    match outcomes.iter().filter(|outcome| outcome.finding.is_some()).count() {
        0 => Ok(()),
        found => bail!("{found} of {} targets failed; the inputs are named above", outcomes.len()),
    }
}

fn run_target(
    project: &Project,
    program: &Path,
    folder: &Path,
    target: &str,
    seconds: u64,
) -> Result<Outcome> {
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let findings = folder.join("findings").join(target);
    fs::create_dir_all(&findings)?;
    let seeds = project.root.join("tests/fuzz/seeds").join(target);
    let log = project.target.join(format!("xtask-logs/fuzz-{target}.log"));
    let mut command = project.command(program);
    // libFuzzer writes new inputs to the first folder only.
    command.arg(&corpus).arg(seeds).args(vectors(project, folder, target)?).args(LIMITS);
    command.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]);
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    let limit = Duration::from_secs(seconds + 120);
    let ended = run::quietly(&mut command, &log, limit, "libFuzzer's last lines:");

    let said = fs::read_to_string(&log)?;
    let last = |before: &str| {
        let found = said.lines().rev().find_map(|line| line.split_once(before));
        found.and_then(|(_, after)| after.split_whitespace().next()).unwrap_or("?").to_owned()
    };
    let finding = match ended {
        Ok(()) => None,
        Err(error) if said.contains("Test unit written to ") => {
            eprintln!("{error:#}");
            Some(last("Test unit written to "))
        }
        Err(error) => return Err(error),
    };
    let (executions, coverage) = (last("stat::number_of_executed_units: "), last(" cov: "));
    Ok(Outcome { target: target.to_owned(), executions, coverage, finding })
}

/// A folder of the public test vectors as further seeds, where they are there.
fn vectors(project: &Project, folder: &Path, target: &str) -> Result<Option<PathBuf>> {
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
