//! The SMS outbox: requests for SMS.
//!
//! A write that has to cause an SMS puts the request into the item that it changes, so that change
//! and request are one write. `notify` reads the table's stream and sends the requested SMS. A
//! request is new if it differs from that in the item's previous image.

use serde::{Deserialize, Serialize};

bukti_domain::codes! {
    /// What an SMS is about.
    SmsKind, /// The key of its text in the locales.
    text: &'static str {
        /// The certificate of a first dose is ready.
        FirstDose = "first_dose" => "sms.first_dose",
        /// The helpdesk corrected the dose.
        Corrected = "corrected" => "sms.corrected",
        /// The helpdesk corrected the dose and its phone, so the owner of the previous phone gets
        /// [`PhoneReplaced`](Self::PhoneReplaced) as well.
        PhoneCorrected = "phone_corrected" => "sms.corrected",
        /// The phone is no longer the one of a dose. Never requested on its own.
        PhoneReplaced = "phone_replaced" => "sms.phone_replaced",
        /// The helpdesk sends the link once more.
        Resent = "resent" => "sms.first_dose",
        /// The sender retracted the dose after its certificate was issued.
        Retracted = "retracted" => "sms.retracted",
        /// Quick download: somebody requested a link.
        Download = "download" => "sms.download",
        /// A link was locked after too many wrong birth dates.
        LinkLocked = "link_locked" => "sms.link_locked",
        /// An officer has a question about a case.
        CaseAskedBack = "case_asked_back" => "sms.case_asked_back",
        /// A case was granted.
        CaseGranted = "case_granted" => "sms.case_granted",
        /// A case was refused.
        CaseRefused = "case_refused" => "sms.case_refused",
    }
}

impl SmsKind {
    /// Whether the SMS has a link to the certificate of a dose.
    pub fn has_certificate_link(self) -> bool {
        matches!(self, Self::FirstDose | Self::Corrected | Self::PhoneCorrected | Self::Resent)
    }
}

/// A request for an SMS, an attribute of the item that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsRequest {
    /// What the SMS is about.
    pub kind: SmsKind,
    /// Distinguishes the requests of one item: the revision or the time of the write.
    pub number: i64,
}

impl SmsRequest {
    /// The attribute's name in all items.
    pub const ATTRIBUTE: &str = "sms_request";

    /// A request made by the write of this revision of an item.
    pub fn of_revision(kind: SmsKind, revision: u32) -> Self {
        Self { kind, number: revision.into() }
    }

    /// The pattern of a stream filter that passes items with a request.
    pub fn filter() -> String {
        format!(
            r#"{{"dynamodb": {{"NewImage": {{"{}": {{"M": {{"kind": {{"S": [{{"exists": true}}]}}}}}}}}}}}}"#,
            Self::ATTRIBUTE
        )
    }
}
