//! The steps of a case: who may take them, and the case that results.

use bukti_domain::{CaseState, Correction, FeedRow, Identity, IdentityData, MAX_EVIDENCE_COUNT, likenesses};
use jiff::Timestamp;

use super::{CaseFile, CaseRecord, Change, Decision, Evidence, Message, Proposal};
use crate::{Corrupt, DoseRecord, EventKey, Keys, Officer};

/// The maximum number of messages in a case, because DynamoDB limits the size of an item.
const MAX_MESSAGES: usize = 40;

/// The outcome of a step of a case.
#[derive(Debug)]
pub enum Step {
    /// The step was taken; contains the resulting case.
    Done(Box<CaseRecord>),
    /// The case or the dose was changed concurrently, or the step is not allowed in the state of
    /// the case.
    Overtaken,
    /// The dose was corrected after the proposal, which therefore no longer applies.
    ProposalOvertaken,
    /// The officer opened the case, or the dose is registered with the officer's phone.
    OwnCase,
    /// The dose belongs to a person other than the one in the case.
    ForeignDose,
    /// An admin has withdrawn the dose.
    Withdrawn,
    /// The resulting dose would be invalid, or its data would contradict each other.
    Contradiction,
}

/// The result of a step, or the [`Step`] that explains why it cannot be taken.
pub type Decided<T> = Result<Result<T, Step>, Corrupt>;

