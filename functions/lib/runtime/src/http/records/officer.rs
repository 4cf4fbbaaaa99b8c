//! What officers read and change. Each look and each change is in the audit before it is shown or
//! done.

use std::collections::BTreeSet;
use std::ops::Deref;

use bukti_domain::{Action, Asking, PhoneNumber, likenesses};
use bukti_records::{
    CaseFile, CaseRecord, CertificateRecord, Change, DoseRecord, EventKey, NameKey, Officer, PersonKey,
    PersonRecords, Step,
};
use bukti_store::{About, DoseSms, FactorTry, Login};
use bukti_wire::{EvidencePiece, ProblemCode};
use jiff::Timestamp;

use super::Records;
use crate::Failure;

/// People of one phone that are shown: a clinic may have typed its own number for everybody.
const MOST_PEOPLE: usize = 20;

/// An officer in a session in which the second factor was verified that they have now.
pub struct OfficerSession(Officer);

impl Deref for OfficerSession {
    type Target = Officer;

    fn deref(&self) -> &Officer {
        &self.0
    }
}

/// The records and cases of a person, for an officer.
pub struct FoundPerson {
    /// Doses and certificates.
    pub records: PersonRecords,
    /// Cases.
    pub cases: Vec<CaseRecord>,
    /// Whether there are more cases.
    pub has_more_cases: bool,
}

/// What an officer is about to do in a case, to a dose. Each step is in the audit, with the reason,
/// before it is done. Where it turns out that it cannot be done, the audit has that as well.
pub struct OfficerDecision<'a> {
    records: &'a Records,
    officer: &'a OfficerSession,
    case: &'a CaseRecord,
    dose: Option<&'a DoseRecord>,
    reason: &'a str,
    now: Timestamp,
}

impl Records {
    /// The officer of a session in which the second factor was shown that they have now. Whoever
    /// was removed is none from then on.
    ///
    /// # Errors
    ///
    /// `not_an_officer`, `second_factor_needed`.
    pub async fn officer(&self, login: &Login) -> Result<OfficerSession, Failure> {
        let officer = self.officers.of_phone_key(login.phone()).await?;
        let officer = officer.ok_or_else(|| Failure::new(ProblemCode::NotAnOfficer))?;
        if login.second_factor() != Some(&*officer.enrolment) {
            return Err(Failure::new(ProblemCode::SecondFactorNeeded));
        }
        Ok(OfficerSession(officer))
    }

