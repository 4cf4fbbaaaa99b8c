//! The steps of a case: who may take which, and what the case is then.

use bukti_domain::{CaseState, Correction, FeedRow, Identity, IdentityData, MAX_EVIDENCE_COUNT, likenesses};
use jiff::Timestamp;

use super::{CaseFile, CaseRecord, Change, Decision, Evidence, Message, Proposal};
use crate::{Corrupt, DoseRecord, EventKey, Keys, Officer};

/// The most messages that a case has: an item of the table has a size limit.
const MOST_MESSAGES: usize = 40;

/// What a step of a case came to.
#[derive(Debug)]
pub enum Step {
    /// It was done; the case as it is now.
    Done(Box<CaseRecord>),
    /// Another was faster: the case, or the dose, is not what it was.
    Overtaken,
    /// What was proposed no longer fits the dose, which was corrected meanwhile.
    ProposalOvertaken,
    /// The case, or the dose that it is about, is the officer's own.
    OwnCase,
    /// The dose is not of the person that the case is about.
    ForeignDose,
    /// An admin withdrew the dose.
    Withdrawn,
    /// The record would contradict itself, or no dose could be made of it.
    Contradiction,
}

/// What a step makes, or the step that says why it cannot be taken.
pub type Decided<T> = Result<Result<T, Step>, Corrupt>;

impl CaseRecord {
    /// The case with a piece of evidence that is about to be uploaded under this key. `None` where
    /// it has as many as it may, or is decided.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
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

    /// The case with the person's answer to what an officer asked: it is open again.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn answered(&self, text: &str, keys: &Keys, now: Timestamp) -> Decided<Self> {
        if self.state != CaseState::AskedBack {
            return Ok(Err(Step::Overtaken));
        }
        self.with_message(CaseState::Open, false, text, keys, now)
    }

    /// The case of which an officer asks the person back.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn asked_back(&self, officer: &Officer, text: &str, keys: &Keys, now: Timestamp) -> Decided<Self> {
        match self.refused_to(officer) {
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
        if file.messages.len() >= MOST_MESSAGES {
            return Ok(Err(Step::Overtaken));
        }
        file.messages.push(Message { at: now, from_officer, text: text.to_owned() });
        file.proposal = None;
        self.next(state, &file, keys, now).map(Ok)
    }

    /// The case after an officer refused it.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn refused(&self, officer: &Officer, why: &str, keys: &Keys, now: Timestamp) -> Decided<Self> {
        if let Some(step) = self.refused_to(officer) {
            return Ok(Err(step));
        }
        let mut file = self.file(keys)?;
        file.decision = Some(Decision::of(officer, false, (why, None), now));
        self.next(CaseState::Refused, &file, keys, now).map(Ok)
    }

    /// The case with what an officer would do, for another to decide. That the officer
    /// [may](Self::changed) was decided.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
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

    /// The case that is granted, about the dose of this event. That the officer
    /// [may](Self::changed) was decided.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
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

    /// What another officer proposed for it, where there is such a proposal.
    pub fn proposal_of_another<'a>(&self, officer: &Officer, file: &'a CaseFile) -> Option<&'a Proposal> {
        let proposal = file.proposal.as_ref().filter(|proposal| proposal.officer != officer.id);
        proposal.filter(|_| self.state == CaseState::AwaitingApproval)
    }

    /// Why an officer cannot decide it, where it is so.
    fn refused_to(&self, officer: &Officer) -> Option<Step> {
        if self.state.is_decided() {
            Some(Step::Overtaken)
        } else if self.applicant == officer.id {
            Some(Step::OwnCase)
        } else {
            None
        }
    }

    /// The row that a change makes of a dose as it is now, where this officer may make it in this
    /// case; else the step that says why not. All corrections of doses, proposed and granted, go
    /// through here.
    ///
    /// # Errors
    ///
    /// [`Corrupt`].
    pub fn changed(
        &self,
        officer: &Officer,
        dose: Option<&DoseRecord>,
        change: &Change,
        keys: &Keys,
    ) -> Decided<FeedRow> {
        if let Some(step) = self.refused_to(officer) {
            return Ok(Err(step));
        }
        let row = dose.map(|dose| dose.open(keys)).transpose()?;
        if let (Some(dose), Some(row)) = (dose, &row)
            && !self.is_about(change, dose, row, keys)?
        {
            return Ok(Err(Step::ForeignDose));
        }
        if dose.is_some_and(|dose| dose.withdrawn.is_some()) {
            return Ok(Err(Step::Withdrawn));
        }
        if change.is_overtaken(row.as_ref()) {
            return Ok(Err(Step::ProposalOvertaken));
        }
        let Some(changed) = change.applied(row.as_ref()) else { return Ok(Err(Step::Contradiction)) };
        // The phone before the change and after it: officers neither give away nor take what comes
        // to their own.
        let after = changed.dose().phone.map(|phone| keys.phone(&phone));
        let phones = [dose.and_then(|dose| dose.phone.as_ref()), after.as_ref()];
        if phones.into_iter().flatten().any(|phone| *phone == officer.id) {
            return Ok(Err(Step::OwnCase));
        }
        Ok(Ok(changed))
    }

    /// Whether a dose is of the person that the case is about. It may be recorded under another
    /// number only where the number is what is corrected, which a supervisor approves, and name and
    /// birth date are the person's.
    fn is_about(
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

    /// The identity data that a row states, where they are of the case's person and contradict the
    /// NIK.
    pub fn data_to_confirm(&self, row: &FeedRow, keys: &Keys) -> Option<IdentityData> {
        let data = IdentityData::of(&row.dose()).filter(|data| !data.contradictions().is_empty())?;
        (keys.person(&Identity::Nik(data.nik.clone())) == self.person).then_some(data)
    }
}
