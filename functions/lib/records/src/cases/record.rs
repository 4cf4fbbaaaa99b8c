//! The stored record of a case, and its entry in the helpdesk's queue.

use bukti_domain::{CaseNumber, CaseState, Correction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::CaseFile;
use crate::{CaseKey, Corrupt, EventKey, ItemKey, Keys, OpenError, PersonKey, PhoneKey, SmsKind, SmsRequest};

/// The stored record of a case. Personal data are in the sealed field `file`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseRecord {
    /// The key of the case.
    pub pk: CaseKey,
    /// The number of times that the record was written; the optimistic lock of the next write.
    pub revision: u32,
    /// The kind of correction that the applicant requests.
    pub correction: Correction,
    /// Where the case is on its way to a decision.
    pub state: CaseState,
    /// The index key of the person with the entered identity number, which need not have any
    /// records.
    pub person: PersonKey,
    /// The index key of the phone that opened the case. Not named `phone`, because the index of
    /// phones lists all items that have this attribute.
    pub applicant: PhoneKey,
    /// The key of the event whose dose was corrected; `None` until the case is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKey>,
    /// When the case was opened.
    pub created_at: Timestamp,
    /// When the case was last changed.
    pub changed_at: Timestamp,
    /// The latest request for an SMS to the phone that opened the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    pub(super) file: ByteBuf,
}

/// The data of a case that is about to be opened.
#[derive(Clone, Debug)]
pub struct NewCase {
    /// The kind of correction that the applicant requests.
    pub correction: Correction,
    /// The index key of the person with the entered identity number.
    pub person: PersonKey,
    /// The content. [`CaseRecord::new`] sets the case number in it.
    pub file: CaseFile,
}

/// An entry in the helpdesk's queue of cases that wait for an officer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Queued {
    sk: String,
    /// The key of the case.
    pub case: CaseKey,
}

impl CaseRecord {
    /// Creates the record of a new case for a phone (its index key). `number` is random.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the file cannot be sealed.
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

    /// Opens the content of the case.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the sealed field cannot be opened.
    pub fn file(&self, keys: &Keys) -> Result<CaseFile, OpenError> {
        keys.open(&file_aad(&self.pk), &self.file)
    }

    /// The next revision, with this state and content. Requests an SMS if the applicant has to know
    /// about the new state.
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

    /// The entry of the case in the queue.
    pub fn queued(&self) -> Queued {
        let key = ItemKey::queued(&self.pk, self.created_at);
        Queued { sk: key.sk().to_owned(), case: self.pk.clone() }
    }
}

impl Queued {
    /// The entry's position in the queue, which is sorted oldest first.
    pub fn position(&self) -> &str {
        &self.sk
    }
}

/// The kind of SMS that announces this state; `None` if the state needs no SMS.
fn sms_about(state: CaseState) -> Option<SmsKind> {
    match state {
        CaseState::AskedBack => Some(SmsKind::CaseAskedBack),
        CaseState::Granted => Some(SmsKind::CaseGranted),
        CaseState::Refused => Some(SmsKind::CaseRefused),
        CaseState::Open | CaseState::AwaitingApproval => None,
    }
}

fn file_aad(case: &CaseKey) -> String {
    ItemKey::case(case).field("file")
}

fn seal(pk: &CaseKey, file: &CaseFile, keys: &Keys, now: Timestamp) -> Result<ByteBuf, Corrupt> {
    let sealed = keys.seal(&file_aad(pk), file, now).map(ByteBuf::from);
    sealed.ok_or(Corrupt("a case cannot be sealed"))
}
