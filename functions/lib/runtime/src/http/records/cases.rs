//! The cases of citizens, and who looked at their records.

use bukti_domain::{Asking, BirthDate, CaseNumber, Likeness, likenesses};
use bukti_records::{CaseFile, CaseRecord, NewCase, PersonKey, Step};
use bukti_store::{Entry, Login};
use bukti_wire::ProblemCode;
use jiff::Timestamp;

use super::Records;
use crate::Failure;

impl Records {
    /// Opens a case of the phone logged in with. Where it has opened too many, the seconds until it
    /// may open another.
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

    /// Whether there is a dose that may be the person's though it is not recorded so. Only where a
    /// number or a phone is nearly that of the record: by name and birth date alone a stranger
    /// would learn that somebody is vaccinated. The helpdesk sees those as well.
    ///
    /// # Errors
    ///
    /// `unavailable`, `internal`.
    pub async fn finds_alike(&self, _: &Login, asking: &Asking) -> Result<bool, Failure> {
        for record in self.doses.alike(&asking.name, asking.birth_date).await? {
            let likenesses = likenesses(asking, &record.dose(&self.aws.keys)?);
            if likenesses.iter().any(|it| matches!(it, Likeness::NikDigit | Likeness::PhoneDigit)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The cases that the phone logged in with opened, and whether there are more.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn own_cases(&self, login: &Login) -> Result<(Vec<CaseRecord>, bool), Failure> {
        Ok(self.cases.of_applicant(login.phone()).await?)
    }

    /// The case of a number, for who knows the birth date as well. Wrong looks from a client
    /// network are limited.
    ///
    /// # Errors
    ///
    /// `not_found`: who has one of them is answered as who has none.
    pub async fn look_up_case(
        &self,
        (number, birth_date): (&CaseNumber, BirthDate),
        network: &str,
        now: Timestamp,
    ) -> Result<(CaseRecord, CaseFile), Failure> {
        let missing = || Failure::new(ProblemCode::NotFound);
        if !self.cases.take_look(number, network, now).await? {
            return Err(missing());
        }
        let case = self.cases.of_number(number).await?.ok_or_else(missing)?;
        let file = case.file(&self.aws.keys)?;
        if !file.birth_date.is_matched_by(birth_date) {
            return Err(missing());
        }
        self.cases.give_back_look(number, network, now).await?;
        Ok((case, file))
    }

    /// An address at which evidence for a case of the phone logged in with can be put.
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

    /// Answers what an officer asked in a case of the phone logged in with.
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

    /// Who looked at the record of a person (the index key) of the phone logged in with.
    ///
    /// # Errors
    ///
    /// `not_found` as [`Records::of_person`].
    pub async fn looks(&self, login: &Login, person: &PersonKey) -> Result<Vec<Entry>, Failure> {
        let own = self.of_person(login, person).await?;
        let mut entries = self.audit.of_person_key(person).await?;
        entries.retain(|entry| own.may_see_look(&entry.names));
        Ok(entries)
    }

    /// The case of a number, where this phone opened it. Another's and nobody's are answered alike.
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
