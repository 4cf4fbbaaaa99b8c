//! The programs of the project, run as an admin runs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::root;

/// The exit code and output of a command.
#[derive(Debug)]
pub struct CommandOutput {
    /// The exit code.
    pub code: i32,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
}

/// Outcome and reasons of each row, by its line.
pub type Report = BTreeMap<u64, (String, String)>;

/// Runs `bukti import` on a file. Returns its output and the job's report.
pub fn import(url: &str, feed: &Path) -> (Output, Report) {
    let report = feed.with_extension("report");
    let output = Command::new(program("bukti"))
        .args(["import", "--endpoint", url, "--report"])
        .args([&report, feed])
        .output()
        .unwrap();
    (output, read_report(&report))
}

/// Reads a report; empty if the file is missing.
pub fn read_report(report: &Path) -> Report {
    let Ok(mut reader) = csv::Reader::from_path(report) else { return Report::new() };
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        ["line", "event_id", "outcome", "reasons", "duplicate_of"]
    );
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| (row[0].parse().unwrap(), (row[2].to_owned(), row[3].to_owned()))).collect()
}

/// The path of `bukti` or `bukti-local`. Builds both first if `cargo xtask test` has not.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        // `cargo xtask test` builds the whole workspace. Building two packages alone would select
        // fewer features, and so compile dependencies again.
        if std::env::var_os("BUKTI_IS_BUILT").is_some() {
            return;
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "bukti-cli", "--package", "bukti-local"])
            .current_dir(root())
            .status()
            .unwrap();
        assert!(built.success());
    });
    // Cargo puts test binaries into `deps`, beside the programs.
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join(name)
}
