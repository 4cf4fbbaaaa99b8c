//! Throughput of the pipeline: imports a feed of fictitious people and measures until the last SMS.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::stack::{Build, Stack};
use crate::{Project, run};

/// The goal for throughput, in doses per second (at least).
const GOAL: f64 = 300.0;
/// The goal for peak memory, in megabytes (at most).
const GOAL_MB: f64 = 400.0;
/// The average number of rows per person in a sample feed.
const ROWS_PER_PERSON: f64 = 1.55;

struct RunResult {
    rows: usize,
    /// The number of certificates issued.
    issued: usize,
    /// The time until the report was complete, in seconds.
    reported: f64,
    /// The time until the last SMS was accepted, in seconds.
    notified: f64,
    /// The peak memory of the stack, in megabytes.
    rss_mb: f64,
}

/// Imports a tenth of the rows (unless `alone` is set), then all rows, each time into a new stack.
/// Prints the results.
///
/// # Errors
/// If something cannot be built or run, or if a row result is wrong.
pub fn measure(project: &Project, rows: u32, alone: bool) -> Result<()> {
    let mut build = project.command("cargo");
    build.args(["build", "--profile", "stack", "--package", "bukti-local", "--package", "bukti-cli"]);
    run::stream(&mut build, "See the compiler's message above.")?;
    let folder = project.target.join("bench/pipeline");
    let _ = fs::remove_dir_all(&folder);
    println!(
        "{:>9} {:>8} {:>12} {:>10} {:>9} {:>8}",
        "rows", "doses", "reported s", "notified s", "doses/s", "MB"
    );
    let mut times = Vec::new();
    let runs = if alone { vec![rows] } else { vec![rows / 10, rows] };
    for rows in runs {
        // The files of the first run are kept until the end, because ext4 creates files slowly for
        // minutes after many deletions.
        let result = run_pipeline(project, &folder.join(rows.to_string()), rows)?;
        let rate = result.issued as f64 / result.notified;
        println!(
            "{:>9} {:>8} {:>12.1} {:>10.1} {rate:>9.0} {:>8.0}",
            result.rows, result.issued, result.reported, result.notified, result.rss_mb
        );
        times.push((result.notified / result.rows as f64, rate, result.rss_mb));
    }
    let _ = fs::remove_dir_all(&folder);
    let (Some((before, ..)), Some(&(after, rate, rss_mb))) = (times.first(), times.last()) else {
        bail!("no run has a result")
    };
    let reached = |is: bool| if is { "reached" } else { "missed" };
    println!(
        "\n{GOAL} doses per second: {}; at most {GOAL_MB} MB: {}",
        reached(rate >= GOAL),
        reached(rss_mb <= GOAL_MB)
    );
    let growth = if alone { String::new() } else { format!(" growth_10x={:.2}", 10.0 * after / before) };
    println!("doses_per_s={rate:.0} rss_mb={rss_mb:.0}{growth}");
    Ok(())
}

fn run_pipeline(project: &Project, folder: &Path, rows: u32) -> Result<RunResult> {
    fs::create_dir_all(folder)?;
    let programs = project.target.join("stack");
    let [feed, expected, report, data, log] =
        ["feed.csv", "expected.csv", "report.csv", "data", "stack.log"].map(|name| folder.join(name));
    let people = (f64::from(rows) / ROWS_PER_PERSON).ceil();
    let mut sample = project.command(programs.join("bukti"));
    sample
        .args(["sample", "--people", &people.to_string(), "--feed"])
        .arg(&feed)
        .arg("--expected")
        .arg(&expected);
    run::capture(&mut sample, "")?;

    let stack = Stack::start(project, Build::Fast, &data, None, &log)?;
    let began = Instant::now();
    let mut import = project.command(programs.join("bukti"));
    import.args(["import", "--endpoint", &stack.url]).arg(&feed).arg("--report").arg(&report);
    let mut import = import.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    // `bukti import` prints its totals when the report is complete, and exits when the backlog is
    // empty.
    let mut line = String::new();
    BufReader::new(import.stdout.take().context("`bukti import` has no stdout")?).read_line(&mut line)?;
    let reported = began.elapsed().as_secs_f64();
    if !import.wait()?.success() {
        bail!("the import failed; see the log of the stack: {}", log.display());
    }
    let notified = began.elapsed().as_secs_f64();
    let rss_mb = stack.peak_memory_mb()?;
    drop(stack);

    let (rows, issued, sms) = compare(&report, &expected)?;
    let sent = BufReader::new(File::open(data.join("outbox.jsonl"))?).lines().count();
    // Depending on timing, an SMS may have been sent to a phone number before its correction.
    if !sms.contains(&sent) {
        bail!("{sent} SMS were sent instead of {sms:?}");
    }
    Ok(RunResult { rows, issued, reported, notified, rss_mb })
}

/// Returns the number of rows, the number of certificates, and the range of possible SMS counts.
///
/// # Errors
/// If a row result differs from the expected result.
fn compare(report: &Path, expected: &Path) -> Result<(usize, usize, std::ops::RangeInclusive<usize>)> {
    let lines = |path: &Path| -> Result<Vec<String>> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(BufReader::new(file).lines().skip(1).collect::<Result<_, _>>()?)
    };
    let (report, expected) = (lines(report)?, lines(expected)?);
    if report.len() != expected.len() {
        bail!("the report has {} rows instead of {}", report.len(), expected.len());
    }
    let (mut issued, mut certain_sms, mut possible_sms) = (0, 0, 0);
    for (actual, wanted) in report.iter().zip(&expected) {
        // Fields of sample data contain no commas.
        let actual: Vec<&str> = actual.split(',').collect();
        let wanted: Vec<&str> = wanted.split(',').collect();
        let ([line, id, outcome, reasons], [wanted_line, wanted_id, _, wanted, wanted_reasons, sms, _]) =
            (&actual[..], &wanted[..])
        else {
            bail!("the report or the list of expected results has other columns than expected");
        };
        if [line, id, outcome, reasons] != [wanted_line, wanted_id, wanted, wanted_reasons] {
            bail!("line {line} is {outcome} ({reasons}) instead of {wanted} ({wanted_reasons})");
        }
        issued += usize::from(*outcome == "issued");
        match (*sms, *outcome) {
            ("1", "superseded") => possible_sms += 1,
            ("1", _) => certain_sms += 1,
            _ => {}
        }
    }
    Ok((report.len(), issued, certain_sms..=certain_sms + possible_sms))
}