impl CaseRecord {
    /// The case with a file of evidence whose upload is about to start; `None` if the case has the
    /// maximum number of files or has been decided.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the file cannot be opened or sealed.
    pub fn expecting(
        &self,
        evidence: Evidence,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Option<Self>, Corrupt> {
        let mut file = self.file(keys)?;
        if self.state.is_decided() || file.evidence.len() >= MAX_EVIDENCE_COUNT {
            return Ok(None);
        }
        file.evidence.push(evidence);
        self.next(self.state, &file, keys, now).map(Some)
    }

    /// The case, reopened, with the applicant's answer to an officer's question.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the file cannot be opened or sealed.
    pub fn answered(&self, text: &str, keys: &Keys, now: Timestamp) -> Decided<Self> {
        if self.state != CaseState::AskedBack {
            return Ok(Err(Step::Overtaken));
        }
        self.with_message(CaseState::Open, false, text, keys, now)
    }

    /// The case after an officer asked the applicant a question.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the file cannot be opened or sealed.
    pub fn asked_back(&self, officer: &Officer, text: &str, keys: &Keys, now: Timestamp) -> Decided<Self> {
        match self.rejection_for(officer) {
            Some(step) => Ok(Err(step)),
            None => self.with_message(CaseState::AskedBack, true, text, keys, now),
        }
    }

    fn with_message(
        &self,
        state: CaseState,
        from_officer: bool,
        text: &str,
        keys: &Keys,
        now: Timestamp,
    ) -> Decided<Self> {
        let mut file = self.file(keys)?;
        if file.messages.len() >= MAX_MESSAGES {
            return Ok(Err(Step::Overtaken));
        }
        file.messages.push(Message { at: now, from_officer, text: text.to_owned() });
        file.proposal = None;
        self.next(state, &file, keys, now).map(Ok)
    }

    /// The case after an officer has refused it.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the file cannot be opened or sealed.
    pub fn refused(&self, officer: &Officer, why: &str, keys: &Keys, now: Timestamp) -> Decided<Self> {
        if let Some(step) = self.rejection_for(officer) {
            return Ok(Err(step));
        }
        let mut file = self.file(keys)?;
        file.decision = Some(Decision::of(officer, false, (why, None), now));
        self.next(CaseState::Refused, &file, keys, now).map(Ok)
    }

    /// The case with an officer's proposal, which another officer has to approve. Call
    /// [`changed`](Self::changed) first to check that the officer may make this proposal.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the file cannot be opened or sealed.
    pub fn proposed(
        &self,
        officer: &Officer,
        change: Change,
        (why, confirmed_by): (&str, Option<&str>),
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, Corrupt> {
        let mut file = self.file(keys)?;
        file.proposal = Some(Proposal {
            officer: officer.id.clone(),
            officer_name: officer.name.clone(),
            at: now,
            why: why.to_owned(),
            confirmed_by: confirmed_by.map(str::to_owned),
            change: Some(change),
        });
        self.next(CaseState::AwaitingApproval, &file, keys, now)
    }

    /// The granted case, with the event of the corrected dose. Call [`changed`](Self::changed)
    /// first to check that the officer may grant the correction.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the file cannot be opened or sealed.
    pub fn granted(
        &self,
        officer: &Officer,
        event: Option<EventKey>,
        reasons: (&str, Option<&str>),
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, Corrupt> {
        let mut file = self.file(keys)?;
        file.decision = Some(Decision::of(officer, true, reasons, now));
        Self { event, ..self.clone() }.next(CaseState::Granted, &file, keys, now)
    }

    /// The pending proposal, if it was made by a different officer.
    pub fn proposal_of_another<'a>(&self, officer: &Officer, file: &'a CaseFile) -> Option<&'a Proposal> {
        let proposal = file.proposal.as_ref().filter(|proposal| proposal.officer != officer.id);
        proposal.filter(|_| self.state == CaseState::AwaitingApproval)
    }

    /// Why this officer may not decide the case; `None` if the officer may.
    fn rejection_for(&self, officer: &Officer) -> Option<Step> {
        if self.state.is_decided() {
            Some(Step::Overtaken)
        } else if self.applicant == officer.id {
            Some(Step::OwnCase)
        } else {
            None
        }
    }

    /// The row that results from applying a change to the dose, or the [`Step`] that explains why
    /// this officer may not make the change in this case. Every proposed or granted correction of a
    /// dose is checked here.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the dose or the file cannot be opened.
    pub fn changed(
        &self,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        change: &Change,
        keys: &Keys,
    ) -> Decided<FeedRow> {
        if let Some(step) = self.rejection_for(officer) {
            return Ok(Err(step));
        }
        let row = dose.map(|dose| dose.open(keys)).transpose()?;
        if let (Some(dose), Some(row)) = (dose, &row)
            && !self.covers_dose(change, dose, row, keys)?
        {
            return Ok(Err(Step::ForeignDose));
        }
        if dose.is_some_and(|dose| dose.withdrawn.is_some()) {
            return Ok(Err(Step::Withdrawn));
        }
        if change.is_stale(row.as_ref()) {
            return Ok(Err(Step::ProposalOvertaken));
        }
        let Some(changed) = change.applied(row.as_ref()) else { return Ok(Err(Step::Contradiction)) };
        // Check the phone before and after the change: officers must not move a dose away from
        // their own phone, nor to it.
        let after = changed.dose().phone.map(|phone| keys.phone(&phone));
        let phones = [dose.and_then(|dose| dose.phone.as_ref()), after.as_ref()];
        if phones.into_iter().flatten().any(|phone| *phone == officer.id) {
            return Ok(Err(Step::OwnCase));
        }
        Ok(Ok(changed))
    }

    /// Whether a dose belongs to the person in the case. A dose may be recorded under another
    /// identity number only if the number is to be corrected, which a supervisor has to approve,
    /// and if its name and birth date resemble the person's.
    fn covers_dose(
        &self,
        change: &Change,
        dose: &DoseRecord,
        row: &FeedRow,
        keys: &Keys,
    ) -> Result<bool, Corrupt> {
        if dose.person.as_ref() == Some(&self.person) {
            return Ok(true);
        }
        let corrects_number = matches!(change, Change::Correct { correction: Correction::Identity, .. });
        let asking = self.file(keys)?.asking();
        Ok(corrects_number && asking.is_some_and(|asking| !likenesses(&asking, &row.dose()).is_empty()))
    }

    /// The identity data in a row that belong to the person in the case and contradict the NIK;
    /// `None` if there is nothing to confirm.
    pub fn data_to_confirm(&self, row: &FeedRow, keys: &Keys) -> Option<IdentityData> {
        let data = IdentityData::of(&row.dose()).filter(|data| !data.contradictions().is_empty())?;
        (keys.person(&Identity::Nik(data.nik.clone())) == self.person).then_some(data)
    }
}
