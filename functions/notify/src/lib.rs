//! Event function `notify`: sends the SMS that the table's items request ([`SmsRequest`]).
//!
//! | kind | requested by | sent to |
//! |---|---|---|
//! | first dose, corrected | issuing the certificate, later changes | the dose's phone |
//! | resent | the helpdesk | the dose's phone |
//! | phone corrected | the helpdesk | the dose's phone, and a notice to the previous one |
//! | retracted | the sender of the dose | the dose's phone |
//! | case asked back, granted, refused | an officer | the phone that opened the case |
//! | quick download | anyone who enters facts about a dose | the dose's phone, if the facts match |
//! | link locked | the fifth wrong birth date | the phone that received the link |
//!
//! A request states what the SMS is about. The recipient and the content come from the records at
//! the time of sending, so that corrections after the request take effect. Each request is sent at
//! most once, unless the process dies after the SMS service responds and before this is recorded
//! ([`Notifications`]).
//!
//! The SMS about a first dose does not name a disease, because the phone number may be a
//! stranger's.

mod sending;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use bukti_domain::{CaseNumber, PhoneNumber, Verdict};
use bukti_records::{
    CaseRecord, CertificateRecord, DoseRecord, DownloadFacts, DownloadRecord, EventKey, LinkRecord, Occasion,
    OpenError, PersonKey, SmsKind, SmsRequest,
};
use bukti_runtime::process_batch;
use bukti_store::{
    Aws, Cause, Certificates, Doses, Downloads, Links, Notifications, Sms, SmsError, StoreError, Stored,
};
use futures::TryStreamExt;
use jiff::Timestamp;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The filter patterns of the stream records that invoke the function, as in the template.
pub fn patterns() -> Vec<String> {
    vec![SmsRequest::filter()]
}

#[derive(Debug, thiserror::Error)]
enum NotifyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Sms(#[from] SmsError),
    #[error("another instance holds the lease on this SMS; the stream retries")]
    Leased,
}

/// The function `notify`, with the capabilities that it needs.
#[derive(Clone)]
pub struct Notify {
    aws: Aws,
    doses: Doses,
    certificates: Certificates,
    downloads: Downloads,
    notifications: Notifications,
    links: Links,
    sms: Sms,
    /// Locked from the SMS service's response until the SMS is recorded as sent, so that a process
    /// that dies causes at most one duplicate SMS.
    sending: Arc<Mutex<()>>,
}

/// An item with a new request for an SMS.
enum Requested {
    Certificate(CertificateRecord),
    /// With the previous state of the dose, if its phone was corrected.
    Dose {
        replaced: Option<DoseRecord>,
        kind: SmsKind,
        event: EventKey,
    },
    Case {
        case: CaseRecord,
        kind: SmsKind,
    },
    Download(DownloadRecord),
    Link(LinkRecord),
}

impl Requested {
    /// The new request in a stream record; `None` if the record has no request, or if its previous
    /// image contains the request too.
    ///
    /// Doses, cases and links request SMS when they change. If a new item has a request, it was
    /// restored from a backup, and the request is ignored.
    fn of(record: EventRecord) -> Option<Self> {
        let (old, new) = (record.change.old_image, record.change.new_image);
        if let Some(certificate) = CertificateRecord::from_image(new.clone()) {
            let is_new = certificate.sms_request.is_some() && old.is_empty();
            return is_new.then_some(Self::Certificate(certificate));
        }
        if let Some(download) = DownloadRecord::from_image(new.clone()) {
            let before = DownloadRecord::from_image(old).and_then(|before| before.sms_request);
            return is_new(before, download.sms_request).map(|_| Self::Download(download));
        }
        if let Some(link) = LinkRecord::from_image(new.clone()) {
            let before = LinkRecord::from_image(old)?;
            return is_new(before.sms_request, link.sms_request).map(|_| Self::Link(link));
        }
        if let Some(case) = CaseRecord::from_image(new.clone()) {
            let before = CaseRecord::from_image(old)?;
            return is_new(before.sms_request, case.sms_request).map(|kind| Self::Case { case, kind });
        }
        let (before, dose) = (DoseRecord::from_image(old)?, DoseRecord::from_image(new)?);
        let kind = is_new(before.sms_request, dose.sms_request)?;
        let is_replaced = kind == SmsKind::PhoneCorrected && before.phone != dose.phone;
        Some(Self::Dose { replaced: is_replaced.then_some(before), kind, event: dose.pk })
    }
}

/// The kind of SMS that this change requests; `None` if it requests none.
fn is_new(before: Option<SmsRequest>, request: Option<SmsRequest>) -> Option<SmsKind> {
    request.filter(|_| request != before).map(|request| request.kind)
}

