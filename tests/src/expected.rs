//! The expected results of a feed: row results, SMS and documents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Message, Report, program};

/// The expected result of a row of a feed.
pub struct ExpectedRow {
    /// The row's line in the file; the header is line 1.
    pub line: u64,
    /// The outcome's code.
    pub outcome: String,
    /// The reasons' codes, separated by semicolons.
    pub reasons: String,
    /// Whether an SMS is sent for the row, if it is the one that counts for its event.
    pub first_dose_sms: bool,
    /// The phone that gets the SMS, E.164.
    pub phone: String,
}

/// The expected results of the sample feed in this folder.
pub fn expected_of_sample(folder: &Path) -> Vec<ExpectedRow> {
    read(&folder.join("doses-1.expected.csv"))
}

/// Generates a feed of fictitious people. Returns its path and its expected results.
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

/// Checks that each row has its expected result.
pub fn assert_report(report: &Report, expected: &[ExpectedRow]) {
    assert_eq!(report.len(), expected.len());
    for row in expected {
        assert_eq!(report[&row.line], (row.outcome.clone(), row.reasons.clone()), "line {}", row.line);
    }
}

/// Checks that each first dose that was issued has one SMS, and that there are no others. A phone
/// that a later row of its event replaced may have got one as well.
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

/// The number of certificate documents in the bucket of a stack with this data folder.
pub fn count_documents(data: &Path) -> usize {
    let is_pdf = |path: &Path| path.extension().is_some_and(|extension| extension == "pdf");
    find_files(&data.join("bucket"), is_pdf).len()
}

/// The files below a folder that match.
pub fn find_files(folder: &Path, matches: impl Fn(&Path) -> bool + Copy) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.map(|path| if path.is_dir() { find_files(&path, matches) } else { vec![path] });
    found.flatten().filter(|path| matches(path)).collect()
}
