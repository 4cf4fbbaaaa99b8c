//! Folders outside the crate, and reports about the test run.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder of the sample feed. If it is missing, reports the running test as skipped.
pub fn sample_feed() -> Option<PathBuf> {
    shared_folder("data/satudata")
}

/// The folder of cases from bug reports of the field. If it is missing, reports the running test as
/// skipped.
pub fn field_cases() -> Option<PathBuf> {
    shared_folder("field")
}

fn shared_folder(name: &str) -> Option<PathBuf> {
    let folder = root().join("../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    report_skipped(&format!("{} is missing", folder.display()));
    None
}

/// Reports the running test as skipped. `cargo xtask test` lists skipped tests at its end, from the
/// file that `BUKTI_SKIPPED` names.
pub fn report_skipped(reason: &str) {
    let test = std::thread::current();
    let line = format!("{}: {reason}\n", test.name().unwrap_or("a test"));
    eprint!("skipped: {line}");
    append_line("BUKTI_SKIPPED", &line);
}

/// Appends a line to the file that this environment variable names, if it is set.
pub fn append_line(variable: &str, line: &str) {
    if let Some(file) = std::env::var_os(variable) {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}
