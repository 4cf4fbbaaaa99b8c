//! The expected results of a feed: row results, SMS and documents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Message, Report, program};

/// The expected result of one feed row.
pub struct ExpectedRow {
    /// The line number in the feed; the header is line 1.
    pub line: u64,
    /// The code of the outcome, such as `issued`.
    pub outcome: String,
    /// The reason codes, separated by semicolons.
    pub reasons: String,
    /// Whether the row triggers the SMS for a first dose, provided that no later row of its event
    /// supersedes it.
    pub first_dose_sms: bool,
    /// The phone that gets the SMS, in E.164 format.
    pub phone: String,
}

/// Reads the expected results of the sample feed from its folder.
pub fn expected_of_sample(folder: &Path) -> Vec<ExpectedRow> {
    read(&folder.join("doses-1.expected.csv"))
}

/// Generates a feed of fictitious people with `bukti sample`. Returns the path of the feed and its
/// expected results.
pub fn generate_feed(folder: &Path, people: u32, seed: u64) -> (PathBuf, Vec<ExpectedRow>) {
    let [feed, expected] = ["generated.csv", "generated.expected.csv"].map(|name| folder.join(name));
    let status = Command::new(program("bukti"))
        .args(["sample", "--people", &people.to_string(), "--seed", &seed.to_string(), "--feed"])
        .args([&*feed, "--expected".as_ref(), &*expected])
        .status();
    assert!(status.unwrap().success());
    (feed, read(&expected))
}

fn read(file: &Path) -> Vec<ExpectedRow> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| ExpectedRow {
        line: row[0].parse().unwrap(),
        outcome: row[3].to_owned(),
        reasons: row[4].to_owned(),
        first_dose_sms: &row[5] == "1",
        phone: row[6].to_owned(),
    })
    .collect()
}

/// Asserts that the report contains the expected result of each row, and no other rows.
pub fn assert_report(report: &Report, expected: &[ExpectedRow]) {
    assert_eq!(report.len(), expected.len());
    for row in expected {
        assert_eq!(report[&row.line], (row.outcome.clone(), row.reasons.clone()), "line {}", row.line);
    }
}

/// Asserts that one SMS was sent for each issued first dose, and that there are no other SMS. For a
/// superseded row, an SMS is permitted, since it may have been sent before the correction arrived.
pub fn assert_sms(messages: &[Message], expected: &[ExpectedRow]) {
    let mut sent: BTreeMap<&str, u32> = BTreeMap::new();
    for message in messages {
        assert!(message.text.contains("/s/"), "{}", message.text);
        *sent.entry(&message.to).or_default() += 1;
    }
    for row in expected.iter().filter(|row| row.first_dose_sms) {
        match (&*row.outcome, sent.remove(&*row.phone)) {
            ("superseded", None) => {}
            (_, count) => assert_eq!(count, Some(1), "line {}", row.line),
        }
    }
    assert_eq!(sent, BTreeMap::new(), "SMS to phones that no first dose has");
}

/// Counts the certificate documents in the bucket of a stack with this data folder.
pub fn count_documents(data: &Path) -> usize {
    let is_pdf = |path: &Path| path.extension().is_some_and(|extension| extension == "pdf");
    find_files(&data.join("bucket"), is_pdf).len()
}

/// Finds the matching files in a folder and its subfolders. Returns an empty list if the folder is
/// missing.
pub fn find_files(folder: &Path, matches: impl Fn(&Path) -> bool + Copy) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.map(|path| if path.is_dir() { find_files(&path, matches) } else { vec![path] });
    found.flatten().filter(|path| matches(path)).collect()
}
