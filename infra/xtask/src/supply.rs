//! Checks the supply chain: licences, sources and advisories of dependencies (rules in
//! `.cargo/deny.toml`), unused dependencies, and the SBOM.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Project, run, sbom, tools};

/// The time limit for fetching the advisory database.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Finds or installs cargo-deny and cargo-machete.
///
/// # Errors
/// If either cannot be installed.
pub fn install_tools(project: &Project) -> Result<(PathBuf, PathBuf)> {
    let deny = tools::cargo_install(project, "cargo-deny", "to check licences, sources and advisories")?;
    Ok((deny, tools::cargo_install(project, "cargo-machete", "to find unused dependencies")?))
}

/// Runs all supply-chain checks.
///
/// # Errors
/// If a tool cannot be installed or reports a problem. If the advisories cannot be fetched, only a
/// warning is printed.
pub fn check(project: &Project) -> Result<()> {
    let (cargo_deny, machete) = install_tools(project)?;
    let config = project.root.join(".cargo/deny.toml");
    let deny = |manifest: &str, checks: &[&str]| {
        let mut command = project.command(&cargo_deny);
        // Offline, because packages and advisories are fetched separately below.
        command.arg("--offline").arg("--manifest-path").arg(project.root.join(manifest));
        command.arg("--config").arg(&config).args(["check", "--hide-inclusion-graph"]).args(checks);
        command
    };
    let remedy = "See .cargo/deny.toml for the rules and the reason of each exception.";
    for manifest in ["Cargo.toml", "tests/fuzz/Cargo.toml"] {
        // This also fetches packages for other platforms, which no build on this machine has
        // fetched.
        let mut fetch = project.command("cargo");
        fetch.args(["fetch", "--locked", "--quiet", "--manifest-path"]).arg(project.root.join(manifest));
        run::stream(&mut fetch, "Check that crates.io is reachable.")?;
    }
    run::stream(&mut deny("Cargo.toml", &["bans", "licenses", "sources"]), remedy)?;
    // Fuzz targets are not distributed, so only the sources of their dependencies are checked.
    run::stream(&mut deny("tests/fuzz/Cargo.toml", &["sources"]), remedy)?;
    if fetch_advisories(project, project.command(&cargo_deny)) {
        let mut advisories = deny("Cargo.toml", &["advisories"]);
        run::stream(
            &mut advisories,
            "Update the package, or add an exception with its reason to .cargo/deny.toml.",
        )?;
    }
    run::stream(
        &mut project.command(machete),
        "Remove the unused dependency from its Cargo.toml, or add an exception with its reason there.",
    )?;
    let sbom = sbom::write(project)?;
    sbom.check_contents().context("the SBOM is wrong")?;
    run::print_status(sbom.summary(project));
    Ok(())
}

/// Fetches the RustSec advisory database. Returns whether a copy exists; it may be outdated if the
/// fetch failed.
fn fetch_advisories(project: &Project, mut fetch: Command) -> bool {
    let log = project.target.join("xtask-logs/advisories.log");
    if run::to_log(fetch.args(["fetch", "db"]), &log, FETCH_TIMEOUT, "").is_ok() {
        return true;
    }
    let cargo_home = std::env::var_os("CARGO_HOME").map(Into::into);
    let home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let databases = home.and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok());
    let copy = databases.is_some_and(|folders| {
        // A failed clone leaves a folder without files.
        folders.flatten().any(|folder| folder.path().join("crates").is_dir())
    });
    let consequence = if copy { "checking against an older copy" } else { "ADVISORIES ARE NOT CHECKED" };
    run::print_status(run::paint(
        "1;33",
        &format!(
            "RustSec's advisories cannot be fetched from github.com: {consequence} ({})",
            project.relative(&log)
        ),
    ));
    copy
}
