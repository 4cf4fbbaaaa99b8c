//! Rows on their way into the table, and what became of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bukti_domain::{FeedRow, History, LONGEST_FIELD, Origin, Outcome, Reason, no_formula};
use bukti_records::{DoseKey, DoseRecord, EventKey, Incoming, Keys, Reported, Sender};
use bukti_runtime::WAY;
use bukti_store::{Aws, Counter, Doses, Metrics, Senders, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::Line;
use crate::feed::refuse_as_a_whole;

/// Rows that are written at the same time.
const WRITERS: usize = 16;
/// Events that are asked for at once: the most that DynamoDB answers.
const LOOKED_UP: usize = 100;
/// Such questions at the same time.
const QUESTIONS: usize = 4;

/// How a row that the table did not take is retried, after the retries of the SDK: the wait doubles
/// from half a second to 16 s, with jitter on top. After that the caller has to retry.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(500))
    .with_max_delay(Duration::from_secs(16))
    .with_max_times(6)
    .with_jitter();

/// Where rows come from: a job, and who sent it; `None` is who drops files.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The job.
    pub job: &'a str,
    /// Who sent it.
    pub sender: Option<&'a Sender>,
}

impl Source<'_> {
    fn origin(&self, line: u64) -> Origin {
        Origin { job: self.job.to_owned(), line }
    }

    fn facility(&self) -> Option<&str> {
        self.sender.and_then(Sender::facility)
    }

    /// Whether the row is of another facility than the one that sends it.
    fn is_of_another_facility(&self, row: &FeedRow) -> bool {
        let written = row.kode_faskes.trim();
        self.facility().is_some_and(|facility| !written.is_empty() && written != facility)
    }
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its line, as in [`Line`].
    pub line: u64,
    /// The event that it names, or what stands in its place; of a longer id the first
    /// [`LONGEST_FIELD`] characters.
    pub event_id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The event that already reported this dose, where the row is of a duplicate.
    pub duplicate_of: Option<String>,
}

impl Told {
    fn csv(&self) -> String {
        let reasons: Vec<&str> = self.reasons.iter().map(|reason| reason.code()).collect();
        let (id, reasons) = (csv_field(&self.event_id), reasons.join(";"));
        let duplicate_of = csv_field(self.duplicate_of.as_deref().unwrap_or_default());
        format!("{},{id},{},{reasons},{duplicate_of}\n", self.line, self.outcome.code())
    }
}

/// What became of rows, as lines of a report: CSV (RFC 4180) without a header.
pub fn report(told: &[Told]) -> String {
    told.iter().map(Told::csv).collect()
}

/// How many rows there are of each outcome.
pub fn totals(told: &[Told]) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for row in told {
        *totals.entry(row.outcome.code().to_owned()).or_default() += 1;
    }
    totals
}

/// What is known of an event after its rows were kept.
struct Known {
    history: History,
    /// The claim of the dose, where another event owns it.
    duplicate_of: Option<DoseKey>,
    is_withdrawn: bool,
    /// Another sender said it first.
    is_anothers: bool,
}

/// What is known of events by their keys, and which events own the claims of duplicates.
struct KnownEvents {
    events: HashMap<EventKey, Known>,
    owners: HashMap<DoseKey, String>,
}

/// Keeps rows, and says what became of them.
#[derive(Clone)]
pub struct Rows {
    doses: Doses,
    senders: Senders,
    keys: Keys,
    metrics: Metrics,
}

impl Rows {
    /// The rows of a deployment.
    #[expect(clippy::disallowed_methods, reason = "writes what senders say, shows nobody a dose")]
    pub fn new(aws: &Aws) -> Self {
        Self {
            doses: Doses::new(aws),
            senders: Senders::new(aws),
            keys: aws.keys.clone(),
            metrics: aws.metrics.clone(),
        }
    }

