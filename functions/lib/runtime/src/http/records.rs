//! Access control for the records of people.
//!
//! The HTTP functions use [`Records`] instead of the store's capabilities behind it, which clippy
//! forbids them to create (`functions/.clippy.toml`). Each method takes a proof of the caller's
//! permission, and returns only what that caller may see:
//!
//! | proof | caller |
//! |---|---|
//! | [`Login`] | the owner of a phone, logged in |
//! | [`OfficerSession`] | an officer, logged in, with the second factor |
//! | token and birth date | the recipient of a link |
//! | name and identity number | anyone who knows both |
//! | case number and birth date | the person who opened a case, without an account |
//!
//! [`Login`] and [`OfficerSession`] have private fields, so they can only come from a session in
//! the table.

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

/// Reads and changes the records of people on behalf of callers with permission.
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

/// A certificate that the caller may see in full: it is the current one of its dose and not
/// revoked, and the caller is logged in with the phone of the dose or has opened its link.
pub struct HolderCertificate(CertificateRecord);

impl HolderCertificate {
    /// `None` if the certificate is not the current one of its dose, or is revoked.
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
    /// The records of a deployment.
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

    /// Whether a dose is registered with a phone. Needs no proof, so the result must not reach the
    /// caller: it only selects the share of the SMS budget that pays for a code.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn has_dose(&self, phone: &PhoneNumber) -> Result<bool, Failure> {
        Ok(self.doses.has_phone_key(&self.aws.keys.phone(phone)).await?)
    }

    /// The doses under an identity number that are registered with this name, and whether there are
    /// more.
    ///
    /// # Errors
    ///
    /// `unavailable`, `internal`.
    pub async fn of_name(
        &self,
        name: &PersonName,
        identity: &Identity,
    ) -> Result<(Vec<DoseStatus>, bool), Failure> {
        let records = self.doses.of_person(identity).await?;
        let mut doses = Vec::new();
        let is_named = |dose: &Dose| dose.name.as_ref().is_some_and(|registered| registered.matches(name));
        // Two events can report the same dose (they have the same claim) with different spellings
        // of the name. This set has the claims for which an event has the given spelling, with the
        // facility that sent the event.
        let mut named: BTreeSet<(&DoseKey, Option<&str>)> = BTreeSet::new();
        for (record, dose) in doses_by_day(&records, &self.aws.keys)? {
            let claim = record.claim.as_ref().filter(|_| is_named(&dose));
            named.extend(claim.map(|claim| (claim, record.facility.as_deref())));
        }
        // The other spelling is accepted only from a hub or from the sender of the dose itself. A
        // claim does not include the name, so any other facility could make a stranger's dose
        // visible under an invented name.
        let is_spelled = |record: &DoseRecord| {
            let senders = [None, record.facility.as_deref()];
            let claim = record.claim.as_ref();
            claim.is_some_and(|claim| senders.iter().any(|sender| named.contains(&(claim, *sender))))
        };
        for (record, dose) in distinct_doses_by_day(&records, &self.aws.keys)? {
            // Doses under this number with another name belong to another person, or their number
            // was mistyped. They are not shown.
            if is_named(&dose) || is_spelled(record) {
                doses.push(dose_status(record, &dose, records.certificate_of(record), None));
            }
        }
        // Without a matching name, the response must not reveal that the number has doses.
        let more = records.more && !doses.is_empty();
        Ok((doses, more))
    }

    /// The doses that are registered with the caller's phone, and whether there are more.
    ///
    /// # Errors
    ///
    /// `unavailable`, `internal`.
    pub async fn of_phone(&self, login: &Login) -> Result<(Vec<DoseRecord>, bool), Failure> {
        Ok(self.doses.of_phone_key(login.phone()).await?)
    }

    /// The records of a person, by index key, that the caller's phone may see.
    ///
    /// # Errors
    ///
    /// `not_found` if no dose of the person is registered with the phone; the response is the same
    /// as for an unknown person.
    pub async fn of_person(&self, login: &Login, person: &PersonKey) -> Result<OwnRecords, Failure> {
        let all = self.doses.of_person_key(person, Some(login.phone())).await?;
        if all.doses.iter().all(|record| record.phone.as_ref() != Some(login.phone())) {
            return Err(Failure::new(ProblemCode::NotFound));
        }
        OwnRecords::visible_to(all, login.phone(), &self.aws.keys)
    }

    /// A certificate whose dose is registered with the caller's phone.
    ///
    /// # Errors
    ///
    /// `not_found`, with the same response for an unknown, a revoked and somebody else's
    /// certificate.
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

    /// Opens the link of an SMS with the birth date of its dose.
    ///
    /// # Errors
    ///
    /// `birth_date_wrong` with the number of attempts left, `link_locked`, `link_dead`,
    /// `certificate_not_ready`, `too_many_requests`.
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
            // The phone was corrected since: this link was sent to another number.
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
        // The rate limit comes last: wrong birth dates are limited per link, and a correct one has
        // returned its attempt, so a caller who is rejected here has lost no attempt.
        guard.allow(caller, &Allowance::LINKS, now).await?;

        let not_ready = || Failure::new(ProblemCode::CertificateNotReady).retry_after(60);
        let id = record.certificate_id.clone().ok_or_else(not_ready)?;
        let certificate = self.certificates.of_id(&id).await?.ok_or_else(not_ready)?;
        let certificate = HolderCertificate::new(certificate, &record).ok_or_else(dead)?;
        let dose = dose.complete().ok_or_else(not_ready)?.in_series_of(certificate.primary_doses);
        Ok((certificate, dose))
    }

    /// Disables a link whose SMS reached somebody else, and blocks quick downloads for the person
    /// that it was sent for.
    ///
    /// # Errors
    ///
    /// `link_dead`, `too_many_requests`.
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
            // The phone was corrected since: the owner of the old number must not block the
            // person's downloads.
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
    /// `unavailable`.
    pub async fn document_url(
        &self,
        certificate: &HolderCertificate,
        file_name: &str,
    ) -> Result<String, Failure> {
        Ok(self.documents.address(&certificate.document, file_name).await?)
    }

    /// Stores a copy of a certificate in this form temporarily, and returns a presigned URL as
    /// [`Records::document_url`] does.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn store_copy(
        &self,
        certificate: &HolderCertificate,
        (form, copy): (DocumentForm, Vec<u8>),
        file_name: &str,
    ) -> Result<String, Failure> {
        let qr_text = certificate.qr_text(&self.aws.keys)?;
        let name = self.aws.keys.document_name(certificate.certificate_id(), &qr_text);
        // The name is derived from the content, which is reproducible, so overwriting an existing
        // copy is harmless.
        let name = format!("{name}-{}.pdf", form.code());
        Ok(self.copies.store_and_presign(&name, copy, file_name).await?)
    }
}

