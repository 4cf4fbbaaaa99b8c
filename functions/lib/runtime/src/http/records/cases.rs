//! Access of citizens to their cases, and to the audit log of their records.

use bukti_domain::{Asking, BirthDate, CaseNumber, Likeness, likenesses};
use bukti_records::{CaseFile, CaseRecord, NewCase, PersonKey, Step};
use bukti_store::{Entry, Login};
use bukti_wire::ProblemCode;
use jiff::Timestamp;

use super::Records;
use crate::Failure;

impl Records {
    /// Opens a case from the caller's phone and returns its number. If too many cases were opened
    /// from this phone, the inner error is the number of seconds until another can be opened.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn open_case(
        &self,
        login: &Login,
        new: NewCase,
        now: Timestamp,
    ) -> Result<Result<CaseNumber, u32>, Failure> {
        Ok(self.cases.open(login.phone(), new, now).await?)
    }

    /// Whether a dose may belong to the person although it is recorded differently. Besides name
    /// and birth date, its identity number or phone must nearly match the request: a match on name
    /// and birth date alone would reveal to strangers that somebody is vaccinated. Only the
    /// helpdesk sees such matches.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable; `internal` if a record cannot be
    /// decrypted.
    pub async fn has_similar_dose(&self, _: &Login, asking: &Asking) -> Result<bool, Failure> {
        for record in self.doses.alike(&asking.name, asking.birth_date).await? {
            let likenesses = likenesses(asking, &record.dose(&self.aws.keys)?);
            if likenesses.iter().any(|it| matches!(it, Likeness::NikDigit | Likeness::PhoneDigit)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The cases that were opened from the caller's phone, and whether there are more.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn own_cases(&self, login: &Login) -> Result<(Vec<CaseRecord>, bool), Failure> {
        Ok(self.cases.of_applicant(login.phone()).await?)
    }

    /// Looks up a case by its number and the person's birth date. Failed look-ups are limited per
    /// case and per client network.
    ///
    /// # Errors
    ///
    /// `not_found` if the number is unknown, the birth date is wrong, or a limit is reached. The
    /// caller cannot distinguish these cases.
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

    /// Returns a presigned URL for uploading a piece of evidence for a case that was opened from
    /// the caller's phone.
    ///
    /// # Errors
    ///
    /// `not_found` if the case is unknown or was opened from another phone; `evidence_full` if it
    /// has the maximum number of pieces of evidence or is decided.
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

    /// Adds the citizen's reply to a case that was opened from the caller's phone.
    ///
    /// # Errors
    ///
    /// `not_found` if the case is unknown or was opened from another phone.
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

    /// The audit log entries about the person with this index key that the owner of the caller's
    /// phone may see.
    ///
    /// # Errors
    ///
    /// `not_found`, as for [`Records::of_person`].
    pub async fn audit_entries(&self, login: &Login, person: &PersonKey) -> Result<Vec<Entry>, Failure> {
        let own = self.of_person(login, person).await?;
        let mut entries = self.audit.of_person_key(person).await?;
        entries.retain(|entry| own.may_see_audit_entry(&entry.names));
        Ok(entries)
    }

    /// Finds a case that was opened from the caller's phone. The failure is the same for an unknown
    /// case and a case of another phone.
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
