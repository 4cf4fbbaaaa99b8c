//! `bukti sample`: generates a feed of fictitious people, with the expected outcome of each row.
//!
//! The expected outcomes follow from how each row was generated, not from the code of the import.
//! Each row's position in the file is random within a window. Corrections can therefore precede the
//! rows that they correct, and the rows of an event are spread out. Only the window is held in
//! memory, so memory use does not depend on the number of people.

mod defects;
mod generator;
mod values;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bukti_domain::Reason;
use clap::{Args, ValueHint};
use csv::Writer;

use self::generator::Generator;

#[derive(Args)]
pub(crate) struct SampleOptions {
    /// Number of people
    #[arg(long, value_name = "N")]
    people: u64,
    /// Seed of the random numbers; the same seed generates the same feed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// File to write the feed to, as CSV; `-` is the standard output
    #[arg(long, value_name = "FEED.csv", default_value = "-", value_hint = ValueHint::FilePath)]
    feed: PathBuf,
    /// File to write the expected outcome of each row to, as CSV
    #[arg(long, value_name = "EXPECTED.csv", value_hint = ValueHint::FilePath)]
    expected: Option<PathBuf>,
}

/// Writes the feed, and the expected outcomes if a file for them is specified.
pub(crate) fn run(options: &SampleOptions) -> Result<ExitCode> {
    let mut feed = Writer::from_writer(create(&options.feed)?);
    let mut expected =
        options.expected.as_deref().map(|path| create(path).map(Writer::from_writer)).transpose()?;
    if let Some(expected) = &mut expected {
        expected.write_record([
            "line",
            "event_id",
            "sent_at",
            "outcome",
            "reasons",
            "first_dose_sms",
            "phone_e164",
        ])?;
    }
    let mut line = 1_u64;
    for generated in Generator::new(options.people, options.seed) {
        line += 1;
        feed.serialize(&generated.row)?;
        if let Some(expected) = &mut expected {
            let reasons = generated.reason.map_or("", Reason::code);
            let sms = if generated.has_sms { "1" } else { "0" };
            let (id, sent_at) = (&*generated.row.event_id, &*generated.row.sent_at);
            expected.write_record([
                &*line.to_string(),
                id,
                sent_at,
                generated.outcome.code(),
                reasons,
                sms,
                &generated.phone,
            ])?;
        }
    }
    feed.flush()?;
    if let Some(expected) = &mut expected {
        expected.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Creates a file for writing; `-` is the standard output.
fn create(path: &Path) -> Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}