impl Notify {
    /// Creates the function with the clients of a deployment.
    #[expect(clippy::disallowed_methods, reason = "called by the table's stream, not by people")]
    pub fn new(aws: &Aws) -> Self {
        Self {
            doses: Doses::new(aws),
            certificates: Certificates::new(aws),
            downloads: Downloads::new(aws),
            notifications: Notifications::new(aws),
            links: Links::new(aws),
            sms: Sms::new(aws),
            sending: Arc::default(),
            aws: aws.clone(),
        }
    }

    /// Sends the SMS that a batch of stream records requests. The response names the records that
    /// failed, for a retry.
    pub async fn handle(&self, event: Event) -> DynamoDbEventResponse {
        process_batch(
            &self.aws,
            event,
            async |record| Ok(Requested::of(record)),
            async |requests| {
                // Read the doses of all new certificates together.
                let issued = requests.iter().filter_map(|request| match request {
                    Some(Requested::Certificate(certificate)) => Some(&certificate.event),
                    _ => None,
                });
                Ok(self.doses.of_events(issued).await?)
            },
            async |request, doses| match request {
                Some(Requested::Certificate(certificate)) => {
                    self.send_certificate(&certificate, doses.get(&certificate.event)).await
                }
                Some(Requested::Dose { replaced, kind, event }) => {
                    self.send_about_dose(replaced.as_ref(), kind, &event).await
                }
                Some(Requested::Case { case, kind }) => self.send_about_case(&case, kind).await,
                Some(Requested::Download(request)) => self.send_download(&request).await,
                Some(Requested::Link(link)) => self.send_link_locked(&link).await,
                None => Ok(()),
            },
        )
        .await
    }

    /// Sends the link to a new certificate, unless its dose was corrected later, because the
    /// correction requests an SMS too.
    async fn send_certificate(
        &self,
        certificate: &CertificateRecord,
        dose: Option<&DoseRecord>,
    ) -> Result<(), NotifyError> {
        let shows_it =
            |dose: &&DoseRecord| dose.certificate_id.as_deref() == Some(certificate.certificate_id());
        match dose.filter(shows_it) {
            Some(dose) if certificate.revoked_at.is_none() => self.send_certificate_of(dose).await,
            _ => Ok(()),
        }
    }

    /// Sends the SMS that a change of a dose requests, using the current state of the dose.
    async fn send_about_dose(
        &self,
        replaced: Option<&DoseRecord>,
        kind: SmsKind,
        event: &EventKey,
    ) -> Result<(), NotifyError> {
        let Some(dose) = self.doses.of_event(event).await? else { return Ok(()) };
        if let Some(before) = replaced {
            self.send_phone_replaced(before).await?;
        }
        match kind {
            SmsKind::Retracted => return self.send_retracted(&dose).await,
            SmsKind::FirstDose | SmsKind::Corrected | SmsKind::PhoneCorrected | SmsKind::Resent => {}
            // Requested by other items.
            SmsKind::PhoneReplaced
            | SmsKind::Download
            | SmsKind::LinkLocked
            | SmsKind::CaseAskedBack
            | SmsKind::CaseGranted
            | SmsKind::CaseRefused => return Ok(()),
        }
        let Some(id) = &dose.certificate_id else { return Ok(()) };
        match self.certificates.of_id(id).await? {
            Some(certificate) if certificate.revoked_at.is_none() => self.send_certificate_of(&dose).await,
            // If the certificate has not been issued yet, issuing it will request the SMS.
            _ => Ok(()),
        }
    }

    /// Sends the link to a dose's certificate, if the dose needs this SMS and has a usable phone.
    async fn send_certificate_of(&self, record: &DoseRecord) -> Result<(), NotifyError> {
        let Some(kind) = record.certificate_sms() else { return Ok(()) };
        let Some(phone) = record.dose(&self.aws.keys)?.phone else { return Ok(()) };
        let cause = match kind {
            SmsKind::Corrected => Some(Cause::Helpdesk),
            // The SMS was charged when the helpdesk requested it.
            SmsKind::Resent => None,
            _ => Some(Cause::Dose { facility: record.facility.as_deref() }),
        };
        self.send_link(kind, &Occasion::dose(record), record, None, &phone, cause).await
    }

    /// Sends a notice to the previous phone of a dose. It reveals neither the holder nor the new
    /// phone.
    async fn send_phone_replaced(&self, before: &DoseRecord) -> Result<(), NotifyError> {
        let Some(phone) = before.dose(&self.aws.keys)?.phone else { return Ok(()) };
        let cause = Cause::Security { facility: None };
        let text = self.text(SmsKind::PhoneReplaced, &[]);
        self.send_once(&Occasion::replaced(before), &phone, Some(cause), async |_| Ok(text)).await
    }

