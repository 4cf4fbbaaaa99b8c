//! Shared parts of the acceptance tests: an embedded stack on a free port, feeds, callers of its
//! API, and fault injection.
//!
//! Some tests read the sample feed in `../shared/data/satudata` or the cases in `../shared/field`,
//! beside the project. Where these folders are missing, the tests pass and report that they were
//! skipped.

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

/// Runs something 1,000 times, on 50 concurrent threads.
pub fn run_1000_times_concurrently<T: Send>(work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..50).map(|_| scope.spawn(|| (0..20).map(|_| work()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// The texts that these bytes encode to in base64 or base64url, one for each position in a group of
/// three bytes. Any encoding of a longer text with these bytes contains one of them.
pub fn base64_fragments(bytes: &[u8]) -> BTreeSet<String> {
    let mut encoded = BTreeSet::new();
    for before in 0..3 {
        let padded = [&vec![0; before], bytes].concat();
        // Without the letters that also encode bits of neighbouring bytes.
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            encoded.insert(text[from..to].to_owned());
        }
    }
    encoded
}

/// Today (UTC), `YYYY-MM-DD`.
pub fn today() -> String {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
