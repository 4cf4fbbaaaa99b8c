//! The record of a case, and its entry in the queue.

use bukti_domain::{CaseNumber, CaseState, Correction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::CaseFile;
use crate::{CaseKey, Corrupt, EventKey, ItemKey, Keys, OpenError, PersonKey, PhoneKey, SmsKind, SmsRequest};

/// A case as it is kept. What is personal is in its file, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseRecord {
    /// Its key.
    pub pk: CaseKey,
    /// Which write this is, from 1: the condition of the next.
    pub revision: u32,
    /// What is wrong.
    pub correction: Correction,
    /// Where it stands.
    pub state: CaseState,
    /// The index key of the person that it is about, as the number was written: whether there is
    /// one or not.
    pub person: PersonKey,
    /// The index key of the phone that asked. Not named `phone`, which is what the index of phones
    /// lists.
    pub applicant: PhoneKey,
    /// The key of the event whose dose was corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKey>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// The last request for an SMS to the phone that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    pub(super) file: ByteBuf,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewCase {
    /// What is wrong.
    pub correction: Correction,
    /// The person's index key.
    pub person: PersonKey,
    /// What the case says; its number is made.
    pub file: CaseFile,
}

/// A case of the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Queued {
    sk: String,
    /// Its key.
    pub case: CaseKey,
}

impl CaseRecord {
    /// The case that a phone (its index key) opens, with this random number.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] where its file cannot be sealed.
    pub fn new(
        applicant: &PhoneKey,
        new: NewCase,
        number: &CaseNumber,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, Corrupt> {
        let pk = keys.case(number);
        let file = CaseFile { number: number.as_str().to_owned(), ..new.file };
        Ok(Self {
            revision: 1,
            correction: new.correction,
            state: CaseState::Open,
            person: new.person,
            applicant: applicant.clone(),
            event: None,
            created_at: now,
            changed_at: now,
            sms_request: None,
            file: seal(&pk, &file, keys, now)?,
            pk,
        })
    }

    /// What it says.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn file(&self, keys: &Keys) -> Result<CaseFile, OpenError> {
        keys.open(&file_place(&self.pk), &self.file)
    }

    /// The case with another file: its next revision. Where the state changes to one that the
    /// citizen has to know, an SMS is requested.
    pub(super) fn next(
        &self,
        state: CaseState,
        file: &CaseFile,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, Corrupt> {
        let revision = self.revision + 1;
        let sms = sms_about(state).filter(|_| state != self.state);
        Ok(Self {
            revision,
            state,
            changed_at: now,
            sms_request: sms.map(|kind| SmsRequest::of_revision(kind, revision)).or(self.sms_request),
            file: seal(&self.pk, file, keys, now)?,
            ..self.clone()
        })
    }

    /// Its entry in the queue of cases that somebody has to look at.
    pub fn queued(&self) -> Queued {
        let key = ItemKey::queued(&self.pk, self.created_at);
        Queued { sk: key.sk().to_owned(), case: self.pk.clone() }
    }
}

impl Queued {
    /// Where it stands in the queue, oldest first.
    pub fn position(&self) -> &str {
        &self.sk
    }
}

/// The SMS about a change to this state.
fn sms_about(state: CaseState) -> Option<SmsKind> {
    match state {
        CaseState::AskedBack => Some(SmsKind::CaseAskedBack),
        CaseState::Granted => Some(SmsKind::CaseGranted),
        CaseState::Refused => Some(SmsKind::CaseRefused),
        CaseState::Open | CaseState::AwaitingApproval => None,
    }
}

fn file_place(case: &CaseKey) -> String {
    ItemKey::case(case).field("file")
}

fn seal(pk: &CaseKey, file: &CaseFile, keys: &Keys, now: Timestamp) -> Result<ByteBuf, Corrupt> {
    let sealed = keys.seal(&file_place(pk), file, now).map(ByteBuf::from);
    sealed.ok_or(Corrupt("a case cannot be sealed"))
}
