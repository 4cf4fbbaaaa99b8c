//! Benchmarks of Bukti and comparable programs: certificates, cold starts, AWS costs, imports,
//! concurrent requests, and the site in a browser.
//!
//! The measured programs are in `tests/bench`: its crates contain the programs for Bukti and plain
//! Rust, and `peers/` contains the others. Packages and results are stored in the target folder.

mod cold;
mod pipeline;
mod sample_stack;
mod site;
mod status;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand, value_parser};
use serde_json::Value;

use crate::{Project, run, tools};

/// The goal for the time per certificate, in milliseconds (at most).
const GOAL_MS: f64 = 0.30;
/// The goal for the ratio of Node's time to Bukti's time (at least).
const GOAL_RATIO: f64 = 24.0;
/// The goal for the size of a PDF, in bytes (at most).
const GOAL_BYTES: f64 = 25_000.0;
/// The number of laps. Each lap runs all programs, so that background load affects all of them
/// equally. For each program, the fastest lap counts.
const LAPS: usize = 3;
/// The minimum share of the core's busy time for a reliable measurement of a program.
const MIN_SHARE: f64 = 0.9;

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// The time from dose to PDF for one certificate, compared with Node, Python, Chromium and
    /// plain Rust.
    Certificate {
        /// The number of certificates that Bukti creates in each of three laps. The other programs
        /// use fixed numbers.
        #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// The cold start of a function, until its first response, compared with Node and Python.
    Cold,
    /// The AWS costs of a million people, estimated by running every flow for a smaller number.
    Cost {
        /// The number of people to run the flows for.
        #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(1..10_000))]
        people: u32,
    },
    /// The import of a feed into the embedded stack, until the last SMS is accepted.
    Pipeline {
        /// The number of rows. A run with a tenth of them comes first, to measure how the time
        /// grows.
        #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1000..))]
        rows: u32,
        /// Skip the first run. Both runs together, with a million rows, need 50 GB of disk space.
        #[arg(long)]
        alone: bool,
    },
    /// The throughput of the embedded stack with 64 concurrent callers, in responses per second.
    Status {
        /// The duration per route, in seconds.
        #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..))]
        seconds: u64,
    },
    /// The files that visits to the site load, and its Lighthouse scores.
    Site,
}

/// Installs and builds the programs, measures them and prints the results.
///
/// # Errors
/// If something cannot be installed, built or run. A missed goal is not an error.
pub fn bench(project: &Project, options: &Options) -> Result<()> {
    match options.benchmark {
        Benchmark::Certificate { rounds } => certificate(project, rounds),
        Benchmark::Cold => cold::measure(project),
        Benchmark::Cost { people } => cost(project, people),
        Benchmark::Pipeline { rows, alone } => pipeline::measure(project, rows, alone),
        Benchmark::Status { seconds } => status::measure(project, seconds),
        Benchmark::Site => site::measure(project),
    }
}

fn cost(project: &Project, people: u32) -> Result<()> {
    let mut build = project.command("cargo");
    build.args(["build", "--release", "--package", "bukti-bench-stack"]);
    run::stream(&mut build, "See the compiler's message above.")?;
    let mut bench = project.command(project.target.join("release/bukti-bench-stack"));
    bench.arg("cost").arg(project.root.join("tests/bench/prices.json"));
    bench.arg(project.root.join("infra/template.yaml")).args(["--people", &people.to_string()]);
    run::stream(&mut bench, "See the message above.")
}

/// A program to measure. Its arguments are `leading`, the output folder, the number of rounds, and
/// `trailing`.
struct Runner {
    program: PathBuf,
    leading: Vec<OsString>,
    /// The number of certificates per lap. A third of that number is created beforehand, as a
    /// warm-up.
    rounds: u32,
    trailing: &'static [&'static str],
    variables: Vec<(&'static str, PathBuf)>,
    /// Whether the program waits for all of its child processes, so that their CPU time can be
    /// measured.
    waits_for_children: bool,
}

/// A row of the results table.
struct Row {
    /// The JSON object that the program prints.
    fields: Value,
    /// The program's share of the core's busy time; `None` if it cannot be measured.
    share: Option<f64>,
}

impl Row {
    fn number(&self, name: &str) -> Option<f64> {
        self.fields[name].as_f64()
    }

    fn text(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or_default()
    }

    fn median(&self) -> Result<f64> {
        self.number("median_ms").context("a row has no median_ms")
    }

