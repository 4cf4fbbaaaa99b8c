//! Event function `issue`: creates a signed certificate and its document for each complete dose.
//!
//! ```text
//! dose ──► payload ──► signature ──► QR text ──► PDF in the bucket ──► certificate record (conditional write)
//! ```
//!
//! A certificate's id is derived from its event and version, so that a retry results in an
//! identical id. The document is stored before the record, so that every record has its document.
//! If two workers process a dose concurrently, one of them writes the record, and the other deletes
//! its own document.
//!
//! # Confirmed identity data
//!
//! A confirmation of a person's identity data makes the person's held doses complete. These writes
//! arrive here through the table's stream, like the writes of any complete dose. Each held dose
//! that arrives here is also compared with the confirmations, because one may have been written
//! after the intake had read them and before it stored the dose.
//!
//! # Corrections
//!
//! A corrected dose gets a new version and thus a new certificate. The certificates of earlier
//! versions are superseded, which puts them on the revocation list. Each worker writes its
//! certificate first and then reads the other records, so that no two certificates stay valid,
//! however many workers process the versions and in whatever order:
//!
//! ```text
//! intake     dose v1 ────────── dose v2
//! worker A          ┌ put cert 1 ┐          ┌ read the dose: it is at v2 ─► supersede 1
//! worker B          └────────────┴ put cert 2 ┴ read cert 1: it exists ─► supersede 1
//! ```
//!
//! The dose is at v2 before any worker puts certificate 2. If B reads certificate 1 before A has
//! put it, then A reads the dose even later and finds v2; otherwise B finds certificate 1. If both
//! workers notice the outdated certificate, one of them supersedes it, and the other's attempt has
//! no effect. Processing is idempotent: a retried record repeats all steps, even if the process
//! died between two of them.
//!
//! # Retractions and duplicates
//!
//! A retracted dose has no certificate id, and the certificates of all its versions are revoked.
//! The order of the steps is as above: the dose is retracted before the worker of the retraction
//! reads the certificates, and a worker that puts a certificate reads the dose afterwards.
//! The later of the two finds the other's write, so that no certificate stays valid.
//!
//! If several events report one dose, only the event that owns the [claim](bukti_store::Claims)
//! gets a certificate. The ownership is confirmed before each certificate is issued. If an event no
//! longer holds its claim, the claim is released here, which makes the oldest duplicate its owner.
//! The new owner's certificate supersedes the certificates of the event.
//!
//! # Withdrawn doses
//!
//! When an admin revokes a certificate, its dose is withdrawn in the same transaction, which
//! increments the dose's revision. So concurrent writes of rows and corrections fail, and are
//! retried with the withdrawn dose. No certificate is issued for a withdrawn dose. A certificate
//! that was being issued at that time is revoked by the worker that put it or by the worker that
//! processes the withdrawal, as for retractions. A reinstated dose has no certificate id, and gets
//! a new one here.
//!
//! # Dose numbers
//!
//! A certificate shows the number of doses in its series (`sd`), which depends on the person's
//! first dose against the disease ([`primary_doses`]). If that dose arrives, is corrected or is
//! retracted after other certificates were issued, the certificates with an outdated number are
//! reissued, without another SMS. Each worker puts its certificate first and then reads the
//! person's other doses, so that the later of two workers finds the other's write. This costs a
//! query of the person's doses. The first dose of a two-dose vaccine, which is the common case,
//! does not need this query: it only affects the numbers of doses in other series, and these doses
//! [mark](SeriesMarks) their person before the others are read.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use bukti_records::keys::signers_and_confirmations_filter;
use bukti_records::{
    CertificateRecord, ConfirmationRecord, DoseRecord, EventKey, ItemKind, OpenError, PersonKey, Revocation,
};
use bukti_runtime::{TRACE_TARGET, process_batch};
use bukti_store::{
    Aws, Certificates, Claims, Counter, DocumentSigners, Documents, Doses, RevokeOutcome, SeriesMarks,
    Signers, SigningError, StoreError, Stored,
};
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use bukti_document::{Certificate, DocumentError, Form, Printer};
use bukti_domain::feed::primary_doses;
use bukti_domain::{Dose, INDONESIA_WEST, Verdict, certificate_id_grouped};
use bukti_hcert::{CERTIFICATE_VALID_FOR, HcertError, Vaccination, seal, uvci};
use futures::TryStreamExt;
use jiff::Timestamp;