    /// Judges a code of the second factor, and makes the session of this token an officer's where
    /// it is right.
    ///
    /// # Errors
    ///
    /// `not_an_officer`, `second_factor_wrong`, `too_many_requests`, `not_logged_in` where the
    /// session has ended.
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
            FactorTry::Right => {}
            FactorTry::Wrong => {
                self.audit.write(&officer, Action::SecondFactorWrong, About::default(), now).await?;
                return Err(Failure::new(ProblemCode::SecondFactorWrong));
            }
            FactorTry::Full { wait } => {
                return Err(Failure::new(ProblemCode::TooManyRequests).retry_after(wait));
            }
        }
        self.audit.write(&officer, Action::LoggedIn, About::default(), now).await?;
        if !self.sessions.second_factor(token, &officer.enrolment).await? {
            return Err(Failure::new(ProblemCode::NotLoggedIn));
        }
        Ok(OfficerSession(officer))
    }

    /// Cases of the queue after a position, at most so many; and the position after them, where
    /// there may be more.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn queue(
        &self,
        _: &OfficerSession,
        after: Option<&str>,
        most: usize,
    ) -> Result<(Vec<CaseRecord>, Option<String>), Failure> {
        let queued = self.cases.queue(after, most).await?;
        let next =
            (queued.len() == most).then(|| queued.last().map(|last| last.position().to_owned())).flatten();
        let mut cases = Vec::with_capacity(queued.len());
        for queued in queued {
            // One that was decided in between is no longer there to be looked at.
            cases.extend(self.cases.of_key(&queued.case).await?);
        }
        Ok((cases, next))
    }

    /// A case, for a [decision](Records::decision).
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn case_to_decide(&self, _: &OfficerSession, number: &str) -> Result<CaseRecord, Failure> {
        self.case(number).await
    }

    /// A case and the records of its person, as an officer sees them.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn look_at_case(
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
        self.audit.write(officer, Action::LookedAtCase, about, now).await?;
        Ok((case, file, records))
    }

    /// Doses under other numbers that may be the person's of a case. The audit has whose.
    ///
    /// # Errors
    ///
    /// `unavailable`, `internal`.
    pub async fn look_at_similar_doses(
        &self,
        officer: &OfficerSession,
        case: &CaseRecord,
        asking: &Asking,
        now: Timestamp,
    ) -> Result<Vec<PersonRecords>, Failure> {
        let mut alike = Vec::new();
        for record in self.doses.alike(&asking.name, asking.birth_date).await? {
            let found = likenesses(asking, &record.dose(&self.aws.keys)?);
            if record.person.as_ref() == Some(&case.person) || found.is_empty() {
                continue;
            }
            let (person, names) = (record.person.as_ref(), names_of(None, [&record]));
            let about = About { person, case: Some(&case.pk), names: &names, why: "" };
            self.audit.write(officer, Action::LookedAt, about, now).await?;
            let certificates = match &record.certificate_id {
                Some(id) => self.certificates.of_id(id).await?.into_iter().collect(),
                None => Vec::new(),
            };
            alike.push(PersonRecords { doses: vec![record], certificates, more: false });
        }
        Ok(alike)
    }

    /// The dose of an event's key that another officer would correct in a case. The audit has
    /// whose, where it is recorded under another number than the case is about.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn look_at_proposed_dose(
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
            self.audit.write(officer, Action::LookedAt, about, now).await?;
        }
        Ok(dose)
    }

    /// Addresses of the evidence of a case.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn evidence(&self, _: &OfficerSession, file: &CaseFile) -> Result<Vec<EvidencePiece>, Failure> {
        let mut pieces = Vec::new();
        for evidence in &file.evidence {
            if let Some(url) = self.evidence.address(evidence).await? {
                pieces.push(EvidencePiece { url, content_type: evidence.content_type.clone() });
            }
        }
        Ok(pieces)
    }

    /// Whether there is evidence of a case.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn has_evidence(&self, _: &OfficerSession, file: &CaseFile) -> Result<bool, Failure> {
        for evidence in &file.evidence {
            if self.evidence.address(evidence).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The dose of an event's key, for a [decision](Records::decision) or to
    /// [resend](Records::resend) its link.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn dose_to_decide(&self, _: &OfficerSession, event: &EventKey) -> Result<DoseRecord, Failure> {
        self.doses.of_event(event).await?.ok_or_else(|| Failure::new(ProblemCode::NotFound))
    }

    /// The SMS of a dose, each with when its link was opened.
    ///
    /// # Errors
    ///
    /// `unavailable`.
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

    /// The people of a phone, by index key, those whose doses are first; and whether there are
    /// more.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn people_of(
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
            if people.len() == MOST_PEOPLE {
                more = true;
                break;
            }
            people.push(person);
        }
        Ok((people, more))
    }

    /// The person of a certificate, by index key.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn person_of_certificate(
        &self,
        _: &OfficerSession,
        id: &str,
    ) -> Result<Option<PersonKey>, Failure> {
        Ok(self.certificates.of_id(id).await?.and_then(|it| it.person))
    }

    /// The records and cases of people (by index key) of whom there are any. The audit has the
    /// search and each look.
    ///
    /// # Errors
    ///
    /// `unavailable`.
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
            self.audit.write(officer, Action::LookedAt, about, now).await?;
            found.push(FoundPerson { records, cases, has_more_cases });
        }
        Ok(found)
    }

    /// The certificate of a dose as it is now, where it is not revoked.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn certificate_of(
        &self,
        _: &OfficerSession,
        dose: &DoseRecord,
    ) -> Result<Option<CertificateRecord>, Failure> {
        let Some(id) = &dose.certificate_id else { return Ok(None) };
        Ok(self.certificates.of_id(id).await?.filter(|it| it.revoked_at.is_none()))
    }

    /// Has the link of a dose sent once more to the phone on record; `false` where the dose has
    /// changed meanwhile.
    ///
    /// # Errors
    ///
    /// `unavailable`.
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
        let is_sent = self.doses.resend(dose).await?;
        if !is_sent {
            self.audit.write(officer, Action::NotDone, about, now).await?;
        }
        Ok(is_sent)
    }

    /// A decision in a case, on a dose, for this reason.
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
    /// Asks the person back: the reason is the question.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn ask_back(self) -> Result<Step, Failure> {
        let Self { records, officer, case, reason, now, .. } = self;
        self.audit(Action::AskedBack, reason).await?;
        self.done(records.cases.ask_back(case, officer, reason, now).await?).await
    }

    /// Refuses the case.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn refuse(self) -> Result<Step, Failure> {
        let Self { records, officer, case, reason, now, .. } = self;
        self.audit(Action::Refused, reason).await?;
        self.done(records.cases.refuse(case, officer, reason, now).await?).await
    }

    /// Keeps the change as a proposal, for another officer to decide; with why, and who confirmed
    /// it, as the case keeps them.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn propose(self, change: Change, reasons: (&str, Option<&str>)) -> Result<Step, Failure> {
        let Self { records, officer, case, dose, reason, now } = self;
        self.audit(Action::Proposed, reason).await?;
        self.done(records.cases.propose(case, officer, dose, change, reasons, now).await?).await
    }

    /// Grants the case: the change is applied to the dose; with why, and who confirmed it, as the
    /// case keeps them.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn grant(self, change: &Change, reasons: (&str, Option<&str>)) -> Result<Step, Failure> {
        let Self { records, officer, case, dose, reason, now } = self;
        self.audit(Action::Granted, reason).await?;
        self.done(records.cases.grant(case, officer, dose, change, reasons, now).await?).await
    }

    /// Confirms the data that another officer proposed.
    ///
    /// # Errors
    ///
    /// `unavailable`.
    pub async fn confirm(self) -> Result<Step, Failure> {
        let Self { records, officer, case, dose, reason, now } = self;
        self.audit(Action::Granted, reason).await?;
        self.done(records.cases.confirm(case, officer, dose, reason, now).await?).await
    }

    /// A step that the audit has already; where it was not done, the audit has that as well.
    async fn done(&self, step: Step) -> Result<Step, Failure> {
        if !matches!(step, Step::Done(_)) {
            self.audit(Action::NotDone, "").await?;
        }
        Ok(step)
    }

    /// Writes to the audit. It names the person whose record that is, and where the dose is
    /// recorded under another number than the case is about, the person of the case as well.
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

/// The keys of name and birth date that the audit has of a look: of the case, and of doses.
fn names_of<'a>(case: Option<NameKey>, doses: impl IntoIterator<Item = &'a DoseRecord>) -> Vec<NameKey> {
    let doses = doses.into_iter().filter_map(|dose| dose.alike.clone());
    case.into_iter().chain(doses).collect::<BTreeSet<_>>().into_iter().collect()
}