    /// Whether the row measures a step of the row above it.
    fn is_part(&self) -> bool {
        self.text("who").starts_with(' ')
    }
}

fn certificate(project: &Project, rounds: u32) -> Result<()> {
    let why = "to measure certificates";
    let node = tools::program(project, &["node", "nodejs"], &["nodejs", "npm"], why)?;
    let chromium = tools::chromium(project, why)?;
    let peers = project.root.join("tests/bench/peers");
    let python = tools::venv(project, "venv-bench", &peers.join("python/requirements.txt"))?.join("python");
    let scripts = project.target.join("bench/node");
    tools::refresh_copy(&peers.join("node"), &scripts)?;
    tools::npm_install(project, &scripts)?;
    let mut build = project.command("cargo");
    build.args(["build", "--release", "--package", "bukti-bench"]);
    run::stream(&mut build, "See the compiler's message above.")?;

    let folder = project.target.join("bench/certificate");
    fs::create_dir_all(&folder)?;
    let bukti = project.target.join("release/bukti-bench");
    let rust = |name: &str, rounds| Runner {
        program: bukti.clone(),
        leading: vec![name.into()],
        rounds,
        trailing: &[],
        variables: Vec::new(),
        waits_for_children: true,
    };
    let script = |program: &Path, path: PathBuf, rounds| Runner {
        program: program.to_owned(),
        leading: vec![path.into()],
        rounds,
        trailing: &[],
        variables: Vec::new(),
        waits_for_children: true,
    };
    // The runners are in the order of the table. Bukti runs first, because it writes the data that
    // the others print. The Node program that the goal refers to comes second.
    let runners = [
        rust("certificate", rounds),
        script(&node, scripts.join("certificate.mjs"), 600),
        Runner {
            trailing: &["same"],
            variables: vec![("FONTS", project.root.join("functions/lib/document/fonts"))],
            ..script(&node, scripts.join("certificate.mjs"), 200)
        },
        script(&python, peers.join("python/certificate.py"), 100),
        Runner {
            variables: vec![("CHROMIUM", chromium)],
            waits_for_children: false,
            ..script(&node, scripts.join("chromium.mjs"), 50)
        },
        rust("certificate-naive", 200),
    ];
    let core = Core::choose();
    let mut table: Vec<Vec<Row>> = Vec::new();
    for lap in 1..=LAPS {
        run::print_status(format!("lap {lap} of {LAPS}"));
        for (at, runner) in runners.iter().enumerate() {
            let rows = measure(project, &core, runner, &folder)?;
            match table.get_mut(at) {
                None => table.push(rows),
                Some(best) if rows[0].median()? < best[0].median()? => *best = rows,
                Some(_) => {}
            }
        }
    }
    let rows: Vec<Row> = table.into_iter().flatten().collect();
    core.print();
    run::print_status(format!("a PDF of each program is in {}", project.relative(&folder)));
    print_table(&rows)
}

/// Runs a program on the core and returns the rows that it prints.
fn measure(project: &Project, core: &Core, runner: &Runner, folder: &Path) -> Result<Vec<Row>> {
    let mut command = match core.number {
        Some(number) => {
            let mut command = project.command("taskset");
            command.args(["-c", &number.to_string()]).arg(&runner.program);
            command
        }
        None => project.command(&runner.program),
    };
    command.args(&runner.leading).arg(folder).arg(runner.rounds.to_string()).args(runner.trailing);
    command.envs(runner.variables.iter().map(|(name, value)| (name, value)));
    let before = core.cpu_time();
    let output = run::capture(&mut command, "Run the same command by hand for details.")?;
    let share = before.zip(core.cpu_time()).map(|(before, after)| before.share_until(&after));
    let share = share.filter(|_| runner.waits_for_children);
    let rows = output.lines().map(|line| Ok(Row { fields: serde_json::from_str(line)?, share }));
    let rows = rows.collect::<Result<Vec<_>>>().ok().filter(|rows| !rows.is_empty());
    rows.with_context(|| format!("{} did not print rows of JSON: {output}", runner.program.display()))
}

/// The CPU core on which all programs run.
struct Core {
    /// The number of the core; `None` if `taskset` is not available.
    number: Option<usize>,
}

/// The CPU time since the machine started, in clock ticks.
struct CpuTime {
    /// The busy time of the core.
    core: f64,
    /// The CPU time of this process's finished children and their descendants.
    children: f64,
}

