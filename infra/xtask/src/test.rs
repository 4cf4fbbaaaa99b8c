//! Runs all checks and tests in stages, as CI does.
//!
//! Each stage installs the programs that it needs. All output goes to the target folder, not to
//! `tests/`.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::stack::{Build, Stack};
use crate::toolchain::Choice;
use crate::{Project, deploy, run, site, supply, tools};

/// Options for Node's test runner. A failed journey that hangs, or that leaves its browser open,
/// must not block the others. The timeout applies to each file and is in milliseconds.
const NODE_OPTIONS: [&str; 3] = ["--test-concurrency=3", "--test-force-exit", "--test-timeout=900000"];

#[derive(Args)]
pub struct Options {
    /// Run only this stage; can be repeated.
    #[arg(long, value_enum, value_name = "STAGE")]
    only: Vec<Stage>,
    /// Run only the stages affected by changes since this revision.
    #[arg(long, value_name = "REV", conflicts_with = "only")]
    since: Option<String>,
    /// Check every certificate of the sample feed instead of every fifth, and import all of its
    /// rows in each file format. Takes a few minutes longer.
    #[arg(long)]
    thorough: bool,
    /// Compile the site with this toolchain only, instead of the first that works.
    #[arg(long, value_enum, value_name = "TOOLCHAIN")]
    wasm_toolchain: Option<Choice>,
}

/// The stages, in the order in which they run: fast ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Stage {
    /// Check the formatting.
    Fmt,
    /// Run the compiler and clippy, with warnings treated as errors.
    Clippy,
    /// Check licences, sources and advisories of dependencies, and find unused dependencies.
    Supply,
    /// Install third-party verifiers and decoders from PyPI and npm, which the journeys call.
    Verifiers,
    /// Compile programs and tests once, for the stages below.
    Build,
    /// Run the Rust tests of each package, and the journeys on the embedded stack.
    Unit,
    /// Test the API against its OpenAPI document, with generated requests.
    Api,
    /// Compile the site to WebAssembly.
    Site,
    /// Run the journeys in Chromium, and some of them also in Firefox and WebKit.
    Browser,
    /// Check the AWS templates, and test the stack in an emulated account.
    Deploy,
    /// Check that responses and response times do not differ between existing and missing records.
    /// Runs only if it is named, because it needs an idle machine.
    Alike,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Supply => "supply",
            Self::Build => "build",
            Self::Unit => "unit",
            Self::Api => "api",
            Self::Site => "site",
            Self::Verifiers => "verifiers",
            Self::Browser => "browser",
            Self::Deploy => "deploy",
            Self::Alike => "alike",
        }
    }

    /// Lists the stages of a run without `--only`.
    fn default_stages() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied().filter(|stage| *stage != Self::Alike)
    }

    /// Installs the missing programs of the stage. Returns an error for each program that cannot be
    /// installed.
    fn install(self, project: &Project) -> Vec<anyhow::Error> {
        let checked = |program: Result<PathBuf>| program.map(drop);
        let results = match self {
            Self::Fmt | Self::Clippy | Self::Build | Self::Site | Self::Alike => Vec::new(),
            Self::Supply => vec![supply::install_tools(project).map(drop)],
            Self::Verifiers => vec![checked(tools::python(project)), checked(node_verifier(project))],
            Self::Unit => vec![
                checked(tools::python(project)),
                checked(node_verifier(project)),
                checked(qpdf(project)),
                checked(pdfinfo(project)),
            ],
            Self::Api => vec![checked(schemathesis(project))],
            Self::Browser => vec![
                checked(node(project)),
                checked(tools::chromium(project, WHY_BROWSER)),
                tools::engines(project, WHY_BROWSER).map(drop),
                checked(tools::python(project)),
            ],
            Self::Deploy => vec![deploy::install_tools(project), checked(tools::python(project))],
        };
        results.into_iter().filter_map(Result::err).collect()
    }

    fn run(self, project: &Project, options: &Options) -> Result<()> {
        match self {
            Self::Fmt => run::stream(
                project.command("cargo").args(["fmt", "--all", "--check"]),
                "Run `cargo fmt --all` to fix it.",
            ),
            Self::Clippy => {
                let mut clippy = project.command("cargo");
                clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
                run::stream(&mut clippy, "Fix the warnings above.")
            }
            Self::Supply => supply::check(project),
            Self::Build => build_all(project),
            Self::Unit => {
                build_all(project)?;
                let mut tests = project.command("cargo");
                tests.args(["test", "--workspace"]).env("BUKTI_PYTHON", tools::python(project)?);
                if options.thorough {
                    tests.env("BUKTI_THOROUGH", "1");
                }
                // Journeys spend half of their time waiting for their stack.
                let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
                tests.env("RUST_TEST_THREADS", (2 * cores).to_string());
                tests.env("BUKTI_SKIPPED", project.target.join("left-out.txt"));
                tests.env("BUKTI_TIMES", project.target.join("times.txt")).env("BUKTI_IS_BUILT", "1");
                tests.env("BUKTI_NODE_VERIFIER", node_verifier(project)?);
                tests.env("BUKTI_QPDF", qpdf(project)?).env("BUKTI_PDFINFO", pdfinfo(project)?);
                run::stream(&mut tests, "Failures are listed above; `cargo test NAME` runs one test.")
            }
            Self::Api => api(project),
            Self::Site => built_site(project, options).map(drop),
            Self::Verifiers => tools::python(project).and(node_verifier(project)).map(drop),
            Self::Browser => browser(project, options),
            Self::Deploy => deploy::check(project),
            Self::Alike => {
                let mut test = project.command("cargo");
                test.args([
                    "test",
                    "--workspace",
                    "--test",
                    "alike",
                    "--",
                    "--include-ignored",
                    "--nocapture",
                ]);
                test.arg("--test-threads=1");
                run::stream(
                    &mut test,
                    "The differences are listed above. Stop other programs on this machine and run it again.",
                )
            }
        }
    }
}

