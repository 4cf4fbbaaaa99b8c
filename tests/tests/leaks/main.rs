//! Leak test: searches the table, buckets, logs, file names, responses and command-line output for
//! personal data in places where it is not allowed.
//!
//! `cargo xtask leaks` sets `BUKTI_LEAKS`, so that this test uses the whole sample feed. Otherwise,
//! it uses people with difficult names. The module `needles` defines what the test searches for,
//! and the module `scenario` defines what a response may contain.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod citizens;
mod needles;
mod places;
mod scenario;
mod stack;
mod staff;

use std::collections::BTreeSet;
use std::time::Instant;

use bukti_domain::FeedRow;
use bukti_tests::{people, sample_feed};

use crate::places::Search;
use crate::scenario::Scenario;

/// The rows of the sample feed if `BUKTI_LEAKS` is set. Otherwise, rows of people with difficult
/// names.
fn rows() -> Vec<FeedRow> {
    let is_requested = std::env::var_os("BUKTI_LEAKS").is_some();
    match is_requested.then(sample_feed).flatten() {
        Some(folder) => {
            let mut feed = csv::Reader::from_path(folder.join("doses-1.csv")).unwrap();
            feed.deserialize().map(|row| row.unwrap()).collect()
        }
        None => people::with_difficult_names().into_iter().flatten().collect(),
    }
}

#[test]
fn no_personal_data_outside_allowed_places() {
    let rows = rows();
    let mut public = Vec::new();
    for row in &rows {
        public.extend(format!("{}\n{}\n{}\n", row.nama_faskes, row.vaksin, row.batch).into_bytes());
    }
    println!("{} rows", rows.len());
    let mut scenario = Scenario::run(rows);
    public.extend(scenario.public_texts());
    let log = std::fs::read_to_string(&scenario.stack.log).unwrap();
    assert!(log.contains("a feed was taken in"), "the log is empty or misses the import");

    let (searcher, known) = scenario.needles.searcher(&public);
    println!("{} needles; {known} more are in public texts and not searched for", searcher.len());
    let began = Instant::now();
    let search = Search::run(&searcher, &scenario);
    println!("searched in {:.1} s\n", began.elapsed().as_secs_f64());
    search.print();
    for (place, item, found) in search.findings() {
        println!("{place}: {item}: {:?}, {}, at byte {}", found.needle, found.form, found.at);
    }
    let findings = search.findings().count();
    assert_eq!(findings, 0, "{findings} findings: see the output");

    // Counter-check: the search finds a needle that is planted in each place.
    places::plant(&mut scenario);
    let search = Search::run(&searcher, &scenario);
    let found: BTreeSet<_> = search.findings().map(|(place, ..)| place).collect();
    let missed: Vec<_> = search.places.iter().filter(|place| !found.contains(place.name)).collect();
    assert!(
        missed.is_empty(),
        "needles were planted and not found in {:?}",
        missed.iter().map(|place| place.name).collect::<Vec<_>>()
    );
    println!("\nafter planting: {} findings, some in each place", search.findings().count());
}
