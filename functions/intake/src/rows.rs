//! Import of rows into the table, and the row results.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bukti_domain::{FeedRow, History, MAX_FIELD_CHARS, Origin, Outcome, Reason, escape_formula};
use bukti_records::{DoseKey, DoseRecord, EventKey, Incoming, Keys, Reported, Sender};
use bukti_runtime::TRACE_TARGET;
use bukti_store::{Aws, Counter, Doses, Metrics, Senders, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::Line;
use crate::feed::reject_as_a_whole;

/// The maximum number of events that are written concurrently.
const CONCURRENT_WRITES: usize = 16;
/// The number of events per lookup, which is the maximum of DynamoDB's BatchGetItem.
const LOOKUP_BATCH: usize = 100;
/// The maximum number of concurrent lookups.
const CONCURRENT_LOOKUPS: usize = 4;

/// The backoff for throttled writes, after the SDK's own retries: the delay doubles from 0.5 s to
/// 16 s, plus jitter. After the last attempt, the whole event is retried.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(500))
    .with_max_delay(Duration::from_secs(16))
    .with_max_times(6)
    .with_jitter();

/// The job and sender of imported rows.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The job that imports the rows.
    pub job: &'a str,
    /// The sender; `None` for a dropped file, whose rows have the permissions of a hub.
    pub sender: Option<&'a Sender>,
}

impl Source<'_> {
    fn origin(&self, line: u64) -> Origin {
        Origin { job: self.job.to_owned(), line }
    }

    fn facility(&self) -> Option<&str> {
        self.sender.and_then(Sender::facility)
    }

    /// Whether a facility sent this row although it belongs to another facility.
    fn is_of_another_facility(&self, row: &FeedRow) -> bool {
        let written = row.kode_faskes.trim();
        self.facility().is_some_and(|facility| !written.is_empty() && written != facility)
    }
}

/// The result of a row, as responses and reports state it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowResult {
    /// The line number of the row, as in [`Line`].
    pub line: u64,
    /// The event id, truncated to [`MAX_FIELD_CHARS`] characters.
    pub event_id: String,
    /// What the import did with the row.
    pub outcome: Outcome,
    /// The reasons for the outcome.
    pub reasons: Vec<Reason>,
    /// The id of the event that owns the dose; `None` if this row's event is not a duplicate.
    pub duplicate_of: Option<String>,
}

impl RowResult {
    fn csv_line(&self) -> String {
        let reasons: Vec<&str> = self.reasons.iter().map(|reason| reason.code()).collect();
        let (id, reasons) = (csv_field(&self.event_id), reasons.join(";"));
        let duplicate_of = csv_field(self.duplicate_of.as_deref().unwrap_or_default());
        format!("{},{id},{},{reasons},{duplicate_of}\n", self.line, self.outcome.code())
    }
}

/// Formats row results as lines of a report: CSV (RFC 4180) without a header.
pub fn report(results: &[RowResult]) -> String {
    results.iter().map(RowResult::csv_line).collect()
}

/// Counts the rows by the code of their outcome.
pub fn totals(results: &[RowResult]) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for result in results {
        *totals.entry(result.outcome.code().to_owned()).or_default() += 1;
    }
    totals
}

/// The part of an event's stored state on which row results depend.
struct EventState {
    history: History,
    /// The key of the dose if another event owns it.
    duplicate_of: Option<DoseKey>,
    is_withdrawn: bool,
    /// Whether another sender reported the event first.
    is_foreign: bool,
}

/// The states of events, and for duplicates the ids of the events that own their doses.
struct EventStates {
    events: HashMap<EventKey, EventState>,
    owners: HashMap<DoseKey, String>,
}

/// Imports rows into the table and determines their results.
#[derive(Clone)]
pub struct RowImporter {
    doses: Doses,
    senders: Senders,
    keys: Keys,
    metrics: Metrics,
}

impl RowImporter {
    /// Creates the importer for a deployment.
    #[expect(clippy::disallowed_methods, reason = "stores what senders report, shows no dose to anyone")]
    pub fn new(aws: &Aws) -> Self {
        Self {
            doses: Doses::new(aws),
            senders: Senders::new(aws),
            keys: aws.keys.clone(),
            metrics: aws.metrics.clone(),
        }
    }