    /// Sends a notice that the certificate of a retracted dose is void, unless the dose never had a
    /// certificate or has been reported again.
    async fn send_retracted(&self, dose: &DoseRecord) -> Result<(), NotifyError> {
        if dose.verdict != Verdict::Retracted {
            return Ok(());
        }
        let Some(phone) = dose.dose(&self.aws.keys)?.phone else { return Ok(()) };
        let mut issued = false;
        for id in dose.void_certificates(&self.aws.keys).into_iter().rev() {
            issued = issued || self.certificates.of_id(&id).await?.is_some();
        }
        if !issued {
            return Ok(());
        }
        let cause = Cause::Security { facility: dose.facility.as_deref() };
        let text = self.text(SmsKind::Retracted, &[]);
        self.send_once(&Occasion::retracted(dose), &phone, Some(cause), async |_| Ok(text)).await
    }

    /// Notifies the phone that opened a case, unless this phone gets the SMS with the link to the
    /// new certificate.
    async fn send_about_case(&self, case: &CaseRecord, kind: SmsKind) -> Result<(), NotifyError> {
        if kind == SmsKind::CaseGranted
            && let Some(event) = &case.event
            && let Some(dose) = self.doses.of_event(event).await?
            && dose.phone.as_ref() == Some(&case.applicant)
        {
            return Ok(());
        }
        let file = case.file(&self.aws.keys)?;
        let Some(phone) = file.phone() else { return Ok(()) };
        let number = CaseNumber::parse(&file.number).map(|number| number.grouped()).unwrap_or_default();
        let text = self.text(kind, &[("number", &number)]);
        self.send_once(&Occasion::case(case), &phone, Some(Cause::Helpdesk), async |_| Ok(text)).await
    }

    /// Sends the link of a quick download to the phone on record, if the facts match. They are
    /// compared here, after the response to the request, so that the response reveals nothing.
    async fn send_download(&self, request: &DownloadRecord) -> Result<(), NotifyError> {
        let Some(facts) = request.facts(&self.aws.keys)? else { return Ok(()) };
        let person = request.person();
        if request.ends() > Timestamp::now()
            && !self.downloads.is_locked(&person).await?
            && let Some((dose, phone)) = self.dose_with_facts(&person, &facts).await?
            && self.downloads.admit(request).await?
        {
            let (kind, occasion) = (SmsKind::Download, Occasion::download(request));
            self.send_link(kind, &occasion, &dose, Some(&person), &phone, Some(Cause::Request)).await?;
        }
        Ok(self.downloads.forget(request).await?)
    }

    /// The dose of a person that matches these facts and has a valid certificate and a usable
    /// phone.
    async fn dose_with_facts(
        &self,
        person: &PersonKey,
        facts: &DownloadFacts,
    ) -> Result<Option<(DoseRecord, PhoneNumber)>, NotifyError> {
        let mut doses = pin!(self.doses.each_of_person(person));
        while let Some(listed) = doses.try_next().await? {
            // A dose without a certificate is never the result. Skipping these doses bounds the
            // number of reads if someone floods the person's identity number with rows.
            if listed.certificate_id.is_none() {
                continue;
            }
            // The index is eventually consistent, so read the dose from the table.
            let Some(record) = self.doses.of_event(&listed.pk).await? else { continue };
            let dose = record.dose(&self.aws.keys)?;
            if record.person.as_ref() != Some(person) || !facts.fit(&dose) {
                continue;
            }
            let (Some(phone), Some(id)) = (dose.phone, &record.certificate_id) else { continue };
            let certificate = self.certificates.of_id(id).await?;
            if certificate.is_some_and(|certificate| certificate.revoked_at.is_none()) {
                return Ok(Some((record, phone)));
            }
        }
        Ok(None)
    }

    /// Sends a notice to the owner of a locked link, unless the dose's phone was corrected later.
    async fn send_link_locked(&self, link: &LinkRecord) -> Result<(), NotifyError> {
        let Some(record) = self.doses.of_event(&link.event).await? else { return Ok(()) };
        let phone = record.dose(&self.aws.keys)?.phone;
        let Some(phone) = phone.filter(|_| record.phone_version == link.phone_version) else { return Ok(()) };
        let cause = Cause::Security { facility: None };
        let text = self.text(SmsKind::LinkLocked, &[]);
        self.send_once(&Occasion::locked(link), &phone, Some(cause), async |_| Ok(text)).await
    }
}
