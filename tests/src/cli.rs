//! Runs the project's programs as an admin would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::root;

/// The result of a command that has exited.
#[derive(Debug)]
pub struct CommandOutput {
    /// The exit code; 0 if the command succeeded.
    pub code: i32,
    /// Standard output, decoded as UTF-8.
    pub stdout: String,
    /// Standard error, decoded as UTF-8.
    pub stderr: String,
}

/// The outcome and the reasons of each row, keyed by line number.
pub type Report = BTreeMap<u64, (String, String)>;

/// Imports a file with `bukti import`. Returns the command's output and the job's report.
pub fn import(url: &str, feed: &Path) -> (Output, Report) {
    let report = feed.with_extension("report");
    let output = Command::new(program("bukti"))
        .args(["import", "--endpoint", url, "--report"])
        .args([&report, feed])
        .output()
        .unwrap();
    (output, read_report(&report))
}

/// Reads a job's report. Returns an empty report if the file is missing.
pub fn read_report(report: &Path) -> Report {
    let Ok(mut reader) = csv::Reader::from_path(report) else { return Report::new() };
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        ["line", "event_id", "outcome", "reasons", "duplicate_of"]
    );
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| (row[0].parse().unwrap(), (row[2].to_owned(), row[3].to_owned()))).collect()
}

/// Returns the path of `bukti` or `bukti-local`. Builds both first, unless `cargo xtask test` has
/// already built them.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        // `cargo xtask test` builds the whole workspace. Building only these two packages would
        // select fewer features and so recompile dependencies.
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
    // Cargo puts test binaries into `deps`, a subfolder of the folder with the programs.
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join(name)
}
