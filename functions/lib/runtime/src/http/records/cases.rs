//! The cases of citizens, and the audit log of their records.

use bukti_domain::{Asking, BirthDate, CaseNumber, Likeness, likenesses};
use bukti_records::{CaseFile, CaseRecord, NewCase, PersonKey, Step};
use bukti_store::{Entry, Login};
use bukti_wire::ProblemCode;
use jiff::Timestamp;

use super::Records;
use crate::Failure;

impl Records {
    /// Opens a case for the caller's phone. If it has opened too many, the inner error is the
    /// number of seconds until it may open another.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn open_case(
        &self,
        login: &Login,
        new: NewCase,
        now: Timestamp,
    ) -> Result<Result<CaseNumber, u32>, Failure> {
        Ok(self.cases.open(login.phone(), new, now).await?)
    }

    /// Whether a dose may be the person's although it is recorded differently. Only doses whose
    /// number or phone is nearly that of the request count: a match on name and birth date alone
    /// would reveal to a stranger that somebody is vaccinated. The helpdesk sees those as well.
    ///
    /// # Errors
    ///
    /// `unavailable`, `internal`.
    pub async fn has_similar_dose(&self, _: &Login, asking: &Asking) -> Result<bool, Failure> {
        for record in self.doses.alike(&asking.name, asking.birth_date).await? {
            let likenesses = likenesses(asking, &record.dose(&self.aws.keys)?);
            if likenesses.iter().any(|it| matches!(it, Likeness::NikDigit | Likeness::PhoneDigit)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The cases that the caller's phone opened, and whether there are more.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn own_cases(&self, login: &Login) -> Result<(Vec<CaseRecord>, bool), Failure> {
        Ok(self.cases.of_applicant(login.phone()).await?)
    }

    /// A case, for callers who know its number and the birth date. Failed look-ups from a client
    /// network are limited.
    ///
    /// # Errors
    ///
    /// `not_found`, with the same response for a wrong number and a wrong birth date.
    pub async fn look_up_case(
        &self,
        (number, birth_date): (&CaseNumber, BirthDate),
        network: &str,
        now: Timestamp,
    ) -> Result<(CaseRecord, CaseFile), Failure> {
        let missing = || Failure::new(ProblemCode::NotFound);
        if !self.cases.count_look_up(number, network, now).await? {
            return Err(missing());
        }
        let case = self.cases.of_number(number).await?.ok_or_else(missing)?;
        let file = case.file(&self.aws.keys)?;
        if !file.birth_date.is_matched_by(birth_date) {
            return Err(missing());
        }
        self.cases.refund_look_up(number, network, now).await?;
        Ok((case, file))
    }

    /// A presigned URL for uploading evidence for a case of the caller's phone.
    ///
    /// # Errors
    ///
    /// `not_found`, `evidence_full`.
    pub async fn expect_evidence(
        &self,
        login: &Login,
        number: &str,
        (content_type, bytes): (&str, u64),
        now: Timestamp,
    ) -> Result<String, Failure> {
        let case = self.own_case(login, number).await?;
        let evidence = self.cases.expect_evidence(&case, content_type, bytes, now).await?;
        let evidence = evidence.ok_or_else(|| Failure::new(ProblemCode::EvidenceFull))?;
        Ok(self.evidence.slot(&evidence).await?)
    }

    /// Replies to an officer's question in a case of the caller's phone.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn reply(
        &self,
        login: &Login,
        number: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<Step, Failure> {
        let case = self.own_case(login, number).await?;
        Ok(self.cases.answer(&case, text, now).await?)
    }

    /// The audit log's entries about a person, by index key, of the caller's phone.
    ///
    /// # Errors
    ///
    /// `not_found` as for [`Records::of_person`].
    pub async fn audit_entries(&self, login: &Login, person: &PersonKey) -> Result<Vec<Entry>, Failure> {
        let own = self.of_person(login, person).await?;
        let mut entries = self.audit.of_person_key(person).await?;
        entries.retain(|entry| own.may_see_audit_entry(&entry.names));
        Ok(entries)
    }

    /// A case that the caller's phone opened. The response is the same for another phone's case and
    /// an unknown one.
    async fn own_case(&self, login: &Login, number: &str) -> Result<CaseRecord, Failure> {
        let case = self.case(number).await?;
        if case.applicant == *login.phone() { Ok(case) } else { Err(Failure::new(ProblemCode::NotFound)) }
    }

    pub(super) async fn case(&self, number: &str) -> Result<CaseRecord, Failure> {
        let missing = || Failure::new(ProblemCode::NotFound);
        let number = CaseNumber::parse(number).ok_or_else(missing)?;
        self.cases.of_number(&number).await?.ok_or_else(missing)
    }
}
