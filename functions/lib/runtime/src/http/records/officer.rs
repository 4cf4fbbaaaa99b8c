//! Access of officers to records and cases. A view is written to the audit log before the data are
//! returned, and a change before it is made.

use std::collections::BTreeSet;
use std::ops::Deref;

use bukti_domain::{Action, Asking, PhoneNumber, likenesses};
use bukti_records::{
    CaseFile, CaseRecord, CertificateRecord, Change, DoseRecord, EventKey, NameKey, Officer, PersonKey,
    PersonRecords, Step,
};
use bukti_store::{About, DoseSms, FactorAttempt, Login};
use bukti_wire::{EvidencePiece, ProblemCode};
use jiff::Timestamp;

use super::Records;
use crate::Failure;

/// The maximum number of people shown for one phone. A clinic may have entered its own phone for
/// all its patients.
const MAX_PEOPLE: usize = 20;

/// An officer who is logged in and has passed the current second factor in this session.
pub struct OfficerSession(Officer);

impl Deref for OfficerSession {
    type Target = Officer;

    fn deref(&self) -> &Officer {
        &self.0
    }
}

/// A person found by a search, with records and cases.
pub struct FoundPerson {
    /// The person's doses and certificates.
    pub records: PersonRecords,
    /// The cases about the person, newest first.
    pub cases: Vec<CaseRecord>,
    /// Whether there are more cases than `cases` contains.
    pub has_more_cases: bool,
}

/// A decision that an officer is about to make on a case and its dose. Each method writes the step
/// and its reason to the audit log before taking the step. If the step cannot be taken, the audit
/// log gets another entry that says so.
pub struct OfficerDecision<'a> {
    records: &'a Records,
    officer: &'a OfficerSession,
    case: &'a CaseRecord,
    dose: Option<&'a DoseRecord>,
    reason: &'a str,
    now: Timestamp,
}

impl Records {
    /// The officer of a session that has passed the officer's current second factor. The officer's
    /// record is read for each request, so that removing an officer takes effect immediately.
    ///
    /// # Errors
    ///
    /// `not_an_officer` if the phone does not belong to an officer; `second_factor_needed`.
    pub async fn officer(&self, login: &Login) -> Result<OfficerSession, Failure> {
        let officer = self.officers.of_phone_key(login.phone()).await?;
        let officer = officer.ok_or_else(|| Failure::new(ProblemCode::NotAnOfficer))?;
        if login.second_factor() != Some(&*officer.enrolment) {
            return Err(Failure::new(ProblemCode::SecondFactorNeeded));
        }
        Ok(OfficerSession(officer))
    }

