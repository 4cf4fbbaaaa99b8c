//! Access control for personal records.
//!
//! The HTTP functions access personal records only through [`Records`]: clippy forbids them to
//! create the underlying clients of the store (`functions/.clippy.toml`). Each method requires a
//! proof of the caller's permission, and returns only data that this caller may see:
//!
//! | proof | caller |
//! |---|---|
//! | [`Login`] | the owner of a phone who is logged in |
//! | [`OfficerSession`] | an officer who is logged in and has passed the second factor |
//! | token and birth date | the recipient of a link |
//! | name and identity number | anyone who knows both |
//! | case number and birth date | the person who opened a case, without logging in |
//!
//! [`Login`] and [`OfficerSession`] have private fields, so they can be created only from a session
//! in the table.

#![expect(clippy::disallowed_methods, reason = "this module is the access control for records")]

mod cases;
mod officer;

use std::collections::BTreeSet;
use std::ops::Deref;

use bukti_domain::feed::CompleteDose;
use bukti_domain::{BirthDate, Dose, Identity, PersonName, PhoneNumber, Verdict};
use bukti_records::{
    CertificateRecord, DoseKey, DoseRecord, Keys, LinkAttempt, NameKey, PersonKey, PersonRecords, PhoneKey,
};
use bukti_store::{
    Audit, Aws, Cases, Certificates, Copies, Documents, Doses, Downloads, EvidenceStore, Links, Login,
    Notifications, Officers, Sessions,
};
use bukti_wire::{DocumentForm, DoseStatus, ProblemCode};
use jiff::Timestamp;

pub use officer::{FoundPerson, OfficerDecision, OfficerSession};

use super::view::distinct_doses_by_day;
use crate::{Allowance, Caller, Failure, Guard, dose_status, doses_by_day};

/// Reads and changes personal records on behalf of authorised callers.
#[derive(Clone)]
pub struct Records {
    aws: Aws,
    audit: Audit,
    cases: Cases,
    certificates: Certificates,
    copies: Copies,
    documents: Documents,
    doses: Doses,
    downloads: Downloads,
    evidence: EvidenceStore,
    links: Links,
    notifications: Notifications,
    officers: Officers,
    sessions: Sessions,
}

/// A certificate that the caller may see in full. It is the current certificate of its dose and not
/// revoked, and the caller either is logged in with the phone of the dose or has opened the link to
/// the certificate.
pub struct HolderCertificate(CertificateRecord);

impl HolderCertificate {
    /// Returns `None` if the certificate is revoked or is not the current certificate of its dose.
    fn new(certificate: CertificateRecord, dose: &DoseRecord) -> Option<Self> {
        let is_current = dose.certificate_id.as_deref() == Some(certificate.certificate_id());
        (is_current && certificate.revoked_at.is_none()).then_some(Self(certificate))
    }
}

impl Deref for HolderCertificate {
    type Target = CertificateRecord;

    fn deref(&self) -> &CertificateRecord {
        &self.0
    }
}

impl Records {
    /// Creates the clients for a deployment's table and bucket.
    pub fn new(aws: &Aws) -> Self {
        Self {
            audit: Audit::new(aws),
            cases: Cases::new(aws),
            certificates: Certificates::new(aws),
            copies: Copies::new(aws),
            documents: Documents::new(aws),
            doses: Doses::new(aws),
            downloads: Downloads::new(aws),
            evidence: EvidenceStore::new(aws),
            links: Links::new(aws),
            notifications: Notifications::new(aws),
            officers: Officers::new(aws),
            sessions: Sessions::new(aws),
            aws: aws.clone(),
        }
    }