/// Runs the stages until one fails, then prints the duration of each.
///
/// # Errors
/// If programs cannot be installed, or if a stage fails.
pub fn test(project: &Project, options: &Options) -> Result<()> {
    let chosen: BTreeSet<Stage> = match (&options.since, options.only.as_slice()) {
        (Some(revision), _) => affected_stages(&changed_files(project, revision)?),
        (None, []) => Stage::default_stages().collect(),
        (None, only) => only.iter().copied().collect(),
    };
    // Programs are installed before all stages, so that a missing one is reported at once rather
    // than after half an hour.
    let missing: BTreeSet<String> =
        chosen.iter().flat_map(|stage| stage.install(project)).map(|error| format!("{error:#}")).collect();
    if !missing.is_empty() {
        bail!("cannot install some programs:\n  {}", missing.into_iter().collect::<Vec<_>>().join("\n  "));
    }
    // Tests append a line to `skipped` when they skip a check, and a line with their duration to
    // `times` when they start a stack.
    let (skipped, times) = (project.target.join("left-out.txt"), project.target.join("times.txt"));
    for list in [&skipped, &times] {
        let _ = fs::remove_file(list);
    }
    let mut rows = Vec::new();
    let mut failure = None;
    for stage in chosen {
        eprintln!("\n{}", run::paint("1", &format!("== {} ==", stage.name())));
        let began = Instant::now();
        let result = stage.run(project, options);
        let seconds = began.elapsed().as_secs_f32();
        rows.push((stage, seconds, result.is_ok()));
        match result {
            Ok(()) => eprintln!("{}", run::paint("2", &format!("{} passed in {seconds:.0} s", stage.name()))),
            Err(error) => {
                let name = stage.name();
                let advice = format!("run `cargo xtask test --only {name}` to repeat it");
                failure = Some(error.context(format!("stage {name} failed; {advice}")));
                break;
            }
        }
    }
    eprintln!("\n{:<10}{:>8}", "stage", "seconds");
    for (stage, seconds, passed) in &rows {
        eprintln!("{:<10}{seconds:>8.0}  {}", stage.name(), if *passed { "passed" } else { "FAILED" });
    }
    print_slowest(&fs::read_to_string(&times).unwrap_or_default());
    let skipped = fs::read_to_string(&skipped).unwrap_or_default();
    let skipped: BTreeSet<&str> = skipped.lines().collect();
    for test in &skipped {
        eprintln!("skipped: {test}");
    }
    if !skipped.is_empty() {
        eprintln!("{} tests skipped some or all of their checks, for the reasons above", skipped.len());
    }
    failure.map_or(Ok(()), Err)
}