/// The records under one identity number that the owner of a phone may see: the doses registered
/// with that phone, and others with the name and birth date of one of them.
///
/// A dose with the same number is not enough. Identity numbers can be guessed, so a row with this
/// phone and number may be a mistake, or an attempt to read the records of the number.
#[derive(Debug)]
pub struct OwnRecords {
    /// The visible doses.
    records: PersonRecords,
    /// The index key of the phone.
    phone: PhoneKey,
    /// The keys of name and birth date that make other doses visible.
    names: BTreeSet<NameKey>,
    /// Whether all doses under the number are visible.
    is_complete: bool,
}

impl OwnRecords {
    /// Filters all records under a number to those that the owner of a phone, by index key, may
    /// see.
    fn visible_to(records: PersonRecords, phone: &PhoneKey, keys: &Keys) -> Result<Self, Failure> {
        let is_own = |record: &DoseRecord| record.phone.as_ref() == Some(phone);
        // Held and rejected rows may belong to anyone. For a duplicate, the phone of the event that
        // owns the dose counts.
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

    /// The doses without duplicates, by the day of the vaccination.
    ///
    /// # Errors
    ///
    /// `internal` if a record cannot be decrypted.
    pub fn distinct_doses_by_day(&self, keys: &Keys) -> Result<Vec<(&DoseRecord, Dose)>, Failure> {
        distinct_doses_by_day(&self.records, keys)
    }

    /// A dose and the state of its certificate.
    pub fn status(&self, record: &DoseRecord, dose: &Dose) -> DoseStatus {
        let certificate = self.records.certificate_of(record);
        dose_status(record, dose, certificate, Some(self.is_registered(record)))
    }

    /// The certificate of a dose, if the dose is registered with the phone.
    pub fn certificate(&self, record: &DoseRecord) -> Option<HolderCertificate> {
        let certificate = self.records.certificate_of(record).filter(|_| self.is_registered(record))?;
        HolderCertificate::new(certificate.clone(), record)
    }

    /// Whether the owner may see an entry of the audit log about doses with these keys of name and
    /// birth date. If another person is recorded under the same number, entries about that person
    /// only are not visible.
    pub fn may_see_audit_entry(&self, names: &[NameKey]) -> bool {
        let is_own = self.is_complete || names.iter().any(|name| self.names.contains(name));
        is_own && !self.names.is_empty()
    }
}

/// Whether a dose belongs to one of these people.
fn is_of(dose: &Dose, people: &[(PersonName, BirthDate)]) -> bool {
    people.iter().any(|(name, birth_date)| dose.is_of(name, *birth_date))
}