    /// Stores every row that is not rejected. Returns the results of all rows. Rows that are stored
    /// later may change these results.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if a call to the store failed. Some rows may already be stored;
    /// importing all of them again is safe.
    pub async fn import(&self, source: Source<'_>, lines: &[Line]) -> Result<Vec<RowResult>, StoreError> {
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
        let stored = match source.sender {
            Some(_) => self.doses.of_events(incoming.iter().map(Incoming::event)).await?,
            None => HashMap::new(),
        };
        // Rows are grouped by event, and events are ordered by their first rows: if several events
        // report the same dose, the first should own it.
        let (mut positions, mut by_event) = (HashMap::new(), Vec::<Vec<Incoming>>::new());
        for incoming in incoming {
            let position = *positions.entry(incoming.event().clone()).or_insert(by_event.len());
            match by_event.get_mut(position) {
                Some(rows) => rows.push(incoming),
                None => by_event.push(vec![incoming]),
            }
        }
        let stored = &stored;
        let mut events: HashMap<EventKey, EventState> = HashMap::new();
        let mut writes = stream::iter(by_event)
            .map(|rows| {
                let stored = rows.first().and_then(|row| stored.get(row.event()));
                self.store_event(source, rows, stored, now)
            })
            .buffer_unordered(CONCURRENT_WRITES);
        while let Some(record) = writes.try_next().await? {
            let Some(record) = record else { continue };
            let is_foreign = record.belongs_to_other_sender(source.facility());
            let DoseRecord { pk, history, claim, duplicate, withdrawn, .. } = record;
            let (duplicate_of, is_withdrawn) = (claim.filter(|_| duplicate), withdrawn.is_some());
            events.insert(pk, EventState { history, duplicate_of, is_withdrawn, is_foreign });
        }
        let results = self.results(source, lines, &self.with_owners(events).await?);
        for result in &results {
            self.metrics.count(Counter::Rows, result.outcome.code());
        }
        Ok(results)
    }

    /// Rejects a FHIR transaction as a whole if the sender may not send one of its rows, because
    /// the row belongs to another facility or because another sender reported the event first. The
    /// reader has already judged each row by itself.
    ///
    /// The check is not atomic with [`RowImporter::import`]. If another sender reports one of the
    /// events in between, only the rows of that event are rejected.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if a call to the store failed. The lines are then unchanged.
    pub async fn check_transaction(&self, source: Source<'_>, lines: &mut [Line]) -> Result<(), StoreError> {
        let Some(facility) = source.facility() else { return Ok(()) };
        let key = |row: &FeedRow| self.keys.event(row.event_id.trim());
        let events: Vec<EventKey> = lines.iter().filter_map(|line| line.row.as_ref().ok()).map(key).collect();
        let stored = self.doses.of_events(&events).await?;
        reject_as_a_whole(lines, |row| {
            let is_foreign = |row: &FeedRow| {
                stored.get(&key(row)).is_some_and(|dose| dose.belongs_to_other_sender(Some(facility)))
            };
            if source.is_of_another_facility(row) {
                Some(Reason::FacilityOfAnother)
            } else {
                is_foreign(row).then_some(Reason::EventOfAnother)
            }
        });
        Ok(())
    }

    /// Stores the rows of one event sequentially, since concurrent writes would fail each other's
    /// conditions. Returns the record after the last row.
    ///
    /// A row is held if its sender has exceeded its daily quota of doses for the person. An event
    /// uses up one dose of the quota for each person that it names. Dropped files have no quota.
    async fn store_event(
        &self,
        source: Source<'_>,
        rows: Vec<Incoming>,
        stored: Option<&DoseRecord>,
        now: Timestamp,
    ) -> Result<Option<DoseRecord>, StoreError> {
        let (mut latest, mut quotas) = (None::<DoseRecord>, HashMap::new());
        for incoming in rows {
            let is_known = stored.is_some_and(|record| incoming.is_dose_of(record));
            let is_within_quota = match (source.sender, incoming.dosed_person()) {
                (Some(sender), Some(person)) if !is_known => match quotas.get(person) {
                    Some(is_within_quota) => *is_within_quota,
                    None => {
                        let is_within_quota = self.senders.take_dose(sender, person, now).await?;
                        quotas.insert(person.clone(), is_within_quota);
                        is_within_quota
                    }
                },
                _ => true,
            };
            let incoming = if is_within_quota { incoming } else { incoming.held(Reason::TooManyDoses) };
            let record = self.store_row(latest.as_ref().or(stored), &incoming).await?;
            tracing::info!(target: TRACE_TARGET, trace = record.trace(), revision = record.revision, "a row was kept");
            latest = Some(record);
        }
        Ok(latest)
    }

