//! Checks and tests everything, in stages, as CI does.
//!
//! A stage installs what it lacks. What the stages write is under the target folder; `tests/` itself stays
//! clean.

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

/// All journeys share one stack, so one file runs after the other. A journey that fails and leaves its
/// browser open, or waits for good, must not hold up the rest; the limit, in milliseconds, is for a whole
/// file.
const NODE_OPTIONS: [&str; 3] = ["--test-concurrency=3", "--test-force-exit", "--test-timeout=900000"];

#[derive(Args)]
pub struct Options {
    /// Run only this stage; may be given several times.
    #[arg(long, value_enum, value_name = "STAGE")]
    only: Vec<Stage>,
    /// Run only the stages that what has changed since this revision concerns.
    #[arg(long, value_name = "REV", conflicts_with = "only")]
    since: Option<String>,
    /// Check every certificate of the sample feed instead of every fifth, and import all its rows in each
    /// file format, which takes some minutes more.
    #[arg(long)]
    thorough: bool,
    /// Compile the site with this toolchain only, instead of the first that works.
    #[arg(long, value_enum, value_name = "TOOLCHAIN")]
    wasm_toolchain: Option<Choice>,
}

/// The stages, in the order in which they run: the quick ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Stage {
    /// The formatting.
    Fmt,
    /// Compiler and clippy, without a warning.
    Clippy,
    /// Licences, sources and advisories of what comes from elsewhere, and what of it nobody uses.
    Supply,
    /// Verifiers and decoders that the journeys call and that are not ours, from PyPI and npm.
    Verifiers,
    /// Programs and tests, compiled once for the stages below.
    Build,
    /// Tests in Rust: of each package and the journeys on the embedded stack.
    Unit,
    /// The API against its own document, with made-up requests.
    Api,
    /// The site compiles to WebAssembly.
    Site,
    /// Journeys in Chromium, and what must work in every engine in Firefox and WebKit as well.
    Browser,
    /// The templates for AWS, and the whole stack deployed to an emulated account.
    Deploy,
    /// Answers and times by which nobody can tell who is known. Only where it is named: it needs a quiet machine.
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

    /// The stages of a whole run.
    fn usual() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied().filter(|stage| *stage != Self::Alike)
    }

    /// Installs what it lacks of other programs; says of each that cannot be installed why.
    fn install(self, project: &Project) -> Vec<anyhow::Error> {
        let found = |program: Result<PathBuf>| program.map(drop);
        let of = match self {
            Self::Fmt | Self::Clippy | Self::Build | Self::Site | Self::Alike => Vec::new(),
            Self::Supply => vec![supply::tools(project).map(drop)],
            Self::Verifiers => vec![found(tools::python(project)), found(node_verifier(project))],
            Self::Unit => vec![
                found(tools::python(project)),
                found(node_verifier(project)),
                found(qpdf(project)),
                found(pdfinfo(project)),
            ],
            Self::Api => vec![found(schemathesis(project))],
            Self::Browser => vec![
                found(node(project)),
                found(tools::chromium(project, WHY_BROWSER)),
                tools::engines(project, WHY_BROWSER).map(drop),
                found(tools::python(project)),
            ],
            Self::Deploy => vec![deploy::tools(project), found(tools::python(project))],
        };
        of.into_iter().filter_map(Result::err).collect()
    }

    fn run(self, project: &Project, options: &Options) -> Result<()> {
        match self {
            Self::Fmt => run::stream(
                project.command("cargo").args(["fmt", "--all", "--check"]),
                "Run `cargo fmt --all` to mend it.",
            ),
            Self::Clippy => {
                let mut clippy = project.command("cargo");
                clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
                run::stream(&mut clippy, "Clippy's messages above say where.")
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
                // A journey spends half of its time waiting for its stack.
                let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
                tests.env("RUST_TEST_THREADS", (2 * cores).to_string());
                tests.env("BUKTI_LEFT_OUT", project.target.join("left-out.txt"));
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
                run::stream(&mut test, "What differs is listed above; end what else runs here and try again.")
            }
        }
    }
}

