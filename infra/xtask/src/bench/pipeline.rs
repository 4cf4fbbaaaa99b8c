//! A feed of people who do not exist through the whole of Bukti: received, judged, signed, printed, told.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::stack::{Build, Stack};
use crate::{Project, run};

/// Doses a second at least …
const GOAL: f64 = 300.0;
/// … and megabytes of memory at most.
const GOAL_MB: f64 = 400.0;
/// Rows that a person has in a feed, on average; a few more or less than were asked for do no harm.
const ROWS_OF_A_PERSON: f64 = 1.55;

/// What a run came to.
struct Outcome {
    rows: usize,
    /// Certificates, as many SMS as there should be.
    issued: usize,
    /// Seconds until the report was there, and until the last SMS was accepted.
    reported: f64,
    told: f64,
    /// The most memory that the stack had, in megabytes.
    rss_mb: f64,
}

/// Runs a tenth of the rows, unless they are to run alone, and all of them, each on a new stack, and prints what they came to.
///
/// # Errors
/// When something cannot be built or run, or when a row did not become what it should.
pub fn measure(project: &Project, rows: u32, alone: bool) -> Result<()> {
    let mut build = project.command("cargo");
    build.args(["build", "--profile", "stack", "--package", "bukti-local", "--package", "bukti-cli"]);
    run::stream(&mut build, "The compiler's message above says where.")?;
    let folder = project.target.join("bench/pipeline");
    let _ = fs::remove_dir_all(&folder);
    println!(
        "{:>9} {:>8} {:>12} {:>10} {:>9} {:>8}",
        "rows", "doses", "reported s", "told s", "doses/s", "MB"
    );
    let mut times = Vec::new();
    let runs = if alone { vec![rows] } else { vec![rows / 10, rows] };
    for rows in runs {
        // The first one's files stay meanwhile: ext4 makes new ones slowly for minutes after many were deleted.
        let outcome = pipeline(project, &folder.join(rows.to_string()), rows)?;
        let rate = outcome.issued as f64 / outcome.told;
        println!(
            "{:>9} {:>8} {:>12.1} {:>10.1} {rate:>9.0} {:>8.0}",
            outcome.rows, outcome.issued, outcome.reported, outcome.told, outcome.rss_mb
        );
        times.push((outcome.told / outcome.rows as f64, rate, outcome.rss_mb));
    }
    let _ = fs::remove_dir_all(&folder);
    let (Some((before, ..)), Some(&(after, rate, rss_mb))) = (times.first(), times.last()) else {
        bail!("a run is missing")
    };
    let reached = |is: bool| if is { "reached" } else { "missed" };
    println!(
        "\n{GOAL} doses a second: {}; at most {GOAL_MB} MB: {}",
        reached(rate >= GOAL),
        reached(rss_mb <= GOAL_MB)
    );
    let growth = if alone { String::new() } else { format!(" growth_10x={:.2}", 10.0 * after / before) };
    println!("doses_per_s={rate:.0} rss_mb={rss_mb:.0}{growth}");
    Ok(())
}

fn pipeline(project: &Project, folder: &Path, rows: u32) -> Result<Outcome> {
    fs::create_dir_all(folder)?;
    let programs = project.target.join("stack");
    let [feed, expected, report, data, log] =
        ["feed.csv", "expected.csv", "report.csv", "data", "stack.log"].map(|name| folder.join(name));
    let people = (f64::from(rows) / ROWS_OF_A_PERSON).ceil();
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
    // Its totals come when the report is there; it ends when nothing is left to do.
    let mut line = String::new();
    BufReader::new(import.stdout.take().context("bukti has no output")?).read_line(&mut line)?;
    let reported = began.elapsed().as_secs_f64();
    if !import.wait()?.success() {
        bail!("the import failed; the stack said: {}", log.display());
    }
    let told = began.elapsed().as_secs_f64();
    let rss_mb = stack.most_memory_mb()?;
    drop(stack);

    let (rows, issued, sms) = compare(&report, &expected)?;
    let sent = BufReader::new(File::open(data.join("outbox.jsonl"))?).lines().count();
    // A number that was corrected may have been told before that, or not.
    if !sms.contains(&sent) {
        bail!("{sent} SMS instead of {sms:?}");
    }
    Ok(Outcome { rows, issued, reported, told, rss_mb })
}

/// Rows, certificates, and how many SMS there may be. Fails where a row is not what was expected.
fn compare(report: &Path, expected: &Path) -> Result<(usize, usize, std::ops::RangeInclusive<usize>)> {
    let lines = |path: &Path| -> Result<Vec<String>> {
        let file = File::open(path).with_context(|| format!("{} is not there", path.display()))?;
        Ok(BufReader::new(file).lines().skip(1).collect::<Result<_, _>>()?)
    };
    let (report, expected) = (lines(report)?, lines(expected)?);
    if report.len() != expected.len() {
        bail!("{} rows are reported instead of {}", report.len(), expected.len());
    }
    let (mut issued, mut sure, mut unsure) = (0, 0, 0);
    for (is, should) in report.iter().zip(&expected) {
        // No field of what a sample has here holds a comma.
        let is: Vec<&str> = is.split(',').collect();
        let should: Vec<&str> = should.split(',').collect();
        let ([line, id, outcome, reasons], [wanted_line, wanted_id, _, wanted, why, sms, _]) =
            (&is[..], &should[..])
        else {
            bail!("a report is not of the form that it should be of");
        };
        if [line, id, outcome, reasons] != [wanted_line, wanted_id, wanted, why] {
            bail!("line {line} is {outcome} ({reasons}) and not {wanted} ({why})");
        }
        issued += usize::from(*outcome == "issued");
        match (*sms, *outcome) {
            ("1", "superseded") => unsure += 1,
            ("1", _) => sure += 1,
            _ => {}
        }
    }
    Ok((report.len(), issued, sure..=sure + unsure))
}
