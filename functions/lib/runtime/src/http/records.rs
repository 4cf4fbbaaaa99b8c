//! The records of people, and who may read and change them.
//!
//! The functions that answer people hold [`Records`] instead of the capabilities behind it: clippy
//! forbids them to make those (`functions/.clippy.toml`). Each method takes what proves that the
//! caller may do it, and gives only what that caller may see:
//!
//! | proof | who has it |
//! |---|---|
//! | [`Login`] | the owner of a phone, logged in |
//! | [`OfficerSession`] | an officer, logged in, with the second factor |
//! | token and birth date | who received a link |
//! | name and identity number | anybody who knows both |
//! | case number and birth date | who opened a case, without an account |
//!
//! [`Login`] and [`OfficerSession`] have private fields: only a session in the table makes them.

#![expect(clippy::disallowed_methods, reason = "here it is checked who may read and change records")]

mod cases;
mod officer;

use std::collections::BTreeSet;
use std::ops::Deref;

use bukti_domain::feed::CompleteDose;
use bukti_domain::{BirthDate, Dose, Identity, PersonName, PhoneNumber, Verdict};
use bukti_records::{
    CertificateRecord, DoseKey, DoseRecord, Keys, LinkTry, NameKey, PersonKey, PersonRecords, PhoneKey,
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

/// Reads and changes the records of people, for callers who may.
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

/// A certificate that the caller may see in full: that of its dose as it is now, not revoked, and
/// the caller is logged in with the phone of the dose or has opened its link.
pub struct HolderCertificate(CertificateRecord);

impl HolderCertificate {
    /// `None` where a certificate is not that of its dose as it is now, or is revoked.
    fn of(certificate: CertificateRecord, dose: &DoseRecord) -> Option<Self> {
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

    /// Whether a dose is registered with a phone. For no answer: it decides from whose share of the
    /// day's SMS a code is sent.
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
        // Another event that reports the same dose may spell the name as it was typed: by claim,
        // and by the facility whose key sent it.
        let mut named: BTreeSet<(&DoseKey, Option<&str>)> = BTreeSet::new();
        for (record, dose) in doses_by_day(&records, &self.aws.keys)? {
            let claim = record.claim.as_ref().filter(|_| is_named(&dose));
            named.extend(claim.map(|claim| (claim, record.facility.as_deref())));
        }
        // The spelling counts where a hub sent it, or the sender of the dose itself. A claim has no
        // name in it: any other facility could open a stranger's dose under an invented one.
        let is_spelled = |record: &DoseRecord| {
            let senders = [None, record.facility.as_deref()];
            let claim = record.claim.as_ref();
            claim.is_some_and(|claim| senders.iter().any(|sender| named.contains(&(claim, *sender))))
        };
        for (record, dose) in distinct_doses_by_day(&records, &self.aws.keys)? {
            // Doses under this number with another name are another person's, or a mistyped number:
            // not shown.
            if is_named(&dose) || is_spelled(record) {
                doses.push(dose_status(record, &dose, records.certificate_of(record), None));
            }
        }
        // Whoever does not know the name learns nothing of the number.
        let more = records.more && !doses.is_empty();
        Ok((doses, more))
    }

    /// The doses that are registered with the phone logged in with, and whether there are more.
    ///
    /// # Errors
    ///
    /// `unavailable`, `internal`.
    pub async fn of_phone(&self, login: &Login) -> Result<(Vec<DoseRecord>, bool), Failure> {
        Ok(self.doses.of_phone_key(login.phone()).await?)
    }

    /// The records of a person (the index key) that the phone logged in with may see.
    ///
    /// # Errors
    ///
    /// `not_found` where no dose of the person is registered with the phone: somebody else's person
    /// and nobody's are answered alike.
    pub async fn of_person(&self, login: &Login, person: &PersonKey) -> Result<OwnRecords, Failure> {
        let all = self.doses.of_person_key(person, Some(login.phone())).await?;
        if all.doses.iter().all(|record| record.phone.as_ref() != Some(login.phone())) {
            return Err(Failure::new(ProblemCode::NotFound));
        }
        OwnRecords::of_phone(all, login.phone(), &self.aws.keys)
    }

    /// A certificate whose dose is registered with the phone logged in with.
    ///
    /// # Errors
    ///
    /// `not_found`: another's, a revoked one and none are answered alike.
    pub async fn certificate(
        &self,
        login: &Login,
        id: &str,
    ) -> Result<(HolderCertificate, CompleteDose), Failure> {
        let missing = || Failure::new(ProblemCode::NotFound);
        let certificate = self.certificates.of_id(id).await?.ok_or_else(missing)?;
        let record = self.doses.of_event(&certificate.event).await?.ok_or_else(missing)?;
        let own = record.phone.as_ref() == Some(login.phone());
        let certificate = HolderCertificate::of(certificate, &record).filter(|_| own).ok_or_else(missing)?;
        let dose = record.dose(&self.aws.keys)?.complete().ok_or_else(missing)?;
        let dose = dose.in_series_of(certificate.primary_doses);
        Ok((certificate, dose))
    }

    /// Opens a link of an SMS with the birth date of its dose.
    ///
    /// # Errors
    ///
    /// `birth_date_wrong` with the tries that are left, `link_locked`, `link_dead`,
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
            LinkTry::Counted(link) => link,
            LinkTry::Locked => return Err(Failure::new(ProblemCode::LinkLocked)),
            LinkTry::Dead => return Err(guard.unknown_token(caller, ProblemCode::LinkDead, now).await),
        };
        let record = self.doses.of_event(&link.event).await?.ok_or_else(dead)?;
        if record.phone_version != link.phone_version {
            // The phone was corrected: this link went to another number.
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
        // Wrong birth dates are limited for each link. Right ones give their try back, so only now:
        // who is refused here has lost none.
        guard.allow(caller, &Allowance::LINKS, now).await?;

        let not_ready = || Failure::new(ProblemCode::CertificateNotReady).retry_after(60);
        let id = record.certificate_id.clone().ok_or_else(not_ready)?;
        let certificate = self.certificates.of_id(&id).await?.ok_or_else(not_ready)?;
        let certificate = HolderCertificate::of(certificate, &record).ok_or_else(dead)?;
        let dose = dose.complete().ok_or_else(not_ready)?.in_series_of(certificate.primary_doses);
        Ok((certificate, dose))
    }

    /// Ends a link whose SMS came to somebody else, and locks quick downloads of the person it was
    /// sent for.
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
            // The phone was corrected: whoever has the other number does not speak for the person.
            return Err(dead());
        }
        if let Some(person) = &link.download_of {
            self.downloads.lock(person, now).await?;
        }
        Ok(())
    }

    /// An address of the PDF that is kept since a certificate was issued, good for
    /// [`Documents::EXPIRES_IN`] seconds.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn document_address(
        &self,
        certificate: &HolderCertificate,
        file_name: &str,
    ) -> Result<String, Failure> {
        Ok(self.documents.address(&certificate.document, file_name).await?)
    }

    /// Keeps a copy of a certificate in this form for a while, and gives its address as
    /// [`Records::document_address`] does.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn hand_out(
        &self,
        certificate: &HolderCertificate,
        (form, copy): (DocumentForm, Vec<u8>),
        file_name: &str,
    ) -> Result<String, Failure> {
        let qr_text = certificate.qr_text(&self.aws.keys)?;
        let name = self.aws.keys.document_name(certificate.certificate_id(), &qr_text);
        // The same bytes whenever it is asked for, so one that is there already may be written
        // over.
        let name = format!("{name}-{}.pdf", form.code());
        Ok(self.copies.hand_out(&name, copy, file_name).await?)
    }
}