    /// Checks a code of the second factor. If the code is correct, turns the session with this
    /// token into an officer's session.
    ///
    /// # Errors
    ///
    /// `not_an_officer` if the phone does not belong to an officer; `second_factor_wrong`;
    /// `too_many_requests`; `not_logged_in` if the session has ended.
    pub async fn verify_second_factor(
        &self,
        login: &Login,
        token: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<OfficerSession, Failure> {
        let officer = self.officers.of_phone_key(login.phone()).await?;
        let officer = officer.ok_or_else(|| Failure::new(ProblemCode::NotAnOfficer))?;
        match self.officers.try_code(login.phone(), code, now).await? {
            FactorAttempt::Right => {}
            FactorAttempt::Wrong => {
                self.audit.write(&officer, Action::SecondFactorWrong, About::default(), now).await?;
                return Err(Failure::new(ProblemCode::SecondFactorWrong));
            }
            FactorAttempt::Full { wait } => {
                return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait));
            }
        }
        self.audit.write(&officer, Action::LoggedIn, About::default(), now).await?;
        if !self.sessions.second_factor(token, &officer.enrolment).await? {
            return Err(Failure::new(ProblemCode::NotLoggedIn));
        }
        Ok(OfficerSession(officer))
    }

    /// Returns at most `limit` cases of the queue after the position `after`, and the position to
    /// continue from if there may be more.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn queue(
        &self,
        _: &OfficerSession,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<CaseRecord>, Option<String>), Failure> {
        let queued = self.cases.queue(after, limit).await?;
        let next =
            (queued.len() == limit).then(|| queued.last().map(|last| last.position().to_owned())).flatten();
        let mut cases = Vec::with_capacity(queued.len());
        for queued in queued {
            // A case that was decided after the queue was read may no longer exist.
            cases.extend(self.cases.of_key(&queued.case).await?);
        }
        Ok((cases, next))
    }

    /// Reads a case in order to make a [decision](Records::decision) about it. Only the decision is
    /// written to the audit log, not this view.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no case with this number.
    pub async fn case_to_decide(&self, _: &OfficerSession, number: &str) -> Result<CaseRecord, Failure> {
        self.case(number).await
    }

    /// Reads a case and the records of its person, and writes this view to the audit log.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no case with this number.
    pub async fn view_case(
        &self,
        officer: &OfficerSession,
        number: &str,
        now: Timestamp,
    ) -> Result<(CaseRecord, CaseFile, PersonRecords), Failure> {
        let case = self.case(number).await?;
        let file = case.file(&self.aws.keys)?;
        let records = self.doses.of_person_key(&case.person, Some(&case.applicant)).await?;
        let names = names_of(file.alike(&self.aws.keys), &records.doses);
        let about = About { person: Some(&case.person), case: Some(&case.pk), names: &names, why: "" };
        self.audit.write(officer, Action::CaseViewed, about, now).await?;
        Ok((case, file, records))
    }

    /// Finds doses under other identity numbers that may belong to the person of a case, and writes
    /// this view to the audit log of each person found.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable; `internal` if a record cannot be
    /// decrypted.
    pub async fn view_similar_doses(
        &self,
        officer: &OfficerSession,
        case: &CaseRecord,
        asking: &Asking,
        now: Timestamp,
    ) -> Result<Vec<PersonRecords>, Failure> {
        let mut similar = Vec::new();
        for record in self.doses.alike(&asking.name, asking.birth_date).await? {
            let found = likenesses(asking, &record.dose(&self.aws.keys)?);
            if record.person.as_ref() == Some(&case.person) || found.is_empty() {
                continue;
            }
            let (person, names) = (record.person.as_ref(), names_of(None, [&record]));
            let about = About { person, case: Some(&case.pk), names: &names, why: "" };
            self.audit.write(officer, Action::RecordViewed, about, now).await?;
            let certificates = match &record.certificate_id {
                Some(id) => self.certificates.of_id(id).await?.into_iter().collect(),
                None => Vec::new(),
            };
            similar.push(PersonRecords { doses: vec![record], certificates, more: false });
        }
        Ok(similar)
    }

    /// Reads the dose that another officer proposes to correct in a case. If the dose is recorded
    /// under a different number than the case, this view is written to the audit log of that
    /// person.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no dose with this event key.
    pub async fn view_proposed_dose(
        &self,
        officer: &OfficerSession,
        case: &CaseRecord,
        event: &EventKey,
        now: Timestamp,
    ) -> Result<DoseRecord, Failure> {
        let dose = self.dose_to_decide(officer, event).await?;
        if let Some(person) = dose.person.as_ref().filter(|person| **person != case.person) {
            let names = names_of(None, [&dose]);
            let about = About { person: Some(person), case: Some(&case.pk), names: &names, why: "" };
            self.audit.write(officer, Action::RecordViewed, about, now).await?;
        }
        Ok(dose)
    }

    /// Returns presigned URLs of the evidence that was uploaded for a case.
    ///
    /// # Errors
    ///
    /// `unavailable` if the bucket is unreachable.
    pub async fn evidence(&self, _: &OfficerSession, file: &CaseFile) -> Result<Vec<EvidencePiece>, Failure> {
        let mut pieces = Vec::new();
        for evidence in &file.evidence {
            if let Some(url) = self.evidence.address(evidence).await? {
                pieces.push(EvidencePiece { url, content_type: evidence.content_type.clone() });
            }
        }
        Ok(pieces)
    }

    /// Whether any evidence was uploaded for a case.
    ///
    /// # Errors
    ///
    /// `unavailable` if the bucket is unreachable.
    pub async fn has_evidence(&self, _: &OfficerSession, file: &CaseFile) -> Result<bool, Failure> {
        for evidence in &file.evidence {
            if self.evidence.address(evidence).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the dose with this event key, in order to make a [decision](Records::decision) about
    /// it or to [resend](Records::resend) its link.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no dose with this event key.
    pub async fn dose_to_decide(&self, _: &OfficerSession, event: &EventKey) -> Result<DoseRecord, Failure> {
        self.doses.of_event(event).await?.ok_or_else(|| Failure::new(ProblemCode::NotFound))
    }

    /// The SMS about a dose, each with the time at which its link was opened, if it was.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn sms_of_dose(
        &self,
        _: &OfficerSession,
        dose: &DoseRecord,
    ) -> Result<Vec<(DoseSms, Option<Timestamp>)>, Failure> {
        let mut all = Vec::new();
        for sms in self.notifications.of_dose(&dose.pk).await? {
            let opened_at = match &sms.link {
                Some(link) => self.links.of_key(link).await?.and_then(|link| link.opened_at),
                None => None,
            };
            all.push((sms, opened_at));
        }
        Ok(all)
    }

    /// The index keys of at most 20 people whose doses are registered with a phone, and whether
    /// there are more.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn people_of_phone(
        &self,
        _: &OfficerSession,
        phone: &PhoneNumber,
    ) -> Result<(Vec<PersonKey>, bool), Failure> {
        let (doses, mut more) = self.doses.of_phone_key(&self.aws.keys.phone(phone)).await?;
        let mut people = Vec::new();
        for person in doses.into_iter().filter_map(|dose| dose.person) {
            if people.contains(&person) {
                continue;
            }
            if people.len() == MAX_PEOPLE {
                more = true;
                break;
            }
            people.push(person);
        }
        Ok((people, more))
    }

    /// The index key of a certificate's person; `None` if the certificate is unknown.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn person_of_certificate(
        &self,
        _: &OfficerSession,
        id: &str,
    ) -> Result<Option<PersonKey>, Failure> {
        Ok(self.certificates.of_id(id).await?.and_then(|it| it.person))
    }

    /// Reads the records and cases of the people with these index keys, and omits people who have
    /// neither. Writes the search and each person found to the audit log.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn search(
        &self,
        officer: &OfficerSession,
        people: Vec<PersonKey>,
        why: &str,
        now: Timestamp,
    ) -> Result<Vec<FoundPerson>, Failure> {
        self.audit.write(officer, Action::Searched, About { why, ..About::default() }, now).await?;
        let mut found = Vec::new();
        for person in people {
            let records = self.doses.of_person_key(&person, None).await?;
            let (cases, has_more_cases) = self.cases.of_person_key(&person).await?;
            if records.doses.is_empty() && cases.is_empty() {
                continue;
            }
            let names = names_of(None, &records.doses);
            let about = About { person: Some(&person), case: None, names: &names, why };
            self.audit.write(officer, Action::RecordViewed, about, now).await?;
            found.push(FoundPerson { records, cases, has_more_cases });
        }
        Ok(found)
    }

    /// The current certificate of a dose, if it is not revoked.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn certificate_of(
        &self,
        _: &OfficerSession,
        dose: &DoseRecord,
    ) -> Result<Option<CertificateRecord>, Failure> {
        let Some(id) = &dose.certificate_id else { return Ok(None) };
        Ok(self.certificates.of_id(id).await?.filter(|it| it.revoked_at.is_none()))
    }

    /// Requests that the link to a dose's certificate is sent again to the phone on record. Returns
    /// `false` if the dose has changed since it was read.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn resend(
        &self,
        officer: &OfficerSession,
        dose: &DoseRecord,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let (person, names) = (dose.person.as_ref(), names_of(None, [dose]));
        let about = About { person, case: None, names: &names, why };
        self.audit.write(officer, Action::Resent, about, now).await?;
        let is_requested = self.doses.resend(dose).await?;
        if !is_requested {
            self.audit.write(officer, Action::ActionFailed, about, now).await?;
        }
        Ok(is_requested)
    }

    /// Prepares a decision on a case and, if the decision concerns one, a dose. Nothing is written
    /// until one of the decision's methods is called.
    pub fn decision<'a>(
        &'a self,
        officer: &'a OfficerSession,
        (case, dose): (&'a CaseRecord, Option<&'a DoseRecord>),
        reason: &'a str,
        now: Timestamp,
    ) -> OfficerDecision<'a> {
        OfficerDecision { records: self, officer, case, dose, reason, now }
    }
}

