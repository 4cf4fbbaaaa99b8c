//! What comes from elsewhere: licences, sources and advisories of each dependency, dependencies that nobody uses, and the
//! list of what is deployed. The rules are in `.cargo/deny.toml`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Project, run, sbom, tools};

/// How long the database of advisories may take to come.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// cargo-deny and cargo-machete, installed where they are missing.
///
/// # Errors
/// When one cannot be installed.
pub fn tools(project: &Project) -> Result<(PathBuf, PathBuf)> {
    let deny = tools::cargo_install(project, "cargo-deny", "to check licences, sources and advisories")?;
    Ok((deny, tools::cargo_install(project, "cargo-machete", "to find dependencies that nobody uses")?))
}

/// Checks all of it.
///
/// # Errors
/// When a tool cannot be installed, and at what it finds. Advisories that cannot be fetched are no error: it is said.
pub fn check(project: &Project) -> Result<()> {
    let (cargo_deny, machete) = tools(project)?;
    let config = project.root.join(".cargo/deny.toml");
    let deny = |manifest: &str, checks: &[&str]| {
        let mut command = project.command(&cargo_deny);
        // What is fetched is fetched below.
        command.arg("--offline").arg("--manifest-path").arg(project.root.join(manifest));
        command.arg("--config").arg(&config).args(["check", "--hide-inclusion-graph"]).args(checks);
        command
    };
    let remedy = "The rules and each exception's reason are in .cargo/deny.toml.";
    for manifest in ["Cargo.toml", "tests/fuzz/Cargo.toml"] {
        // Packages of other platforms, too, which nothing here has compiled.
        let mut fetch = project.command("cargo");
        fetch.args(["fetch", "--locked", "--quiet", "--manifest-path"]).arg(project.root.join(manifest));
        run::stream(&mut fetch, "Packages come from crates.io; see whether it can be reached.")?;
    }
    run::stream(&mut deny("Cargo.toml", &["bans", "licenses", "sources"]), remedy)?;
    // Of the fuzz targets, which are never handed on, only whence they come.
    run::stream(&mut deny("tests/fuzz/Cargo.toml", &["sources"]), remedy)?;
    if has_advisories(project, project.command(&cargo_deny)) {
        let mut advisories = deny("Cargo.toml", &["advisories"]);
        run::stream(
            &mut advisories,
            "Update what is named, or say in .cargo/deny.toml why it does no harm.",
        )?;
    }
    run::stream(
        &mut project.command(machete),
        "Remove what nobody uses from the Cargo.toml that is named, or list it there with its reason.",
    )?;
    let sbom = sbom::write(project)?;
    sbom.holds_what_is_deployed().context("the SBOM is wrong")?;
    run::say(sbom.summary(project));
    Ok(())
}

/// Fetches RustSec's database of advisories. Where it cannot be fetched, an older copy will do; where there is none, says
/// that advisories go unchecked.
fn has_advisories(project: &Project, mut fetch: Command) -> bool {
    let log = project.target.join("xtask-logs/advisories.log");
    if run::quietly(fetch.args(["fetch", "db"]), &log, FETCH_LIMIT, "").is_ok() {
        return true;
    }
    let cargo_home = std::env::var_os("CARGO_HOME").map(Into::into);
    let home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let databases = home.and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok());
    let copy = databases.is_some_and(|folders| {
        // A clone that failed leaves a folder without a commit.
        folders.flatten().any(|folder| folder.path().join("crates").is_dir())
    });
    let what = if copy { "checking against an older copy" } else { "ADVISORIES ARE NOT CHECKED" };
    run::say(run::paint(
        "1;33",
        &format!("RustSec's advisories cannot be fetched from github.com: {what} ({})", project.show(&log)),
    ));
    copy
}
