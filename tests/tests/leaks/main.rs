//! Nobody is found where nobody belongs: table, buckets, logs, file names, answers, what the command line says.
//!
//! `cargo xtask leaks` runs it with the whole sample feed (`BUKTI_LEAKS` is set then); otherwise it takes the people of
//! [`bukti_tests::people`]. What is sought, and how, says the module `needles`; what may be in an answer, `walk`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod needles;
mod places;
mod walk;

use std::collections::BTreeSet;
use std::time::Instant;

use bukti_domain::FeedRow;
use bukti_tests::{people, sample_feed};

use crate::places::Search;
use crate::walk::Walk;

/// The whole sample feed where it is asked for and there.
fn rows() -> Vec<FeedRow> {
    let request = std::env::var_os("BUKTI_LEAKS").is_some();
    match request.then(sample_feed).flatten() {
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
    let mut walk = Walk::through(rows);
    public.extend(walk.public_texts());
    let log = std::fs::read_to_string(&walk.stack.log).unwrap();
    assert!(log.contains("a feed was taken in"), "the logs are kept");

    let (searcher, known) = walk.needles.searcher(&public);
    println!("{} needles are sought, {known} are not, since they stand in public texts", searcher.len());
    let began = Instant::now();
    let search = Search::everywhere(&searcher, &walk);
    println!("searched in {:.1} s\n", began.elapsed().as_secs_f64());
    search.print();
    for (place, item, find) in search.findings() {
        println!("{place}: {item}: {:?} in the form {} at {}", find.needle, find.form, find.at);
    }
    let findings = search.findings().count();
    assert_eq!(findings, 0, "{findings} findings");

    // The proof that each place is looked at.
    places::plant(&mut walk);
    let search = Search::everywhere(&searcher, &walk);
    let found: BTreeSet<_> = search.findings().map(|(place, ..)| place).collect();
    let missed: Vec<_> = search.places.iter().filter(|place| !found.contains(place.name)).collect();
    assert!(
        missed.is_empty(),
        "planted and not found: {:?}",
        missed.iter().map(|place| place.name).collect::<Vec<_>>()
    );
    println!("\nplanted afterwards: {} findings, in each place", search.findings().count());
}