/// Prints the 20 slowest tests that start a stack. Each line of `times` has a duration in seconds
/// and a test name.
fn print_slowest(times: &str) {
    let mut times: Vec<(f32, &str)> = times
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(seconds, test)| Some((seconds.parse().ok()?, test)))
        .collect();
    times.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !times.is_empty() {
        eprintln!("\nthe slowest tests, in seconds (tests run concurrently)");
    }
    for (seconds, test) in times.iter().take(20) {
        eprintln!("{seconds:>8.0}  {test}");
    }
}

/// Lists untracked files and the files that differ from a revision.
fn changed_files(project: &Project, revision: &str) -> Result<Vec<String>> {
    let git = |arguments: &[&str]| {
        let mut git = project.command("git");
        run::capture(git.args(arguments), "Check that it is a revision of this repository.")
    };
    let changed = git(&["diff", "--name-only", "--end-of-options", revision])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    Ok(changed.lines().chain(new.lines()).map(str::to_owned).collect())
}

/// Returns the stages affected by the changed files: all stages, unless a file is in a folder that
/// only some stages use.
fn affected_stages(files: &[String]) -> BTreeSet<Stage> {
    let stages_of = |file: &String| match file.as_str() {
        file if file.ends_with(".md") => vec![Stage::Unit],
        file if file.starts_with("tests/browser/") => vec![Stage::Browser],
        file if file.starts_with("tests/api/") => vec![Stage::Api],
        file if file.starts_with("tests/deploy/") => vec![Stage::Deploy],
        file if file.starts_with("site/") => {
            vec![
                Stage::Fmt,
                Stage::Clippy,
                Stage::Supply,
                Stage::Build,
                Stage::Unit,
                Stage::Site,
                Stage::Browser,
            ]
        }
        _ => Stage::default_stages().collect(),
    };
    files.iter().flat_map(stages_of).collect()
}

const WHY_BROWSER: &str = "for the browser tests";

fn node(project: &Project) -> Result<PathBuf> {
    tools::program(project, &["node", "nodejs"], &["nodejs", "npm"], WHY_BROWSER)
}

fn qpdf(project: &Project) -> Result<PathBuf> {
    tools::program(project, &["qpdf"], &["qpdf"], "to check the printed certificates")
}

fn pdfinfo(project: &Project) -> Result<PathBuf> {
    tools::program(project, &["pdfinfo"], &["poppler-utils"], "to check the printed certificates")
}

fn schemathesis(project: &Project) -> Result<PathBuf> {
    tools::venv(project, "venv-api", &project.root.join("tests/requirements-api.txt"))
}

/// Installs the third-party verifier for Node. Returns the path of its script.
fn node_verifier(project: &Project) -> Result<PathBuf> {
    tools::program(project, &["node"], &["nodejs", "npm"], "for the third-party verifier")?;
    let work = project.target.join("verify");
    tools::refresh_copy(&project.root.join("tests/verify"), &work)?;
    tools::npm_install(project, &work)?;
    Ok(work.join("hcert.mjs"))
}

