//! Shared code of the acceptance tests: an embedded stack on a free port, test feeds, HTTP clients,
//! and fault injection.
//!
//! Some tests read the sample feed in `../shared/data/satudata` or the field cases in
//! `../shared/field`, next to the project. If these folders are missing, the tests pass and are
//! reported as skipped.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

pub mod caller;
pub mod expected;
pub mod ministack;
pub mod people;
pub mod proxy;
pub mod stack_process;

mod app;
mod cli;
mod feeds;
mod fixtures;
mod sms;

pub use app::{TestApp, authenticator_code, download_request};
pub use caller::{Reply, call, solve};
pub use cli::{CommandOutput, Report, import, program, read_report};
pub use feeds::{csv, dose, dose_for, fhir_bundle, ndjson, retraction};
pub use fixtures::{field_cases, report_skipped, root, sample_feed};
pub use sms::{Message, deduplicated_sms, outbox};

/// Runs a closure 1,000 times on 50 threads. Returns the results of all runs.
pub fn run_1000_times_concurrently<T: Send>(work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..50).map(|_| scope.spawn(|| (0..20).map(|_| work()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Fragments of base64 and base64url by which to find `bytes` in encoded data. There is a fragment
/// for each alignment of `bytes` to base64's groups of three bytes, so the encoding of any data
/// that contains `bytes` contains one of the fragments.
pub fn base64_fragments(bytes: &[u8]) -> BTreeSet<String> {
    let mut encoded = BTreeSet::new();
    for before in 0..3 {
        let padded = [&vec![0; before], bytes].concat();
        // Drop the characters that also encode bits of neighbouring bytes.
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            encoded.insert(text[from..to].to_owned());
        }
    }
    encoded
}

/// Today's date in UTC, as `YYYY-MM-DD`.
pub fn today() -> String {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
