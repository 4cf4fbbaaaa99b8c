//! Measures Bukti, beside others that do the like: certificates all on one core, by turns; functions that start; feeds; many who
//! ask; the site in a browser; what AWS takes for it.
//!
//! What is measured is in `tests/bench`: Bukti and plain Rust in its programs, the others in `peers/`. Packages and
//! what the runs write are under the target folder.

mod cold;
mod people;
mod pipeline;
mod site;
mod status;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand, value_parser};
use serde_json::Value;

use crate::{Project, run, tools};

/// One certificate takes at most so many milliseconds …
const GOAL_MS: f64 = 0.30;
/// … and Node at least so many times as long …
const GOAL_RATIO: f64 = 24.0;
/// … and its PDF has at most so many bytes.
const GOAL_BYTES: f64 = 25_000.0;
/// All run by turns, so that none has the quiet time alone; of each the quickest lap counts.
const LAPS: usize = 3;
/// Where a program had less than this part of the core's work, its times say little.
const UNDISTURBED: f64 = 0.9;

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One certificate from dose to PDF, beside Node, Python, Chromium and plain Rust.
    Certificate {
        /// How many certificates Bukti makes in each of three laps. The others have their own numbers.
        #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// From the start of a function's process to its first answer, beside Node and Python.
    Cold,
    /// What AWS takes for a million people, by walking some through everything.
    Cost {
        /// How many people are measured.
        #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(1..10_000))]
        people: u32,
    },
    /// A feed through everything, until its last SMS is accepted, on the embedded stack.
    Pipeline {
        /// How many rows; a tenth of them before, to see how time grows.
        #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1000..))]
        rows: u32,
        /// Without the tenth: a million rows and a tenth of them are 50 GB on the disk.
        #[arg(long)]
        alone: bool,
    },
    /// Answers a second at the embedded stack, to 64 who ask at once.
    Status {
        /// How many seconds each route is asked for.
        #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..))]
        seconds: u64,
    },
    /// What a visit to the site loads, and what Lighthouse says of it.
    Site,
}

/// Installs what is compared, builds, measures and prints.
///
/// # Errors
/// When something cannot be installed, built or run. A goal that is missed is none.
pub fn bench(project: &Project, options: &Options) -> Result<()> {
    match options.what {
        What::Certificate { rounds } => certificate(project, rounds),
        What::Cold => cold::measure(project),
        What::Cost { people } => cost(project, people),
        What::Pipeline { rows, alone } => pipeline::measure(project, rows, alone),
        What::Status { seconds } => status::measure(project, seconds),
        What::Site => site::measure(project),
    }
}

fn cost(project: &Project, people: u32) -> Result<()> {
    let mut build = project.command("cargo");
    build.args(["build", "--release", "--package", "bukti-bench-stack"]);
    run::stream(&mut build, "The compiler's message above says where.")?;
    let mut bench = project.command(project.target.join("release/bukti-bench-stack"));
    bench.arg("cost").arg(project.root.join("tests/bench/prices.json"));
    bench.arg(project.root.join("infra/template.yaml")).args(["--people", &people.to_string()]);
    run::stream(&mut bench, "The message above says what did not go as it should.")
}

/// A program to measure.
struct Runner {
    program: PathBuf,
    /// What stands before folder and rounds.
    before: Vec<OsString>,
    /// How often in each lap; before that a third as often to warm up.
    rounds: u32,
    /// What stands behind them.
    behind: &'static [&'static str],
    variables: Vec<(&'static str, PathBuf)>,
    /// Whether it waits for all its processes, so that their work can be told from that of others.
    counted: bool,
}

/// A row of the table.
struct Row {
    /// What its program says of it.
    said: Value,
    /// Which part of the core's work was the program's, where the machine tells.
    share: Option<f64>,
}

impl Row {
    fn number(&self, name: &str) -> Option<f64> {
        self.said[name].as_f64()
    }

    fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap_or_default()
    }

    fn median(&self) -> Result<f64> {
        self.number("median_ms").context("a row without a time")
    }

    /// Whether it is a part of the row above.
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
    tools::renew_copy(&peers.join("node"), &scripts)?;
    tools::npm_install(project, &scripts)?;
    let mut build = project.command("cargo");
    build.args(["build", "--release", "--package", "bukti-bench"]);
    run::stream(&mut build, "The compiler's message above says where.")?;

    let folder = project.target.join("bench/certificate");
    fs::create_dir_all(&folder)?;
    let bukti = project.target.join("release/bukti-bench");
    let rust = |name: &str, rounds| Runner {
        program: bukti.clone(),
        before: vec![name.into()],
        rounds,
        behind: &[],
        variables: Vec::new(),
        counted: true,
    };
    let script = |program: &Path, path: PathBuf, rounds| Runner {
        program: program.to_owned(),
        before: vec![path.into()],
        rounds,
        behind: &[],
        variables: Vec::new(),
        counted: true,
    };
    // The order of the table: Bukti first, since it writes what the others print, then the Node path that the goal is
    // about.
    let runners = [
        rust("certificate", rounds),
        script(&node, scripts.join("certificate.mjs"), 600),
        Runner {
            behind: &["same"],
            variables: vec![("FONTS", project.root.join("functions/lib/document/fonts"))],
            ..script(&node, scripts.join("certificate.mjs"), 200)
        },
        script(&python, peers.join("python/certificate.py"), 100),
        Runner {
            variables: vec![("CHROMIUM", chromium)],
            counted: false,
            ..script(&node, scripts.join("chromium.mjs"), 50)
        },
        rust("certificate-naive", 200),
    ];
    let core = Core::choose();
    let mut table: Vec<Vec<Row>> = Vec::new();
    for lap in 1..=LAPS {
        run::say(format!("lap {lap} of {LAPS}"));
        for (at, runner) in runners.iter().enumerate() {
            let rows = measured(project, &core, runner, &folder)?;
            match table.get_mut(at) {
                None => table.push(rows),
                Some(best) if rows[0].median()? < best[0].median()? => *best = rows,
                Some(_) => {}
            }
        }
    }
    let rows: Vec<Row> = table.into_iter().flatten().collect();
    core.say();
    run::say(format!("a PDF of each is in {}", project.show(&folder)));
    print(&rows)
}

/// Runs a program on the core and gives the rows that it prints.
fn measured(project: &Project, core: &Core, runner: &Runner, folder: &Path) -> Result<Vec<Row>> {
    let mut command = match core.number {
        Some(number) => {
            let mut command = project.command("taskset");
            command.args(["-c", &number.to_string()]).arg(&runner.program);
            command
        }
        None => project.command(&runner.program),
    };
    command.args(&runner.before).arg(folder).arg(runner.rounds.to_string()).args(runner.behind);
    command.envs(runner.variables.iter().map(|(name, value)| (name, value)));
    let before = core.work();
    let said = run::capture(&mut command, "Does the same command by hand say more?")?;
    let share = before.zip(core.work()).map(|(before, after)| before.share_until(&after));
    let share = share.filter(|_| runner.counted);
    let rows = said.lines().map(|line| Ok(Row { said: serde_json::from_str(line)?, share }));
    let rows = rows.collect::<Result<Vec<_>>>().ok().filter(|rows| !rows.is_empty());
    rows.with_context(|| format!("{} did not print rows: {said}", runner.program.display()))
}

/// The core that all programs run on.
struct Core {
    /// Its number, where there is a way to keep to it.
    number: Option<usize>,
}

/// Work since the machine started, in ticks of the clock.
struct Work {
    /// Of the core.
    core: f64,
    /// Of the programs that were started here and have ended, and theirs.
    ours: f64,
}

impl Core {
    /// The last core that is ours to use: the first has most of the machine's own work.
    fn choose() -> Self {
        let number = run::found("taskset").and_then(|_| {
            let status = fs::read_to_string("/proc/self/status").ok()?;
            let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
            allowed.trim().rsplit([',', '-']).next()?.parse().ok()
        });
        Self { number }
    }

    fn say(&self) {
        let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("an unknown processor", |(_, name)| name);
        run::say(match self.number {
            Some(number) => format!("each program ran on core {number} alone, of {model}"),
            None => format!("there is no taskset here, so no program was kept to one core of {model}"),
        });
    }

    /// See proc(5), `/proc/stat` and `/proc/PID/stat`.
    fn work(&self) -> Option<Work> {
        let name = format!("cpu{} ", self.number?);
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let ticks: Vec<f64> = stat
            .lines()
            .find_map(|line| line.strip_prefix(&name))?
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        // All but the fourth and fifth, in which it was idle, and guests, who are counted as users too.
        let core = ticks.iter().take(8).sum::<f64>() - ticks.get(3)? - ticks.get(4)?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, own) = own.rsplit_once(')')?;
        let ours = own.split_whitespace().skip(13).take(2).filter_map(|number| number.parse::<f64>().ok());
        Some(Work { core, ours: ours.sum() })
    }
}

impl Work {
    fn share_until(&self, after: &Self) -> f64 {
        ((after.ours - self.ours) / (after.core - self.core).max(1.0)).clamp(0.0, 1.0)
    }
}

fn print(rows: &[Row]) -> Result<()> {
    let mut wholes = rows.iter().filter(|row| !row.is_part());
    let bukti = wholes.next().context("no row of Bukti")?.median()?;
    let node = wholes.next().context("no row of Node")?.median()?;

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
    if rows.iter().any(|row| row.share.is_some_and(|share| share < UNDISTURBED)) {
        println!("\nOthers worked on the core as well (see its column): some times are too long.");
    }
    let ours = rows.iter().take_while(|row| std::ptr::eq(*row, &rows[0]) || row.is_part());
    let largest = ours.filter_map(|row| row.number("largest")).fold(0.0, f64::max);
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

/// To three digits or so.
fn milliseconds(ms: f64) -> String {
    match ms {
        ..1.0 => format!("{ms:.3}"),
        1.0..100.0 => format!("{ms:.2}"),
        _ => format!("{ms:.1}"),
    }
}