/// Runs the stages up to the first that fails and prints what each took.
///
/// # Errors
/// The first failure.
pub fn test(project: &Project, options: &Options) -> Result<()> {
    let chosen: BTreeSet<Stage> = match (&options.since, options.only.as_slice()) {
        (Some(revision), _) => concerned(&changed(project, revision)?),
        (None, []) => Stage::usual().collect(),
        (None, only) => only.iter().copied().collect(),
    };
    // First, so that nobody waits for half an hour to hear of it.
    let lacking: BTreeSet<String> =
        chosen.iter().flat_map(|stage| stage.install(project)).map(|error| format!("{error:#}")).collect();
    if !lacking.is_empty() {
        bail!("this is missing:\n  {}", lacking.into_iter().collect::<Vec<_>>().join("\n  "));
    }
    // Each test that is left out adds a line, and each test that starts a stack one with its time.
    let (left_out, times) = (project.target.join("left-out.txt"), project.target.join("times.txt"));
    for list in [&left_out, &times] {
        let _ = fs::remove_file(list);
    }
    let mut rows = Vec::new();
    let mut failure = None;
    for stage in chosen {
        eprintln!("\n{}", run::paint("1", &format!("== {} ==", stage.name())));
        let began = Instant::now();
        let done = stage.run(project, options);
        let seconds = began.elapsed().as_secs_f32();
        rows.push((stage, seconds, done.is_ok()));
        match done {
            Ok(()) => eprintln!("{}", run::paint("2", &format!("{} passed in {seconds:.0} s", stage.name()))),
            Err(error) => {
                let alone = format!("`cargo xtask test --only {}`", stage.name());
                failure = Some(error.context(format!("stage {} failed (it alone: {alone})", stage.name())));
                break;
            }
        }
    }
    eprintln!("\n{:<10}{:>8}", "stage", "seconds");
    for (stage, seconds, passed) in &rows {
        eprintln!("{:<10}{seconds:>8.0}  {}", stage.name(), if *passed { "passed" } else { "FAILED" });
    }
    print_slowest(&fs::read_to_string(&times).unwrap_or_default());
    let left_out = fs::read_to_string(&left_out).unwrap_or_default();
    let left_out: BTreeSet<&str> = left_out.lines().collect();
    for test in &left_out {
        eprintln!("left out: {test}");
    }
    if !left_out.is_empty() {
        eprintln!("{} tests did not do all their part, for want of what is named", left_out.len());
    }
    failure.map_or(Ok(()), Err)
}

/// Prints the 20 slowest of the tests that start a stack; each line is seconds and name.
fn print_slowest(times: &str) {
    let mut times: Vec<(f32, &str)> = times
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(seconds, test)| Some((seconds.parse().ok()?, test)))
        .collect();
    times.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !times.is_empty() {
        eprintln!("\nthe slowest tests, in seconds beside others");
    }
    for (seconds, test) in times.iter().take(20) {
        eprintln!("{seconds:>8.0}  {test}");
    }
}

/// The files that differ from a revision, and those that git does not know.
fn changed(project: &Project, revision: &str) -> Result<Vec<String>> {
    let git = |arguments: &[&str]| {
        let mut git = project.command("git");
        run::capture(git.args(arguments), "Is that a revision of this repository?")
    };
    let changed = git(&["diff", "--name-only", "--end-of-options", revision])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    Ok(changed.lines().chain(new.lines()).map(str::to_owned).collect())
}

/// The stages that files concern: of folders that only some stages read those, of others all.
fn concerned(files: &[String]) -> BTreeSet<Stage> {
    let of = |file: &String| match file.as_str() {
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
        _ => Stage::usual().collect(),
    };
    files.iter().flat_map(of).collect()
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

/// The verifier on Node, a copy beside its packages; gives its script.
fn node_verifier(project: &Project) -> Result<PathBuf> {
    tools::program(project, &["node"], &["nodejs", "npm"], "for the verifier from npm")?;
    let work = project.target.join("verify");
    tools::renew_copy(&project.root.join("tests/verify"), &work)?;
    tools::npm_install(project, &work)?;
    Ok(work.join("hcert.mjs"))
}

/// The API of the embedded stack, asked by schemathesis: right requests and wrong ones, made from `/api/openapi.json`.
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
    run::capture(&mut import, "Is the feed right?")?;
    let mut add_key = project.command(project.target.join("debug/bukti"));
    add_key.args(["key", "add", "--hub", "api", "--endpoint", &stack.url]);
    let key = run::capture(&mut add_key, "Is the stack's log right?")?;
    let mut schemathesis = project.command(bin.join("st"));
    schemathesis.current_dir(&folder).env("PYTHONPATH", &source).env("PYTHONDONTWRITEBYTECODE", "1");
    schemathesis.env("SCHEMATHESIS_HOOKS", "hooks").env("BUKTI_URL", &stack.url).env("BUKTI_KEY", key.trim());
    schemathesis.arg("--config-file").arg(source.join("schemathesis.toml"));
    schemathesis.args(["run", "--workers=2", "--max-examples=60", "--continue-on-failure"]);
    schemathesis.arg(format!("{}/api/openapi.json", stack.url));
    run::stream(
        &mut schemathesis,
        &format!("See the failures above and the stack's log {}.", project.show(&stack.log)),
    )
}