    /// Whether any dose is registered with a phone. This method requires no proof, so its result
    /// must not be revealed to the caller: it only determines which share of the SMS budget pays
    /// for a code.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn has_dose(&self, phone: &PhoneNumber) -> Result<bool, Failure> {
        Ok(self.doses.has_phone_key(&self.aws.keys.phone(phone)).await?)
    }

    /// The doses under an identity number whose name matches, and whether there are more.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable; `internal` if a record cannot be
    /// decrypted.
    pub async fn of_name(
        &self,
        name: &PersonName,
        identity: &Identity,
    ) -> Result<(Vec<DoseStatus>, bool), Failure> {
        let records = self.doses.of_person(identity).await?;
        let mut doses = Vec::new();
        let is_named = |dose: &Dose| dose.name.as_ref().is_some_and(|registered| registered.matches(name));
        // Two events can report the same dose with different spellings of the name; they then have
        // the same claim. This set contains the claims of all events with the given spelling, each
        // with the facility that sent the event (`None` for a hub).
        let mut named: BTreeSet<(&DoseKey, Option<&str>)> = BTreeSet::new();
        for (record, dose) in doses_by_day(&records, &self.aws.keys)? {
            let claim = record.claim.as_ref().filter(|_| is_named(&dose));
            named.extend(claim.map(|claim| (claim, record.facility.as_deref())));
        }
        // A different spelling is accepted only from a hub or from the facility that sent the dose.
        // A claim does not include the name, so otherwise any facility could make a stranger's dose
        // visible under an invented name.
        let is_spelled = |record: &DoseRecord| {
            let senders = [None, record.facility.as_deref()];
            let claim = record.claim.as_ref();
            claim.is_some_and(|claim| senders.iter().any(|sender| named.contains(&(claim, *sender))))
        };
        for (record, dose) in distinct_doses_by_day(&records, &self.aws.keys)? {
            // Doses under this number with another name are not shown, since they belong to another
            // person or were entered with a wrong number.
            if is_named(&dose) || is_spelled(record) {
                doses.push(dose_status(record, &dose, records.certificate_of(record), None));
            }
        }
        // If no name matches, the response must not reveal that there are doses under the number.
        let more = records.more && !doses.is_empty();
        Ok((doses, more))
    }

    /// The doses that are registered with the caller's phone, and whether there are more.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable; `internal` if a record cannot be
    /// decrypted.
    pub async fn of_phone(&self, login: &Login) -> Result<(Vec<DoseRecord>, bool), Failure> {
        Ok(self.doses.of_phone_key(login.phone()).await?)
    }

    /// The records of the person with this index key that the owner of the caller's phone may see.
    ///
    /// # Errors
    ///
    /// `not_found` if the person is unknown, or if no dose of the person is registered with the
    /// phone.
    pub async fn of_person(&self, login: &Login, person: &PersonKey) -> Result<OwnRecords, Failure> {
        let all = self.doses.of_person_key(person, Some(login.phone())).await?;
        if all.doses.iter().all(|record| record.phone.as_ref() != Some(login.phone())) {
            return Err(Failure::new(ProblemCode::NotFound));
        }
        OwnRecords::visible_to(all, login.phone(), &self.aws.keys)
    }

    /// The certificate with this id and its dose, if the dose is registered with the caller's
    /// phone.
    ///
    /// # Errors
    ///
    /// `not_found` if the certificate is unknown, revoked or superseded, or if its dose is
    /// registered with another phone. The caller cannot distinguish these cases.
    pub async fn certificate(
        &self,
        login: &Login,
        id: &str,
    ) -> Result<(HolderCertificate, CompleteDose), Failure> {
        let missing = || Failure::new(ProblemCode::NotFound);
        let certificate = self.certificates.of_id(id).await?.ok_or_else(missing)?;
        let record = self.doses.of_event(&certificate.event).await?.ok_or_else(missing)?;
        let own = record.phone.as_ref() == Some(login.phone());
        let certificate = HolderCertificate::new(certificate, &record).filter(|_| own).ok_or_else(missing)?;
        let dose = record.dose(&self.aws.keys)?.complete().ok_or_else(missing)?;
        let dose = dose.in_series_of(certificate.primary_doses);
        Ok((certificate, dose))
    }

    /// Opens the link from an SMS if the birth date is correct, and returns the certificate and its
    /// dose.
    ///
    /// # Errors
    ///
    /// `birth_date_wrong` with the number of attempts left; `link_locked`; `link_dead`;
    /// `certificate_not_ready`; `too_many_requests`.
    pub async fn open_link(
        &self,
        guard: &Guard,
        caller: &Caller,
        (token, birth_date): (&str, BirthDate),
        now: Timestamp,
    ) -> Result<(HolderCertificate, CompleteDose), Failure> {
        let dead = || Failure::new(ProblemCode::LinkDead);
        let link = match self.links.count_try(token, now).await? {
            LinkAttempt::Counted(link) => link,
            LinkAttempt::Locked => return Err(Failure::new(ProblemCode::LinkLocked)),
            LinkAttempt::Dead => return Err(guard.unknown_token(caller, ProblemCode::LinkDead, now).await),
        };
        let record = self.doses.of_event(&link.event).await?.ok_or_else(dead)?;
        if record.phone_version != link.phone_version {
            // The phone has been corrected since the SMS was sent, so the link went to another
            // phone.
            return Err(dead());
        }
        let dose = record.dose(&self.aws.keys)?;
        if !dose.birth_date.is_some_and(|known| known.is_matched_by(birth_date)) {
            return Err(match link.tries_left {
                0 => {
                    self.links.lock(&link, now).await?;
                    Failure::new(ProblemCode::LinkLocked)
                }
                tries => Failure::new(ProblemCode::BirthDateWrong).tries_left(tries),
            });
        }
        if !self.links.opened(&link, now).await? {
            return Err(dead());
        }
        // The rate limit is checked last. Wrong birth dates are limited per link, and a correct one
        // has just restored the link's attempts, so a caller who is rejected here has lost no
        // attempt.
        guard.allow(caller, &Allowance::LINKS, now).await?;

        let not_ready = || Failure::new(ProblemCode::CertificateNotReady).retry_after(60);
        let id = record.certificate_id.clone().ok_or_else(not_ready)?;
        let certificate = self.certificates.of_id(&id).await?.ok_or_else(not_ready)?;
        let certificate = HolderCertificate::new(certificate, &record).ok_or_else(dead)?;
        let dose = dose.complete().ok_or_else(not_ready)?.in_series_of(certificate.primary_doses);
        Ok((certificate, dose))
    }

    /// Disables a link whose SMS reached the wrong person. If the link was sent for a quick
    /// download, also blocks quick downloads for the person whose certificate was requested.
    ///
    /// # Errors
    ///
    /// `link_dead` if the link is unknown or expired, or if the phone has been corrected since the
    /// SMS was sent; `too_many_requests` after too many unknown tokens.
    pub async fn refuse_link(
        &self,
        guard: &Guard,
        caller: &Caller,
        token: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let dead = || Failure::new(ProblemCode::LinkDead);
        let Some(link) = self.links.refuse(token, now).await? else {
            return Err(guard.unknown_token(caller, ProblemCode::LinkDead, now).await);
        };
        let record = self.doses.of_event(&link.event).await?.ok_or_else(dead)?;
        if record.phone_version != link.phone_version {
            // The phone has been corrected since the SMS was sent. The owner of the old phone must
            // not be able to block the person's downloads.
            return Err(dead());
        }
        if let Some(person) = &link.download_of {
            self.downloads.lock(person, now).await?;
        }
        Ok(())
    }

    /// A presigned URL of the PDF that was stored when the certificate was issued, valid for
    /// [`Documents::EXPIRES_IN`] seconds.
    ///
    /// # Errors
    ///
    /// `unavailable` if no AWS credentials are available.
    pub async fn document_url(
        &self,
        certificate: &HolderCertificate,
        file_name: &str,
    ) -> Result<String, Failure> {
        Ok(self.documents.address(&certificate.document, file_name).await?)
    }

    /// Temporarily stores the PDF of a certificate in this form, and returns a presigned URL of it,
    /// valid for as long as a URL from [`Records::document_url`].
    ///
    /// # Errors
    ///
    /// `unavailable` if the bucket is unreachable.
    pub async fn store_copy(
        &self,
        certificate: &HolderCertificate,
        (form, copy): (DocumentForm, Vec<u8>),
        file_name: &str,
    ) -> Result<String, Failure> {
        let qr_text = certificate.qr_text(&self.aws.keys)?;
        let name = self.aws.keys.document_name(certificate.certificate_id(), &qr_text);
        // The name is derived from the certificate and the form, and rendering is reproducible, so
        // overwriting an existing copy is harmless.
        let name = format!("{name}-{}.pdf", form.code());
        Ok(self.copies.store_and_presign(&name, copy, file_name).await?)
    }
}