    /// Stores a row, with retries: the table scales out with a delay, and many parts may be
    /// imported at the same time.
    async fn store_row(
        &self,
        stored: Option<&DoseRecord>,
        incoming: &Incoming,
    ) -> Result<DoseRecord, StoreError> {
        (|| self.doses.keep(stored, incoming)).retry(BACKOFF).when(StoreError::retryable).await
    }

    /// Looks up the results of rows from a dropped file that has already been imported.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if a lookup failed.
    pub async fn look_up_results(
        &self,
        source: Source<'_>,
        lines: &[Line],
    ) -> Result<Vec<RowResult>, StoreError> {
        let rows = lines.iter().filter_map(|line| line.row.as_ref().ok());
        let events: Vec<EventKey> = rows.map(|row| self.keys.event(&row.event_id)).collect();
        let reported: Vec<_> = stream::iter(events.chunks(LOOKUP_BATCH))
            .map(|events| self.doses.reported(events))
            .buffer_unordered(CONCURRENT_LOOKUPS)
            .try_collect()
            .await?;
        let events = reported.into_iter().flatten().map(|reported| {
            let Reported { pk, history, claim, duplicate, withdrawn } = reported;
            let (duplicate_of, is_withdrawn) = (claim.filter(|_| duplicate), withdrawn.is_some());
            // Dropped files may correct events of any sender, as hubs may.
            (pk, EventState { history, duplicate_of, is_withdrawn, is_foreign: false })
        });
        Ok(self.results(source, lines, &self.with_owners(events.collect()).await?))
    }

    /// Looks up the events that own the doses of duplicates.
    async fn with_owners(&self, events: HashMap<EventKey, EventState>) -> Result<EventStates, StoreError> {
        let claims = events.values().filter_map(|event| event.duplicate_of.as_ref());
        let owners = self.doses.owning_events(claims).await?;
        Ok(EventStates { events, owners })
    }

    fn results(&self, source: Source<'_>, lines: &[Line], states: &EventStates) -> Vec<RowResult> {
        lines.iter().map(|line| self.result(source, line, states)).collect()
    }

    fn result(&self, source: Source<'_>, line: &Line, states: &EventStates) -> RowResult {
        let rejected = |event_id: &str, reasons| {
            let (event_id, outcome) = (truncated(event_id), Outcome::Rejected);
            RowResult { line: line.line, event_id, outcome, reasons, duplicate_of: None }
        };
        let row = match &line.row {
            Ok(row) => row,
            Err(unreadable) => return rejected(&unreadable.event_id, vec![unreadable.reason]),
        };
        let event_id = row.event_id.trim();
        if source.is_of_another_facility(row) {
            return rejected(event_id, vec![Reason::FacilityOfAnother]);
        }
        match (row.sent(), states.events.get(&self.keys.event(event_id))) {
            (Some(_), Some(event)) if event.is_foreign => rejected(event_id, vec![Reason::EventOfAnother]),
            (Some(sent_at), Some(event)) => {
                let digest = self.keys.row_digest(row);
                let origin = source.origin(line.line);
                let (mut outcome, mut reasons) = event.history.report(sent_at, &digest, &origin);
                let mut duplicate_of = None;
                if let (Outcome::Issued, Some(claim)) = (outcome, &event.duplicate_of) {
                    outcome = Outcome::Duplicate;
                    reasons.push(Reason::DoseDuplicate);
                    duplicate_of = states.owners.get(claim).cloned();
                } else if outcome == Outcome::Issued && event.is_withdrawn {
                    outcome = Outcome::Held;
                    reasons.push(Reason::DoseWithdrawn);
                }
                RowResult { line: line.line, event_id: truncated(event_id), outcome, reasons, duplicate_of }
            }
            // A row without an event id or a valid time was not stored.
            _ => rejected(event_id, row.judge(Timestamp::now()).1),
        }
    }
}

/// Truncates an event id for a response or report. The id of a rejected row may be 64 KiB long, and
/// a thousand such ids would exceed the 6 MB limit of a Lambda response.
fn truncated(event_id: &str) -> String {
    event_id.chars().take(MAX_FIELD_CHARS).collect()
}

/// Formats a CSV field. It is quoted if necessary, and escaped if a spreadsheet would evaluate it
/// as a formula.
fn csv_field(text: &str) -> String {
    let text = escape_formula(text);
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
    fn csv_fields_are_quoted_and_never_formulas() {
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