/// Builds the site, its pages by the program that is compiled for all stages.
fn built_site(project: &Project, options: &Options) -> Result<PathBuf> {
    build_all(project)?;
    site::build_with(project, options.wasm_toolchain, |project| Ok(site::program(project)))
}

/// Builds the programs together with the test targets: the packages then have the features that they
/// have in `cargo test`, and nothing is compiled twice.
fn build_all(project: &Project) -> Result<()> {
    let mut build = project.command("cargo");
    build.args(["build", "--workspace", "--bins", "--tests"]);
    run::stream(&mut build, "The compiler's message above says where.")
}

/// The journeys in a browser, against the embedded stack with fresh data.
fn browser(project: &Project, options: &Options) -> Result<()> {
    let node = node(project)?;
    let chromium = tools::chromium(project, WHY_BROWSER)?;
    let engines = tools::engines(project, WHY_BROWSER)?;
    let python = tools::python(project)?;
    let site = built_site(project, options)?;

    // Node looks for packages beside the script that imports them, so the journeys run from a copy.
    let source = project.root.join("tests/browser");
    let folder = project.target.join("browser");
    let work = folder.join("journeys");
    tools::renew_copy(&source, &work)?;
    let journeys = journeys_in(&work)?;
    if journeys.is_empty() {
        bail!("{} has no *.test.mjs", project.show(&source));
    }
    tools::npm_install(project, &work)?;
    let artifacts = folder.join("screenshots");
    let data = folder.join("data");
    for made_by_last_run in [&artifacts, &data] {
        if made_by_last_run.exists() {
            fs::remove_dir_all(made_by_last_run)?;
        }
        fs::create_dir_all(made_by_last_run)?;
    }

    let stack = Stack::start(project, Build::Debug, &data, Some(&site), &folder.join("bukti-local.log"))?;
    run::say(format!("the stack runs at {}", stack.url));
    let mut tests = project.command(&node);
    tests.current_dir(&work).arg("--test");
    // Debian 12's node knows none of these options.
    let known = run::capture(project.command(&node).arg("--help"), "")?;
    tests.args(
        NODE_OPTIONS.iter().filter(|option| known.contains(option.split('=').next().unwrap_or(option))),
    );
    tests.args(&journeys);
    tests.env("BUKTI_URL", &stack.url).env("BUKTI_DATA", &data).env("BUKTI_ROOT", &project.root);
    tests.env("BUKTI_CLI", project.target.join("debug/bukti")).envs(engines);
    tests.env("BUKTI_PYTHON", python).env("CHROMIUM", chromium).env("ARTIFACTS", &artifacts);
    let feed = project.root.join("../shared/data/satudata");
    match feed.canonicalize() {
        Ok(feed) => tests.env("BUKTI_FEED", feed),
        Err(_) => tests.env_remove("BUKTI_FEED"),
    };
    let log = project.show(&stack.log).to_string();
    let pictures = project.show(&artifacts);
    run::stream(
        &mut tests,
        &format!("See the failures above, the stack's log {log} and the pictures in {pictures}."),
    )
}

/// The names of the files of journeys in a folder.
fn journeys_in(folder: &Path) -> Result<Vec<PathBuf>> {
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
    fn only_what_a_change_concerns_is_run() {
        let of = |files: &[&str]| concerned(&files.iter().map(|file| (*file).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), BTreeSet::new());
        assert_eq!(of(&["README.md", "tests/api/hooks.py"]), BTreeSet::from([Stage::Unit, Stage::Api]));
        assert!(of(&["site/src/lib.rs"]).contains(&Stage::Browser));
        assert_eq!(of(&["functions/lib/store/src/table/doses.rs"]), Stage::usual().collect());
    }
}