/// The records under one identity number that the owner of a phone may see: the doses registered
/// with the phone, and other doses with the same name and birth date.
///
/// A matching identity number alone is not sufficient. Identity numbers can be guessed, so a row
/// with this phone and number may be a mistake, or an attempt to read another person's records.
#[derive(Debug)]
pub struct OwnRecords {
    /// The visible doses, and all certificates under the number.
    records: PersonRecords,
    /// The index key of the phone whose owner may see the records.
    phone: PhoneKey,
    /// The keys of name and birth date of the doses that make other doses visible.
    names: BTreeSet<NameKey>,
    /// Whether all doses under the number are visible.
    is_complete: bool,
}

impl OwnRecords {
    /// Filters the records under a number to those that the owner of the phone with this index key
    /// may see.
    fn visible_to(records: PersonRecords, phone: &PhoneKey, keys: &Keys) -> Result<Self, Failure> {
        let is_own = |record: &DoseRecord| record.phone.as_ref() == Some(phone);
        // Held and rejected rows grant no access, since they may belong to anyone. Neither do
        // duplicates: only the phone of the event that owns the dose counts.
        let grants_access = |record: &DoseRecord| {
            is_own(record)
                && !record.duplicate
                && matches!(record.verdict, Verdict::Complete | Verdict::Incomplete)
        };
        let (mut known, mut names) = (Vec::new(), BTreeSet::new());
        for record in records.doses.iter().filter(|record| grants_access(record)) {
            let dose = record.dose(keys)?;
            known.extend(dose.name.zip(dose.birth_date));
            names.extend(record.alike.clone());
        }
        let number_of_doses = records.doses.len();
        let mut doses = Vec::with_capacity(number_of_doses);
        for record in records.doses {
            if is_own(&record) || is_of(&record.dose(keys)?, &known) {
                doses.push(record);
            }
        }
        let is_complete = doses.len() == number_of_doses && !records.more;
        let records = PersonRecords { doses, ..records };
        Ok(Self { records, phone: phone.clone(), names, is_complete })
    }