impl Core {
    /// Chooses the last allowed core, because the first one carries most of the system load.
    fn choose() -> Self {
        let number = run::find_program("taskset").and_then(|_| {
            let status = fs::read_to_string("/proc/self/status").ok()?;
            let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
            allowed.trim().rsplit([',', '-']).next()?.parse().ok()
        });
        Self { number }
    }

    fn print(&self) {
        let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("an unknown processor", |(_, name)| name);
        run::print_status(match self.number {
            Some(number) => format!("each program ran on core {number} only, of {model}"),
            None => format!("no program was limited to one core of {model}, because taskset is missing"),
        });
    }

    /// Reads `/proc/stat` and `/proc/self/stat`; see proc(5).
    fn cpu_time(&self) -> Option<CpuTime> {
        let name = format!("cpu{} ", self.number?);
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let ticks: Vec<f64> = stat
            .lines()
            .find_map(|line| line.strip_prefix(&name))?
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        // The sum excludes `idle` and `iowait`, and also guest times, which `user` already
        // includes.
        let core = ticks.iter().take(8).sum::<f64>() - ticks.get(3)? - ticks.get(4)?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, own) = own.rsplit_once(')')?;
        let children =
            own.split_whitespace().skip(13).take(2).filter_map(|number| number.parse::<f64>().ok());
        Some(CpuTime { core, children: children.sum() })
    }
}

impl CpuTime {
    fn share_until(&self, after: &Self) -> f64 {
        ((after.children - self.children) / (after.core - self.core).max(1.0)).clamp(0.0, 1.0)
    }
}

fn print_table(rows: &[Row]) -> Result<()> {
    let mut programs = rows.iter().filter(|row| !row.is_part());
    let bukti = programs.next().context("there is no row of Bukti")?.median()?;
    let node = programs.next().context("there is no row of Node")?.median()?;

    let longest = |name| rows.iter().map(|row| row.text(name).chars().count()).max().unwrap_or_default();
    let (who, what) = (longest("who"), longest("what"));
    println!(
        "\n{:<who$}  {:<what$} {:>9} {:>8} {:>8} {:>6} {:>8} {:>6}",
        "who", "what", "median ms", "p99 ms", "x Bukti", "KB", "largest", "core"
    );
    for row in rows {
        let kilobytes = |name| row.number(name).map(|bytes| format!("{:.1}", bytes / 1000.0));
        let (mut times, mut share) = (None, None);
        if !row.is_part() {
            times = Some(format!("{:.1}", row.median()? / bukti));
            share = row.share.map(|share| format!("{:.0} %", share * 100.0));
        }
        println!(
            "{:<who$}  {:<what$} {:>9} {:>8} {:>8} {:>6} {:>8} {:>6}",
            row.text("who"),
            row.text("what"),
            milliseconds(row.median()?),
            row.number("p99_ms").map(milliseconds).unwrap_or_default(),
            times.unwrap_or_default(),
            kilobytes("bytes").unwrap_or_default(),
            kilobytes("largest").unwrap_or_default(),
            share.unwrap_or_default(),
        );
    }
    if rows.iter().any(|row| row.share.is_some_and(|share| share < MIN_SHARE)) {
        println!("\nOther processes used the core as well (see its column), so some times are too long.");
    }
    let bukti_rows = rows.iter().take_while(|row| std::ptr::eq(*row, &rows[0]) || row.is_part());
    let largest = bukti_rows.filter_map(|row| row.number("largest")).fold(0.0, f64::max);
    let goal = |reached: bool| if reached { "reached" } else { "missed" };
    println!(
        "\ngoals: {GOAL_MS:.2} ms {}, {GOAL_RATIO:.0} times Node {}, {:.0} KB {} (the largest has {:.1})",
        goal(bukti <= GOAL_MS),
        goal(node / bukti >= GOAL_RATIO),
        GOAL_BYTES / 1000.0,
        goal(largest <= GOAL_BYTES),
        largest / 1000.0,
    );
    println!("certificate_ms={bukti:.3} node_ms={node:.2} ratio={:.1}", node / bukti);
    Ok(())
}

/// Formats a time with about three significant digits.
fn milliseconds(ms: f64) -> String {
    match ms {
        ..1.0 => format!("{ms:.3}"),
        1.0..100.0 => format!("{ms:.2}"),
        _ => format!("{ms:.1}"),
    }
}
