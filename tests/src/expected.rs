//! What must come of a feed: report, SMS, documents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Message, Report, program};

/// What must come of a line of a feed.
pub struct Expected {
    /// The line, from 2.
    pub line: u64,
    /// The outcome's code.
    pub outcome: String,
    /// The reasons' codes.
    pub reasons: String,
    /// Whether an SMS tells of it, if it counts.
    pub first_dose_sms: bool,
    /// Whom that goes to, E.164.
    pub phone: String,
}

/// What must come of the sample feed in this folder.
pub fn of_the_sample(folder: &Path) -> Vec<Expected> {
    read(&folder.join("doses-1.expected.csv"))
}

/// Makes a feed of people who do not exist, and what must come of it.
pub fn made(folder: &Path, people: u32, seed: u64) -> (PathBuf, Vec<Expected>) {
    let [feed, expected] = ["made.csv", "made.expected.csv"].map(|name| folder.join(name));
    let made = Command::new(program("bukti"))
        .args(["sample", "--people", &people.to_string(), "--seed", &seed.to_string(), "--feed"])
        .args([&*feed, "--expected".as_ref(), &*expected])
        .status();
    assert!(made.unwrap().success());
    (feed, read(&expected))
}

fn read(file: &Path) -> Vec<Expected> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| Expected {
        line: row[0].parse().unwrap(),
        outcome: row[3].to_owned(),
        reasons: row[4].to_owned(),
        first_dose_sms: &row[5] == "1",
        phone: row[6].to_owned(),
    })
    .collect()
}

/// Each line became what it should.
pub fn assert_report(report: &Report, expected: &[Expected]) {
    assert_eq!(report.len(), expected.len());
    for row in expected {
        assert_eq!(report[&row.line], (row.outcome.clone(), row.reasons.clone()), "line {}", row.line);
    }
}

/// Each first dose that is issued has one SMS, and there is no other; a number that was corrected later may have had one.
pub fn assert_sms(messages: &[Message], expected: &[Expected]) {
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
    assert_eq!(sent, BTreeMap::new(), "no other SMS");
}

/// How many certificates' documents there are in the bucket of a stack with its data here.
pub fn documents_in(data: &Path) -> usize {
    find(&data.join("bucket"), |path| path.extension().is_some_and(|extension| extension == "pdf")).len()
}

/// The files of a folder, and of those in it, of which this holds.
pub fn find(folder: &Path, holds: impl Fn(&Path) -> bool + Copy) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.map(|path| if path.is_dir() { find(&path, holds) } else { vec![path] });
    found.flatten().filter(|path| holds(path)).collect()
}