impl OfficerDecision<'_> {
    /// Asks the citizen a question. The decision's reason is the text of the question.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn ask_back(self) -> Result<Step, Failure> {
        let Self { records, officer, case, reason, now, .. } = self;
        self.audit(Action::AskedBack, reason).await?;
        self.audit_result(records.cases.ask_back(case, officer, reason, now).await?).await
    }

    /// Refuses the case. The citizen sees the decision's reason.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn refuse(self) -> Result<Step, Failure> {
        let Self { records, officer, case, reason, now, .. } = self;
        self.audit(Action::Refused, reason).await?;
        self.audit_result(records.cases.refuse(case, officer, reason, now).await?).await
    }

    /// Stores the change as a proposal that another officer has to approve. `reasons` are stored in
    /// the case: the reason, and the person who confirmed the data, if any.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn propose(self, change: Change, reasons: (&str, Option<&str>)) -> Result<Step, Failure> {
        let Self { records, officer, case, dose, reason, now } = self;
        self.audit(Action::Proposed, reason).await?;
        self.audit_result(records.cases.propose(case, officer, dose, change, reasons, now).await?).await
    }

    /// Grants the case and applies the change to the dose. `reasons` are stored in the case: the
    /// reason, and the person who confirmed the data, if any.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn grant(self, change: &Change, reasons: (&str, Option<&str>)) -> Result<Step, Failure> {
        let Self { records, officer, case, dose, reason, now } = self;
        self.audit(Action::Granted, reason).await?;
        self.audit_result(records.cases.grant(case, officer, dose, change, reasons, now).await?).await
    }

    /// Grants a case about data that were corrected by law, by confirming the data that another
    /// officer proposed.
    ///
    /// # Errors
    ///
    /// `unavailable` if the table is throttled or unreachable.
    pub async fn confirm(self) -> Result<Step, Failure> {
        let Self { records, officer, case, dose, reason, now } = self;
        self.audit(Action::Granted, reason).await?;
        self.audit_result(records.cases.confirm(case, officer, dose, reason, now).await?).await
    }

    /// If a step was not taken, writes this to the audit log, which already contains the step.
    async fn audit_result(&self, step: Step) -> Result<Step, Failure> {
        if !matches!(step, Step::Done(_)) {
            self.audit(Action::ActionFailed, "").await?;
        }
        Ok(step)
    }

    /// Writes to the audit log of the case's person, and of the dose's person if the dose is
    /// recorded under another number.
    async fn audit(&self, action: Action, why: &str) -> Result<(), Failure> {
        let (keys, case) = (&self.records.aws.keys, self.case);
        let names = names_of(case.file(keys)?.alike(keys), self.dose);
        let of_dose =
            self.dose.and_then(|dose| dose.person.as_ref()).filter(|person| **person != case.person);
        for person in of_dose.into_iter().chain([&case.person]) {
            let about = About { person: Some(person), case: Some(&case.pk), names: &names, why };
            self.records.audit.write(self.officer, action, about, self.now).await?;
        }
        Ok(())
    }
}

/// Collects the keys of name and birth date of a case and of doses for an audit log entry.
fn names_of<'a>(case: Option<NameKey>, doses: impl IntoIterator<Item = &'a DoseRecord>) -> Vec<NameKey> {
    let doses = doses.into_iter().filter_map(|dose| dose.alike.clone());
    case.into_iter().chain(doses).collect::<BTreeSet<_>>().into_iter().collect()
}