/// What the owner of a phone may see of the records under one identity number: the doses registered
/// with that phone, and others with the name and birth date of one of them.
///
/// The number alone opens nothing. It follows a rule and can be guessed, so a row of another person
/// may carry it by mistake, or to read what is recorded under it.
#[derive(Debug)]
pub struct OwnRecords {
    /// The doses that they may see.
    records: PersonRecords,
    /// The index key of the phone.
    phone: PhoneKey,
    /// By name and birth date, the keys of the doses by which they see others.
    names: BTreeSet<NameKey>,
    /// Whether these are all doses under the number.
    is_all: bool,
}

impl OwnRecords {
    /// Of all records under a number, those that the owner of a phone (its index key) may see.
    fn of_phone(records: PersonRecords, phone: &PhoneKey, keys: &Keys) -> Result<Self, Failure> {
        let is_own = |record: &DoseRecord| record.phone.as_ref() == Some(phone);
        // What is held or rejected may be anybody's. Of events that report the same dose, the
        // owner's phone counts.
        let opens = |record: &DoseRecord| {
            is_own(record)
                && !record.duplicate
                && matches!(record.verdict, Verdict::Complete | Verdict::Incomplete)
        };
        let (mut known, mut names) = (Vec::new(), BTreeSet::new());
        for record in records.doses.iter().filter(|record| opens(record)) {
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
        let is_all = doses.len() == number_of_doses && !records.more;
        let records = PersonRecords { doses, ..records };
        Ok(Self { records, phone: phone.clone(), names, is_all })
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

    /// The doses, each once, by the day of the vaccination.
    ///
    /// # Errors
    ///
    /// `internal` where a record does not open.
    pub fn distinct_doses_by_day(&self, keys: &Keys) -> Result<Vec<(&DoseRecord, Dose)>, Failure> {
        distinct_doses_by_day(&self.records, keys)
    }

    /// A dose and the state of its certificate.
    pub fn status(&self, record: &DoseRecord, dose: &Dose) -> DoseStatus {
        let certificate = self.records.certificate_of(record);
        dose_status(record, dose, certificate, Some(self.is_registered(record)))
    }

    /// The certificate of a dose, where the dose is registered with the phone.
    pub fn certificate(&self, record: &DoseRecord) -> Option<HolderCertificate> {
        let certificate = self.records.certificate_of(record).filter(|_| self.is_registered(record))?;
        HolderCertificate::of(certificate.clone(), record)
    }

    /// Whether they may see that an officer looked at doses with these keys of name and birth date.
    /// Where somebody else is recorded under the number, the entries about that person alone are
    /// not theirs.
    pub fn may_see_look(&self, names: &[NameKey]) -> bool {
        let is_own = self.is_all || names.iter().any(|name| self.names.contains(name));
        is_own && !self.names.is_empty()
    }
}

/// Whether a dose is of one of these people.
fn is_of(dose: &Dose, people: &[(PersonName, BirthDate)]) -> bool {
    people.iter().any(|(name, birth_date)| dose.is_of(name, *birth_date))
}
