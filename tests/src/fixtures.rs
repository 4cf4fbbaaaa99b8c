//! Folders outside the crate, and reports on skipped tests and test durations.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The project's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder of the sample feed. If it is missing, reports the running test as skipped and returns
/// `None`.
pub fn sample_feed() -> Option<PathBuf> {
    shared_folder("data/satudata")
}

/// The folder of cases from field bug reports. If it is missing, reports the running test as
/// skipped and returns `None`.
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

/// Reports the running test as skipped, in the file that `BUKTI_SKIPPED` names. `cargo xtask test`
/// lists the skipped tests at the end of its run.
pub fn report_skipped(reason: &str) {
    let test = std::thread::current();
    let line = format!("{}: {reason}\n", test.name().unwrap_or("a test"));
    eprint!("skipped: {line}");
    append_line("BUKTI_SKIPPED", &line);
}

/// Appends `line`, which should end with a newline, to the file that an environment variable names.
/// Does nothing if the variable is not set.
pub fn append_line(variable: &str, line: &str) {
    if let Some(file) = std::env::var_os(variable) {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}