/// The filter patterns of the stream records that invoke the function, as in the template: doses
/// that have or will get a certificate, the register of signers together with confirmations, doses
/// that may release a claim, doses whose certificates are void, and held doses. AWS allows five
/// patterns.
pub fn patterns() -> Vec<String> {
    let dose = |image: &str| format!(r#"{{"dynamodb": {{{}, {image}}}}}"#, ItemKind::Dose.filter());
    vec![
        dose(r#""NewImage": {"certificate_id": {"S": [{"exists": true}]}}"#),
        format!(r#"{{"dynamodb": {{{}}}}}"#, signers_and_confirmations_filter()),
        dose(r#""OldImage": {"claim": {"S": [{"exists": true}]}}"#),
        dose(r#""NewImage": {"void_version": {"N": [{"exists": true}]}}"#),
        dose(r#""NewImage": {"verdict": {"S": ["held"]}}"#),
    ]
}

/// The reason for revoking the certificates of a retracted dose, as shown in the helpdesk's audit
/// log and by `bukti revoke`.
const RETRACTED: &str = "retracted by its facility";
/// The reason for revoking the other certificates of a withdrawn dose.
const WITHDRAWN: &str = "withdrawn with another certificate of the dose";

#[derive(Debug, thiserror::Error)]
enum IssueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Seal(#[from] HcertError),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("a complete dose lacks a value that its certificate needs")]
    Incomplete,
    #[error("a dose was changed concurrently; the record is retried")]
    Changed,
}

/// The function `issue`, with the capabilities that it needs.
#[derive(Clone)]
pub struct Issue {
    aws: Aws,
    doses: Doses,
    certificates: Certificates,
    claims: Claims,
    documents: Documents,
    series_marks: SeriesMarks,
    signers: DocumentSigners,
    printer: Arc<Printer>,
}

/// A dose whose certificates may have to be issued, superseded or revoked.
struct Change {
    dose: DoseRecord,
    /// The index key of the dose's previous person, if the identity number was corrected.
    previous_person: Option<PersonKey>,
}

/// The records that are read after the certificates of a batch have been put.
struct CurrentState {
    /// The current doses of the batch, by event.
    doses: HashMap<EventKey, DoseRecord>,
    /// The people who have a dose of a vaccine whose primary series does not have two doses.
    marked: HashSet<PersonKey>,
}

impl Issue {
    /// Creates the function with the clients of a deployment.
    #[expect(clippy::disallowed_methods, reason = "called by the table's stream, not by people")]
    pub fn new(aws: &Aws) -> Self {
        Self {
            doses: Doses::new(aws),
            certificates: Certificates::new(aws),
            claims: Claims::new(aws),
            documents: Documents::new(aws),
            series_marks: SeriesMarks::new(aws),
            signers: DocumentSigners::new(aws),
            printer: Arc::new(Printer::new(aws.settings.publisher())),
            aws: aws.clone(),
        }
    }

    /// Processes a batch of stream records. The response names the records that failed, for a
    /// retry.
    pub async fn handle(&self, event: Event) -> DynamoDbEventResponse {
        let now = Timestamp::now();
        process_batch(
            &self.aws,
            event,
            async |record| self.record(record, now).await,
            async |changes| {
                let doses = || changes.iter().flatten().map(|change| &change.dose);
                let first = doses().filter(|dose| dose.dose_number == Some(1));
                let (doses, marked) = tokio::try_join!(
                    self.doses.of_events(doses().map(|dose| &dose.pk)),
                    self.series_marks.of(first.filter_map(|dose| dose.person.as_ref())),
                )?;
                Ok(CurrentState { doses, marked })
            },
            async |change, current_state| match change {
                Some(change) => self.settle(&change, current_state, now).await,
                None => Ok(()),
            },
        )
        .await
    }

    /// Issues the certificate that a stream record requires, if any. Returns the dose if any of its
    /// certificates may have to be revoked or superseded.
    async fn record(&self, record: EventRecord, now: Timestamp) -> Result<Option<Change>, IssueError> {
        if Signers::changed_by(&record) {
            self.signers.forget();
            return Ok(None);
        }
        if let Some(confirmation) = ConfirmationRecord::from_image(record.change.new_image.clone()) {
            // Writing the doses invokes this function again.
            self.doses.confirm_all_held(&confirmation.pk).await?;
            return Ok(None);
        }
        let before = DoseRecord::from_image(record.change.old_image);
        let Some(dose) = DoseRecord::from_image(record.change.new_image) else { return Ok(None) };
        if dose.verdict == Verdict::Held {
            self.doses.confirm_held(dose.clone()).await?;
        }
        self.release(before.as_ref(), &dose).await?;
        if dose.lacks_certificate_id() {
            // If the dose was changed concurrently, that change invokes this function again.
            self.doses.reissue(&dose).await?;
            return Ok(None);
        }
        let is_known = |before: &DoseRecord| {
            before.certificate_id == dose.certificate_id
                && before.void_version == dose.void_version
                && before.withdrawn == dose.withdrawn
                && before.again_at == dose.again_at
        };
        if before.as_ref().is_some_and(is_known) {
            return Ok(None);
        }
        let previous_person = before.as_ref().and_then(|before| before.person.clone());
        let previous_person = previous_person.filter(|person| dose.person.as_ref() != Some(person));
        let Some(id) = &dose.certificate_id else {
            return Ok((dose.void_version > 0).then_some(Change { dose, previous_person }));
        };
        // Do not read the certificate of a new dose: it does not exist unless this is a retry, and
        // in that case issuing it again has no effect.
        let may_be_issued = dose.withdrawn.is_none();
        if may_be_issued && (before.is_none() || self.certificates.of_id(id).await?.is_none()) {
            let confirmed = self.claims.confirm(dose.clone()).await?;
            if confirmed.certificate_id.as_ref() == Some(id) {
                self.issue(&dose, id, now).await?;
            }
        }
        Ok(Some(Change { dose, previous_person }))
    }

    /// Releases the claims that an event no longer holds: the claim that it owned before, and the
    /// claims that it kept while it was withdrawn.
    async fn release(&self, before: Option<&DoseRecord>, dose: &DoseRecord) -> Result<(), IssueError> {
        let Some(before) = before else { return Ok(()) };
        let withdrawn_with = before.withdrawn.iter().flat_map(|withdrawal| &withdrawal.claims);
        for claim in before.claim.iter().chain(withdrawn_with) {
            if dose.claim.as_ref() != Some(claim) || dose.verdict != Verdict::Complete {
                self.claims.release(claim, &dose.pk).await?;
            }
        }
        Ok(())
    }

    /// Revokes or supersedes all certificates of the event except the current one, or all of them
    /// if they are void, even if others are being issued concurrently. Also corrects the number of
    /// doses on other certificates of the series. `current_state` was read after this certificate
    /// was put.
    async fn settle(
        &self,
        change: &Change,
        current_state: &CurrentState,
        now: Timestamp,
    ) -> Result<(), IssueError> {
        let (keys, dose) = (&self.aws.keys, &change.dose);
        let latest = current_state.doses.get(&dose.pk).unwrap_or(dose);
        if latest.verdict == Verdict::Retracted && dose.verdict != Verdict::Retracted {
            self.announce_retraction(dose, latest).await?;
        }
        if latest.withdrawn.is_some() {
            self.revoke(latest.all_certificates(keys), Revocation::Revoked(WITHDRAWN), now).await?;
        }
        if latest.certificate_id.is_none() {
            let revocation = match &latest.superseded_by {
                Some(by) => Revocation::Superseded(by),
                None => Revocation::Revoked(RETRACTED),
            };
            self.revoke(latest.void_certificates(keys), revocation, now).await?;
        }
        let Some(current) = latest.latest_certificate(keys) else { return Ok(()) };
        let mut superseded = dose.all_certificates(keys);
        superseded.retain(|id| *id != current);
        self.revoke(superseded, Revocation::Superseded(&current), now).await?;
        if self.may_change_counts(dose, current_state)? {
            for person in dose.person.iter().chain(&change.previous_person) {
                self.recount(person).await?;
            }
        }
        Ok(())
    }

    /// Requests the SMS about a retraction again if the dose was retracted before this certificate
    /// was put, because there may have been no certificate when `notify` processed the request.
    /// Call this before revoking the certificate, so that a retry repeats both steps if the process
    /// dies between them.
    async fn announce_retraction(&self, dose: &DoseRecord, latest: &DoseRecord) -> Result<(), IssueError> {
        let Some(id) = &dose.certificate_id else { return Ok(()) };
        let certificate = self.certificates.of_id(id).await?;
        if certificate.is_none_or(|certificate| certificate.revoked_at.is_some()) {
            return Ok(());
        }
        if self.doses.request_sms_again(latest).await? { Ok(()) } else { Err(IssueError::Changed) }
    }

    async fn revoke(
        &self,
        certificates: Vec<String>,
        revocation: Revocation<'_>,
        now: Timestamp,
    ) -> Result<(), IssueError> {
        let state = match revocation {
            Revocation::Revoked(_) | Revocation::Withdrawn(_) => "revoked",
            Revocation::Superseded(_) => "superseded",
        };
        for id in certificates {
            if matches!(self.certificates.revoke(&id, revocation, now).await?, RevokeOutcome::Now) {
                self.aws.metrics.count(Counter::Certificates, state);
            }
        }
        Ok(())
    }

    /// Whether issuing, correcting or retracting this dose may make the number of doses on other
    /// certificates wrong. `false` for a new first dose of a two-dose vaccine, unless its person is
    /// marked.
    fn may_change_counts(
        &self,
        record: &DoseRecord,
        current_state: &CurrentState,
    ) -> Result<bool, IssueError> {
        let is_new = record.certificate_id.is_some() && record.certificate_version == 1;
        let vaccine = record.dose(&self.aws.keys)?.vaccine;
        let Some(vaccine) = vaccine.filter(|vaccine| vaccine.counted_series().is_some()) else {
            return Ok(!is_new);
        };
        let is_common = is_new && record.dose_number == Some(1) && vaccine.primary_doses == 2;
        Ok(!is_common || record.person.as_ref().is_some_and(|person| current_state.marked.contains(person)))
    }

    /// The doses of a person that count towards a series, with their parsed rows.
    async fn counted_doses(&self, person: &PersonKey) -> Result<Vec<(DoseRecord, Dose)>, IssueError> {
        let mut counted = Vec::new();
        let mut doses = pin!(self.doses.each_of_person(person));
        while let Some(record) = doses.try_next().await? {
            if record.certificate_id.is_some() && record.withdrawn.is_none() {
                let dose = record.dose(&self.aws.keys)?;
                counted.push((record, dose));
            }
        }
        Ok(counted)
    }

    /// The result of [`counted_primary_doses`] for a dose whose certificate is about to be issued.
    /// Marks the person if necessary.
    async fn primary_doses(&self, record: &DoseRecord, dose: &Dose) -> Result<Option<u8>, IssueError> {
        let vaccine = dose.vaccine.filter(|vaccine| vaccine.counted_series().is_some());
        let Some((person, vaccine)) = record.person.as_ref().zip(vaccine) else { return Ok(None) };
        if vaccine.primary_doses != 2 {
            self.series_marks.set(person).await?;
        }
        if dose.dose_number == Some(1) {
            return Ok(None);
        }
        let counted = self.counted_doses(person).await?;
        Ok(counted_primary_doses(dose, counted.iter().map(|(_, dose)| dose)))
    }

    /// Reissues those certificates of a person that show an outdated number of doses.
    async fn recount(&self, person: &PersonKey) -> Result<(), IssueError> {
        let counted = self.counted_doses(person).await?;
        for (record, dose) in &counted {
            let Some(vaccine) = dose.vaccine.filter(|vaccine| vaccine.counted_series().is_some()) else {
                continue;
            };
            let right = counted_primary_doses(dose, counted.iter().map(|(_, dose)| dose));
            let right = right.unwrap_or(vaccine.primary_doses);
            let Some(id) = &record.certificate_id else { continue };
            let Some(certificate) = self.certificates.of_id(id).await? else { continue };
            let said = certificate.primary_doses.unwrap_or(vaccine.primary_doses);
            let is_wrong = said != right && certificate.revoked_at.is_none();
            // The concurrent change may not have affected the number of doses, so retry the stream
            // record.
            if is_wrong && !self.doses.reissue(record).await? {
                return Err(IssueError::Changed);
            }
        }
        Ok(())
    }

    async fn issue(&self, record: &DoseRecord, id: &str, now: Timestamp) -> Result<(), IssueError> {
        let settings = &self.aws.settings;
        let dose = record.dose(&self.aws.keys)?;
        let primary_doses = self.primary_doses(record, &dose).await?;
        let dose = dose.complete().ok_or(IssueError::Incomplete)?.in_series_of(primary_doses);
        let uvci = uvci(id);
        let vaccination = Vaccination { dose: &dose, issuer: &settings.issuer, uvci: &uvci };
        let signer = self.signers.active().await?;
        let sealed = seal(&vaccination, &*signer, now, now + CERTIFICATE_VALID_FOR).await?;

        let grouped = certificate_id_grouped(id);
        let issued_on = INDONESIA_WEST.to_datetime(now).date();
        let printed = Certificate::of(&dose, &grouped, issued_on, &sealed.text);
        let pdf = self.printer.pdf(&printed, Form::Complete)?;

        let name = self.aws.keys.document_name(id, &sealed.text);
        let document = format!("{}{name}.pdf", Documents::FOLDER);
        self.documents.keep(&document, pdf).await?;
        let certificate = CertificateRecord::new(
            record,
            dose.dose_number,
            uvci,
            &sealed,
            now,
            document.clone(),
            &self.aws.keys,
        )
        .ok_or(IssueError::Incomplete)?
        .in_series_of(dose.primary_doses);
        if self.certificates.issue(&certificate).await? {
            self.aws.metrics.count(Counter::Certificates, "issued");
            tracing::info!(target: TRACE_TARGET, trace = record.trace(), "a certificate was issued");
        } else {
            // Another worker has issued the certificate with a different signature, so only that
            // worker's document is valid.
            self.documents.remove(&document).await?;
        }
        Ok(())
    }
}

/// The number of doses in the primary series of a dose, given all doses under its identity number.
/// `None` if the dose's own vaccine determines the number, as for every first dose.
///
/// Issuing and recounting must both use this function: with two different rules, they would keep
/// replacing each other's certificates. Doses under one identity number belong to one person only
/// if their names and birth dates match. Without this check, a row under a stranger's number would
/// supersede the stranger's certificates.
fn counted_primary_doses<'a>(dose: &Dose, all: impl IntoIterator<Item = &'a Dose>) -> Option<u8> {
    let vaccine = dose.vaccine.filter(|vaccine| vaccine.counted_series().is_some())?;
    if dose.dose_number == Some(1) {
        return None;
    }
    let (name, birth_date) = dose.name.as_ref().zip(dose.birth_date)?;
    let own = all.into_iter().filter(|other| other.is_of(name, birth_date));
    primary_doses(own, &vaccine.disease)
}

#[cfg(test)]
mod tests {
    use bukti_domain::FeedRow;

    use super::*;

    fn dose(name: &str, number: u8, vaccine: &str, day: &str) -> Dose {
        let row = FeedRow {
            nik: "3171012401896246".into(),
            nama: name.into(),
            tanggal_lahir: "1989-01-24".into(),
            dosis_ke: number.to_string(),
            vaksin: vaccine.into(),
            tanggal_vaksinasi: day.into(),
            ..FeedRow::default()
        };
        row.dose()
    }

    /// Doses of one person, from primary series of one, two and three doses, on two days.
    fn all_doses() -> Vec<Dose> {
        let mut all = Vec::new();
        for vaccine in ["CoronaVac", "Moderna", "Janssen", "Zifivax"] {
            for number in 1..=3 {
                for day in ["2021-02-01", "2021-08-01"] {
                    all.push(dose("Iwan Purnomo", number, vaccine, day));
                }
            }
        }
        all
    }

    /// If the result depended on the order, recounts that read the doses in different orders would
    /// replace each other's certificates.
    #[test]
    fn number_of_doses_is_independent_of_order() {
        let all = all_doses();
        for one in &all {
            for two in &all {
                for three in &all {
                    for dose in [one, two, three] {
                        let count = |of: [&Dose; 3]| counted_primary_doses(dose, of);
                        let counted = count([one, two, three]);
                        for other in [
                            [one, three, two],
                            [two, one, three],
                            [two, three, one],
                            [three, one, two],
                            [three, two, one],
                        ] {
                            assert_eq!(count(other), counted, "{dose:?} of {one:?}, {two:?}, {three:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn strangers_first_dose_does_not_affect_series() {
        let owner = dose("Iwan Purnomo", 1, "Janssen", "2021-02-01");
        let stranger = dose("Budi Santoso", 3, "Moderna", "2022-02-01");
        let of_both = [&owner, &stranger];
        assert_eq!(counted_primary_doses(&stranger, of_both), None);
        let own = dose("Iwan Purnomo", 3, "Moderna", "2022-02-01");
        assert_eq!(counted_primary_doses(&own, of_both), Some(1));
    }
}