    /// Keeps every row that can be kept, and says what became of each, as far as that is known from the rows that came until
    /// now.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; some rows may then be kept, and all can be sent again.
    pub async fn keep(&self, source: Source<'_>, lines: &[Line]) -> Result<Vec<Told>, StoreError> {
        let now = Timestamp::now();
        let incoming: Vec<Incoming> = lines
            .iter()
            .filter_map(|line| {
                let row = line.row.as_ref().ok().filter(|row| !source.is_of_another_facility(row))?.clone();
                let incoming = Incoming::judge(row, source.origin(line.line), now, &self.keys)?;
                Some(match source.sender {
                    Some(sender) => incoming.of(sender),
                    None => incoming,
                })
            })
            .collect();
        let known = match source.sender {
            Some(_) => self.doses.of_events(incoming.iter().map(Incoming::event)).await?,
            None => HashMap::new(),
        };
        // In the order of the events' first rows: of several events that report one dose, the first
        // gets it.
        let (mut places, mut by_event) = (HashMap::new(), Vec::<Vec<Incoming>>::new());
        for incoming in incoming {
            let place = *places.entry(incoming.event().clone()).or_insert(by_event.len());
            match by_event.get_mut(place) {
                Some(rows) => rows.push(incoming),
                None => by_event.push(vec![incoming]),
            }
        }
        let known = &known;
        let mut kept: HashMap<EventKey, Known> = HashMap::new();
        let mut writing = stream::iter(by_event)
            .map(|rows| {
                let known = rows.first().and_then(|row| known.get(row.event()));
                self.keep_event(source, rows, known, now)
            })
            .buffer_unordered(WRITERS);
        while let Some(record) = writing.try_next().await? {
            let Some(record) = record else { continue };
            let is_anothers = record.is_anothers(source.facility());
            let DoseRecord { pk, history, claim, duplicate, withdrawn, .. } = record;
            let (duplicate_of, is_withdrawn) = (claim.filter(|_| duplicate), withdrawn.is_some());
            kept.insert(pk, Known { history, duplicate_of, is_withdrawn, is_anothers });
        }
        let told = self.told(source, lines, &self.known(kept).await?);
        for row in &told {
            self.metrics.count(Counter::Rows, row.outcome.code());
        }
        Ok(told)
    }