    /// Whether there are more doses under the number than were read.
    pub fn more(&self) -> bool {
        self.records.more
    }

    /// The doses that are registered with the phone.
    pub fn registered(&self) -> impl Iterator<Item = &DoseRecord> {
        self.records.doses.iter().filter(|record| self.is_registered(record))
    }

    fn is_registered(&self, record: &DoseRecord) -> bool {
        record.phone.as_ref() == Some(&self.phone)
    }

    /// The decrypted doses without duplicates, sorted by vaccination date.
    ///
    /// # Errors
    ///
    /// `internal` if a record cannot be decrypted.
    pub fn distinct_doses_by_day(&self, keys: &Keys) -> Result<Vec<(&DoseRecord, Dose)>, Failure> {
        distinct_doses_by_day(&self.records, keys)
    }

    /// The status of a dose, including whether the dose is registered with the phone.
    pub fn status(&self, record: &DoseRecord, dose: &Dose) -> DoseStatus {
        let certificate = self.records.certificate_of(record);
        dose_status(record, dose, certificate, Some(self.is_registered(record)))
    }

    /// The certificate of a dose, if the dose is registered with the phone and the certificate is
    /// not revoked.
    pub fn certificate(&self, record: &DoseRecord) -> Option<HolderCertificate> {
        let certificate = self.records.certificate_of(record).filter(|_| self.is_registered(record))?;
        HolderCertificate::new(certificate.clone(), record)
    }

    /// Whether the owner of the phone may see an audit log entry about doses with these keys of
    /// name and birth date. If another person is recorded under the same number, entries that
    /// concern only that person are not visible.
    pub fn may_see_audit_entry(&self, names: &[NameKey]) -> bool {
        let is_own = self.is_complete || names.iter().any(|name| self.names.contains(name));
        is_own && !self.names.is_empty()
    }
}

/// Whether a dose has the name and birth date of one of these people.
fn is_of(dose: &Dose, people: &[(PersonName, BirthDate)]) -> bool {
    people.iter().any(|(name, birth_date)| dose.is_of(name, *birth_date))
}
