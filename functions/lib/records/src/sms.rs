//! The SMS outbox: requests for SMS.
//!
//! If a write requires an SMS, the request is an attribute of the written item, so that the change
//! and the request are one write. `notify` reads the table's stream and sends the requested SMS. A
//! request is new if it differs from the request in the item's previous image.

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
        /// The phone of a dose was replaced; sent to the previous phone. Only sent together with
        /// another SMS, never requested.
        PhoneReplaced = "phone_replaced" => "sms.phone_replaced",
        /// The helpdesk resent the link.
        Resent = "resent" => "sms.first_dose",
        /// The sender retracted the dose after its certificate was issued.
        Retracted = "retracted" => "sms.retracted",
        /// Someone requested a quick download.
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
    /// Whether the SMS contains a link to the certificate of a dose.
    pub fn has_certificate_link(self) -> bool {
        matches!(self, Self::FirstDose | Self::Corrected | Self::PhoneCorrected | Self::Resent)
    }
}

/// A request for an SMS, stored as an attribute of the item that the SMS is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsRequest {
    /// What the SMS is about.
    pub kind: SmsKind,
    /// The revision or the time of the write, which distinguishes the requests of one item.
    pub number: i64,
}

impl SmsRequest {
    /// The attribute's name in all items.
    pub const ATTRIBUTE: &str = "sms_request";

    /// The request that is made by writing this revision of an item.
    pub fn of_revision(kind: SmsKind, revision: u32) -> Self {
        Self { kind, number: revision.into() }
    }

    /// The stream filter pattern that selects items with a request.
    pub fn filter() -> String {
        format!(
            r#"{{"dynamodb": {{"NewImage": {{"{}": {{"M": {{"kind": {{"S": [{{"exists": true}}]}}}}}}}}}}}}"#,
            Self::ATTRIBUTE
        )
    }
}