    /// Refuses a FHIR transaction as a whole where one of its rows is not the sender's: it is of another facility, or of an event
    /// that another sender said first. What a row is by itself was judged when it was read.
    ///
    /// An event that another sender says first between this and [`Rows::keep`] is still refused alone.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn refuse_transaction(&self, source: Source<'_>, lines: &mut [Line]) -> Result<(), StoreError> {
        let Some(facility) = source.facility() else { return Ok(()) };
        let key = |row: &FeedRow| self.keys.event(row.event_id.trim());
        let events: Vec<EventKey> = lines.iter().filter_map(|line| line.row.as_ref().ok()).map(key).collect();
        let known = self.doses.of_events(&events).await?;
        refuse_as_a_whole(lines, |row| {
            let is_anothers =
                |row: &FeedRow| known.get(&key(row)).is_some_and(|dose| dose.is_anothers(Some(facility)));
            if source.is_of_another_facility(row) {
                Some(Reason::FacilityOfAnother)
            } else {
                is_anothers(row).then_some(Reason::EventOfAnother)
            }
        });
        Ok(())
    }

    /// Keeps the rows of one event, one after the other: side by side they would refuse each other's
    /// writes. Gives the record after the last.
    ///
    /// Rows whose sender has reported too many doses of their person today are held. An event counts
    /// once, however many rows it has here. Files are dropped by who may change everything.
    async fn keep_event(
        &self,
        source: Source<'_>,
        rows: Vec<Incoming>,
        known: Option<&DoseRecord>,
        now: Timestamp,
    ) -> Result<Option<DoseRecord>, StoreError> {
        let (mut kept, mut counted) = (None::<DoseRecord>, HashMap::new());
        for incoming in rows {
            let is_known = known.is_some_and(|record| incoming.is_dose_of(record));
            let is_within = match (source.sender, incoming.dosed_person()) {
                (Some(sender), Some(person)) if !is_known => match counted.get(person) {
                    Some(is_within) => *is_within,
                    None => {
                        let is_within = self.senders.take_dose(sender, person, now).await?;
                        counted.insert(person.clone(), is_within);
                        is_within
                    }
                },
                _ => true,
            };
            let incoming = if is_within { incoming } else { incoming.held(Reason::TooManyDoses) };
            let record = self.keep_row(kept.as_ref().or(known), &incoming).await?;
            tracing::info!(target: WAY, trace = record.trace(), revision = record.revision, "a row was kept");
            kept = Some(record);
        }
        Ok(kept)
    }

    /// Stores a row, with retries: a table scales with its load, but not at once, and many parts
    /// may arrive together.
    async fn keep_row(
        &self,
        known: Option<&DoseRecord>,
        incoming: &Incoming,
    ) -> Result<DoseRecord, StoreError> {
        (|| self.doses.keep(known, incoming)).retry(BACKOFF).when(StoreError::retryable).await
    }

    /// Says what became of rows that are kept, as far as that is known now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn look_up(&self, source: Source<'_>, lines: &[Line]) -> Result<Vec<Told>, StoreError> {
        let rows = lines.iter().filter_map(|line| line.row.as_ref().ok());
        let events: Vec<EventKey> = rows.map(|row| self.keys.event(&row.event_id)).collect();
        let reported: Vec<_> = stream::iter(events.chunks(LOOKED_UP))
            .map(|events| self.doses.reported(events))
            .buffer_unordered(QUESTIONS)
            .try_collect()
            .await?;
        let known = reported.into_iter().flatten().map(|reported| {
            let Reported { pk, history, claim, duplicate, withdrawn } = reported;
            let (duplicate_of, is_withdrawn) = (claim.filter(|_| duplicate), withdrawn.is_some());
            // What is dropped is a hub's, who may correct everything.
            (pk, Known { history, duplicate_of, is_withdrawn, is_anothers: false })
        });
        Ok(self.told(source, lines, &self.known(known.collect()).await?))
    }

    /// Looks up which events own the claims of duplicates.
    async fn known(&self, events: HashMap<EventKey, Known>) -> Result<KnownEvents, StoreError> {
        let claims = events.values().filter_map(|known| known.duplicate_of.as_ref());
        let owners = self.doses.owning_events(claims).await?;
        Ok(KnownEvents { events, owners })
    }

    fn told(&self, source: Source<'_>, lines: &[Line], known: &KnownEvents) -> Vec<Told> {
        lines.iter().map(|line| self.told_of(source, line, known)).collect()
    }

    fn told_of(&self, source: Source<'_>, line: &Line, known: &KnownEvents) -> Told {
        let rejected = |event_id: &str, reasons| {
            let (event_id, outcome) = (shortened(event_id), Outcome::Rejected);
            Told { line: line.line, event_id, outcome, reasons, duplicate_of: None }
        };
        let row = match &line.row {
            Ok(row) => row,
            Err(unreadable) => return rejected(&unreadable.event_id, vec![unreadable.reason]),
        };
        let event_id = row.event_id.trim();
        if source.is_of_another_facility(row) {
            return rejected(event_id, vec![Reason::FacilityOfAnother]);
        }
        match (row.sent(), known.events.get(&self.keys.event(event_id))) {
            (Some(_), Some(event)) if event.is_anothers => rejected(event_id, vec![Reason::EventOfAnother]),
            (Some(sent_at), Some(event)) => {
                let digest = self.keys.row_digest(row);
                let origin = source.origin(line.line);
                let (mut outcome, mut reasons) = event.history.report(sent_at, &digest, &origin);
                let mut duplicate_of = None;
                if let (Outcome::Issued, Some(claim)) = (outcome, &event.duplicate_of) {
                    outcome = Outcome::Duplicate;
                    reasons.push(Reason::DoseDuplicate);
                    duplicate_of = known.owners.get(claim).cloned();
                } else if outcome == Outcome::Issued && event.is_withdrawn {
                    outcome = Outcome::Held;
                    reasons.push(Reason::DoseWithdrawn);
                }
                Told { line: line.line, event_id: shortened(event_id), outcome, reasons, duplicate_of }
            }
            // Nothing by which it could be kept.
            _ => rejected(event_id, row.judge(Timestamp::now()).1),
        }
    }
}

/// An event id for an answer or a report: that of a rejected row may have 64 KiB, and a thousand of
/// these would not fit into the 6 MB that a Lambda function may answer. Other rows have shorter
/// ones.
fn shortened(event_id: &str) -> String {
    event_id.chars().take(LONGEST_FIELD).collect()
}

/// A field of a CSV file, quoted where it must be, and never one that a spreadsheet takes for a formula.
fn csv_field(text: &str) -> String {
    let text = no_formula(text);
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_runs_nothing_in_a_spreadsheet() {
        for (written, expected) in [
            ("PCARE-1", "PCARE-1"),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@SUM(1,2)", "\"'@SUM(1,2)\""),
            ("-2\n+3", "\"'-2\n+3\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
        ] {
            assert_eq!(csv_field(written), expected);
        }
    }
}