/// Tests the API of the embedded stack with schemathesis, which generates valid and invalid
/// requests from `/api/openapi.json`.
fn api(project: &Project) -> Result<()> {
    let bin = schemathesis(project)?;
    build_all(project)?;
    let (source, folder) = (project.root.join("tests/api"), project.target.join("api"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let (data, no_site) = (folder.join("data"), folder.join("site"));
    for empty in [&data, &no_site] {
        fs::create_dir_all(empty)?;
    }
    let stack = Stack::start(project, Build::Debug, &data, Some(&no_site), &folder.join("bukti-local.log"))?;
    let mut import = project.command(project.target.join("debug/bukti"));
    import.args(["import", "--endpoint", &stack.url]).arg(source.join("feed.csv"));
    run::capture(&mut import, "Check the feed and the log of the stack.")?;
    let mut add_key = project.command(project.target.join("debug/bukti"));
    add_key.args(["api-key", "create", "--hub", "api", "--endpoint", &stack.url]);
    let key = run::capture(&mut add_key, "Check the log of the stack.")?;
    let mut schemathesis = project.command(bin.join("st"));
    schemathesis.current_dir(&folder).env("PYTHONPATH", &source).env("PYTHONDONTWRITEBYTECODE", "1");
    schemathesis.env("SCHEMATHESIS_HOOKS", "hooks").env("BUKTI_URL", &stack.url).env("BUKTI_KEY", key.trim());
    schemathesis.arg("--config-file").arg(source.join("schemathesis.toml"));
    schemathesis.args(["run", "--workers=2", "--max-examples=60", "--continue-on-failure"]);
    schemathesis.arg(format!("{}/api/openapi.json", stack.url));
    run::stream(
        &mut schemathesis,
        &format!("See the failures above and the log of the stack: {}.", project.relative(&stack.log)),
    )
}

/// Builds the site, rendering its pages with the program that [`build_all`] compiles.
fn built_site(project: &Project, options: &Options) -> Result<PathBuf> {
    build_all(project)?;
    site::build_with(project, options.wasm_toolchain, |project| Ok(site::program(project)))
}

/// Builds programs and tests together, so that packages have the same features as in `cargo test`
/// and are not recompiled.
fn build_all(project: &Project) -> Result<()> {
    let mut build = project.command("cargo");
    build.args(["build", "--workspace", "--bins", "--tests"]);
    run::stream(&mut build, "See the compiler's message above.")
}

/// Runs the browser journeys against an embedded stack without data.
fn browser(project: &Project, options: &Options) -> Result<()> {
    let node = node(project)?;
    let chromium = tools::chromium(project, WHY_BROWSER)?;
    let engines = tools::engines(project, WHY_BROWSER)?;
    let python = tools::python(project)?;
    let site = built_site(project, options)?;

    // Node resolves packages relative to the importing script, so the journeys run from a copy next
    // to the installed packages.
    let source = project.root.join("tests/browser");
    let folder = project.target.join("browser");
    let work = folder.join("journeys");
    tools::refresh_copy(&source, &work)?;
    let journeys = journey_files(&work)?;
    if journeys.is_empty() {
        bail!("{} has no *.test.mjs", project.relative(&source));
    }
    tools::npm_install(project, &work)?;
    let artifacts = folder.join("screenshots");
    let data = folder.join("data");
    for folder in [&artifacts, &data] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }

    let stack = Stack::start(project, Build::Debug, &data, Some(&site), &folder.join("bukti-local.log"))?;
    run::print_status(format!("the stack runs at {}", stack.url));
    let mut tests = project.command(&node);
    tests.current_dir(&work).arg("--test");
    // Node in Debian 12 supports none of these options.
    let help = run::capture(project.command(&node).arg("--help"), "")?;
    tests
        .args(NODE_OPTIONS.iter().filter(|option| help.contains(option.split('=').next().unwrap_or(option))));
    tests.args(&journeys);
    tests.env("BUKTI_URL", &stack.url).env("BUKTI_DATA", &data).env("BUKTI_ROOT", &project.root);
    tests.env("BUKTI_CLI", project.target.join("debug/bukti")).envs(engines);
    tests.env("BUKTI_PYTHON", python).env("CHROMIUM", chromium).env("ARTIFACTS", &artifacts);
    let feed = project.root.join("../shared/data/satudata");
    match feed.canonicalize() {
        Ok(feed) => tests.env("BUKTI_FEED", feed),
        Err(_) => tests.env_remove("BUKTI_FEED"),
    };
    let log = project.relative(&stack.log).to_string();
    let pictures = project.relative(&artifacts);
    run::stream(
        &mut tests,
        &format!("See the failures above, the log of the stack ({log}) and the screenshots in {pictures}."),
    )
}

/// Lists the file names of the journeys in a folder.
fn journey_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut journeys: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter(|name| name.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    journeys.sort();
    Ok(journeys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_only_the_stages_affected_by_changes() {
        let stages = |files: &[&str]| {
            affected_stages(&files.iter().map(|file| (*file).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(stages(&[]), BTreeSet::new());
        assert_eq!(stages(&["README.md", "tests/api/hooks.py"]), BTreeSet::from([Stage::Unit, Stage::Api]));
        assert!(stages(&["site/src/lib.rs"]).contains(&Stage::Browser));
        assert_eq!(stages(&["functions/lib/store/src/table/doses.rs"]), Stage::default_stages().collect());
    }
}
