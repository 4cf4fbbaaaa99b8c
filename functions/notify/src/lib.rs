//! Event function `notify`: the SMS with a link to a certificate, each exactly once.
//!
//! Each first dose of a series has its SMS, whatever it protects from. The SMS names no disease: the number may be wrong,
//! and be a stranger's.
//!
//! Three things lead to it: the certificate of a first dose is issued, the phone of such a dose is corrected, or an admin has it looked
//! at again. Either way, what counts is the dose as it is now, and whether the SMS to its phone of now was sent ([`Notifications`]).
//! The doses of new certificates are read for a whole batch. A phone that is corrected after that is told by the correction's record, and
//! the link that the other one gets is dead.
//!
//! What the helpdesk corrects is told to the phone on record, whichever dose it is; who had the phone before is told that it was
//! replaced. Where a case is refused, or its person asked back, whoever opened it is told.
//!
//! Where a dose is retracted after its certificate was issued, its holder is told once that the certificate is not valid any
//! more, whichever dose it is.
//!
//! A link that was locked after too many wrong birth dates has an SMS to its owner.
//!
//! A quick download is asked for by anybody who knows some facts, so what they get to see does not depend on whether those
//! are right. They are compared here, where nobody waits for an answer.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use bukti_domain::{CaseNumber, CaseState, PhoneNumber, Verdict};
use bukti_locales::{Locale, fill};
use bukti_records::{
    CaseRecord, CertificateRecord, DoseRecord, DownloadFacts, DownloadRecord, EventKey, ItemKind, LinkRecord,
    Occasion, OpenError, PersonKey, SmsReason, Token,
};
use bukti_runtime::{WAY, each_record};
use bukti_store::{
    Aws, Cause, Certificates, Claim, Doses, Downloads, Links, Notifications, Payer, Sms, SmsError, Spent,
    StoreError, Stored,
};
use futures::TryStreamExt;
use jiff::Timestamp;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The records of the stream that it is called for, as the template has them: certificates that somebody is told of, doses that were
/// changed, cases of which there is news, requests for quick downloads that nobody has looked at, links that were locked. AWS takes
/// five patterns.
pub fn patterns() -> Vec<String> {
    let changed = |kind: ItemKind, image: &str| {
        format!(r#"{{"eventName": ["MODIFY"], "dynamodb": {{{}{image}}}}}"#, kind.filter())
    };
    vec![
        format!(
            r#"{{"eventName": ["INSERT"], "dynamodb": {{{}, "NewImage": {{"sms": {{"S": [{{"exists": true}}]}}}}}}}}"#,
            ItemKind::Certificate.filter()
        ),
        changed(ItemKind::Dose, ""),
        changed(ItemKind::Case, r#", "NewImage": {"state": {"S": ["asked_back", "granted", "refused"]}}"#),
        format!(
            r#"{{"dynamodb": {{{}, "NewImage": {{"facts": {{"B": [{{"exists": true}}]}}}}}}}}"#,
            ItemKind::Download.filter()
        ),
        changed(ItemKind::Link, r#", "NewImage": {"locked_at": {"S": [{"exists": true}]}}"#),
    ]
}

#[derive(Debug, thiserror::Error)]
enum NotifyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Sms(#[from] SmsError),
    #[error("another is sending this SMS, and does not come to an end")]
    Claimed,
}

/// The function with what it may do.
#[derive(Clone)]
pub struct Notify {
    aws: Aws,
    doses: Doses,
    certificates: Certificates,
    downloads: Downloads,
    notifications: Notifications,
    links: Links,
    sms: Sms,
    /// Held from the SMS service's answer to the record of it, so that a process that dies there has one SMS under way
    /// at most, which will be sent twice.
    sending: Arc<Mutex<()>>,
}

impl Notify {
    /// The function of a deployment.
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

    /// Sends what a batch of the table's stream asks for. The answer names the records that must come again.
    pub async fn handle(&self, event: Event) -> DynamoDbEventResponse {
        each_record(
            &self.aws,
            event,
            async |record| Ok((CertificateRecord::from_image(record.change.new_image.clone()), record)),
            async |records| {
                let issued = records.iter().filter_map(|(certificate, _)| certificate.as_ref());
                Ok(self.doses.of_events(issued.map(|certificate| &certificate.event)).await?)
            },
            async |(certificate, record), doses| match certificate {
                Some(certificate) => self.issued(&certificate, doses.get(&certificate.event)).await,
                None => self.record(record).await,
            },
        )
        .await
    }

    /// Tells of a certificate, unless its dose was corrected since: that of the correction leads here as well.
    async fn issued(
        &self,
        certificate: &CertificateRecord,
        dose: Option<&DoseRecord>,
    ) -> Result<(), NotifyError> {
        let is_its =
            |dose: &&DoseRecord| dose.certificate_id.as_deref() == Some(certificate.certificate_id());
        match dose.filter(is_its) {
            Some(dose) if certificate.revoked_at.is_none() => self.tell(dose).await,
            _ => Ok(()),
        }
    }

    /// Tells of everything else.
    async fn record(&self, record: EventRecord) -> Result<(), NotifyError> {
        if let Some(request) = DownloadRecord::from_image(record.change.new_image.clone()) {
            return self.answer(&request).await;
        }
        if let Some(link) = LinkRecord::from_image(record.change.new_image.clone()) {
            return if link.locked_at.is_some() { self.warn(&link).await } else { Ok(()) };
        }
        if let Some(case) = CaseRecord::from_image(record.change.new_image.clone()) {
            let before = CaseRecord::from_image(record.change.old_image);
            let news = before.is_none_or(|before| before.state != case.state);
            return if news { self.tell_of_case(&case).await } else { Ok(()) };
        }
        let before = DoseRecord::from_image(record.change.old_image);
        let after = DoseRecord::from_image(record.change.new_image);
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        // One that was incomplete for a while may have been so when its certificate was to be told of.
        let is_whole_again = before.certificate_id.is_none() && after.certificate_id.is_some();
        if before.phone_version == after.phone_version && before.again_at == after.again_at && !is_whole_again
        {
            return Ok(());
        }
        if after.verdict == Verdict::Retracted {
            return self.tell_of_retraction(&after.pk).await;
        }
        if after.sms == Some(SmsReason::Corrected) && before.phone != after.phone {
            self.tell_who_had_the_phone(&before, &after).await?;
        }
        let Some(dose) = self.doses.of_event(&after.pk).await? else { return Ok(()) };
        let Some(id) = &dose.certificate_id else { return Ok(()) };
        match self.certificates.of_id(id).await? {
            Some(certificate) if certificate.revoked_at.is_none() => self.tell(&dose).await,
            // The issue of one that is not there yet leads here as well.
            _ => Ok(()),
        }
    }

    /// Sends the SMS of a dose whose certificate is issued, where it is a first dose or the helpdesk has told of it, and has a
    /// usable phone.
    async fn tell(&self, record: &DoseRecord) -> Result<(), NotifyError> {
        let dose = record.dose(&self.aws.keys)?;
        let text = match (record.sms, dose.dose_number) {
            (Some(SmsReason::Corrected), _) => "sms.corrected",
            (Some(SmsReason::Resent | SmsReason::FirstDose), _) | (None, Some(1)) => "sms.first_dose",
            (None, _) => return Ok(()),
        };
        let Some(phone) = dose.phone else { return Ok(()) };
        self.send_link(&Occasion::dose(record), record, None, &phone, text).await
    }

    /// Tells the owner of the phone that a dose had before. Nothing is in it of whose dose it is, or of the new phone.
    async fn tell_who_had_the_phone(
        &self,
        before: &DoseRecord,
        after: &DoseRecord,
    ) -> Result<(), NotifyError> {
        let Some(phone) = before.dose(&self.aws.keys)?.phone else { return Ok(()) };
        let cause = Cause::Security { facility: None };
        self.send_once(&Occasion::replaced(after), &phone, Some(cause), async |_| {
            let helpdesk = short_phone(&self.aws.settings.helpdesk_phone);
            Ok(fill(Locale::Id, "sms.phone_replaced", &[("helpdesk", &helpdesk)]))
        })
        .await
    }

    /// Tells the holder of a certificate that its dose was retracted, unless the dose was reported again since: then its new
    /// certificate is what counts. Where no certificate was issued, nobody has one to be told of.
    async fn tell_of_retraction(&self, event: &EventKey) -> Result<(), NotifyError> {
        let Some(dose) = self.doses.of_event(event).await? else { return Ok(()) };
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
        self.send_once(&Occasion::retracted(&dose), &phone, Some(cause), async |_| {
            let helpdesk = short_phone(&self.aws.settings.helpdesk_phone);
            Ok(fill(Locale::Id, "sms.retracted", &[("helpdesk", &helpdesk)]))
        })
        .await
    }

    /// Tells whoever opened a case what became of it, where the SMS with the new certificate does not tell already.
    async fn tell_of_case(&self, case: &CaseRecord) -> Result<(), NotifyError> {
        let text = match case.state {
            CaseState::AskedBack => "sms.case_asked_back",
            CaseState::Refused => "sms.case_refused",
            CaseState::Granted => {
                let dose = match &case.event {
                    Some(event) => self.doses.of_event(event).await?,
                    None => None,
                };
                if dose.is_some_and(|dose| dose.phone.as_ref() == Some(&case.applicant)) {
                    return Ok(());
                }
                "sms.case_granted"
            }
            CaseState::Open | CaseState::AwaitingApproval => return Ok(()),
        };
        let file = case.file(&self.aws.keys)?;
        let number = CaseNumber::parse(&file.number).map(|number| number.grouped()).unwrap_or_default();
        let Some(phone) = file.phone() else { return Ok(()) };
        self.send_once(&Occasion::case(case), &phone, Some(Cause::Helpdesk), async |_| {
            let settings = &self.aws.settings;
            let address = format!("{}/koreksi", settings.site_url);
            let helpdesk = short_phone(&settings.helpdesk_phone);
            let values = [("number", &*number), ("address", &*address), ("helpdesk", &*helpdesk)];
            Ok(fill(Locale::Id, text, &values))
        })
        .await
    }

    /// Answers a request for a quick download: by an SMS to the phone on record where the facts fit, else not at all.
    async fn answer(&self, request: &DownloadRecord) -> Result<(), NotifyError> {
        let Some(facts) = request.facts(&self.aws.keys)? else { return Ok(()) };
        let person = request.person();
        if request.ends() > Timestamp::now()
            && !self.downloads.is_locked(&person).await?
            && let Some((dose, phone)) = self.dose_asked_for(&person, &facts).await?
            && self.downloads.admit(request).await?
        {
            let occasion = Occasion::download(request);
            self.send_link(&occasion, &dose, Some(&person), &phone, "sms.download").await?;
        }
        Ok(self.downloads.forget(request).await?)
    }

    /// The dose of a person that these facts fit, where it has a good certificate and a usable phone.
    async fn dose_asked_for(
        &self,
        person: &PersonKey,
        facts: &DownloadFacts,
    ) -> Result<Option<(DoseRecord, PhoneNumber)>, NotifyError> {
        let mut doses = pin!(self.doses.each_of_person(person));
        while let Some(listed) = doses.try_next().await? {
            // Without a certificate it cannot fit: whoever floods the person's number costs no further read.
            if listed.certificate_id.is_none() {
                continue;
            }
            // The index lags: what counts is the dose as it is now.
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

    /// Tells the owner of a link that it was locked, unless the phone was corrected since.
    async fn warn(&self, link: &LinkRecord) -> Result<(), NotifyError> {
        let Some(record) = self.doses.of_event(&link.event).await? else { return Ok(()) };
        let phone = record.dose(&self.aws.keys)?.phone;
        let Some(phone) = phone.filter(|_| record.phone_version == link.phone_version) else { return Ok(()) };
        let cause = Cause::Security { facility: None };
        self.send_once(&Occasion::locked(link), &phone, Some(cause), async |_| {
            let settings = &self.aws.settings;
            let download = format!("{}/unduh", settings.site_url);
            let helpdesk = short_phone(&settings.helpdesk_phone);
            Ok(fill(Locale::Id, "sms.link_locked", &[("download", &download), ("helpdesk", &helpdesk)]))
        })
        .await
    }

    /// Sends the SMS of an occasion with a link of its own to a dose's certificate, unless it was sent.
    async fn send_link(
        &self,
        occasion: &Occasion,
        dose: &DoseRecord,
        download_of: Option<&PersonKey>,
        phone: &PhoneNumber,
        text: &str,
    ) -> Result<(), NotifyError> {
        let cause = match dose.sms {
            _ if download_of.is_some() => Some(Cause::Request),
            Some(SmsReason::Corrected) => Some(Cause::Helpdesk),
            // The helpdesk has taken it, before the links that were sent before were dead.
            Some(SmsReason::Resent) => None,
            Some(SmsReason::FirstDose) | None => Some(Cause::Dose { facility: dose.facility.as_deref() }),
        };
        let sent = self.send_once(occasion, phone, cause, async |token| {
            self.links.make(token, dose, download_of, Timestamp::now()).await?;
            let settings = &self.aws.settings;
            let link = format!("{}/s/{}", settings.site_url, token.secret());
            let helpdesk = short_phone(&settings.helpdesk_phone);
            Ok(fill(Locale::Id, text, &[("link", &link), ("helpdesk", &helpdesk)]))
        });
        sent.await
            .inspect(|()| tracing::info!(target: WAY, trace = dose.trace(), "an SMS with a link is sent"))
    }

    /// Takes an SMS from the limits of its cause, and from the day's budget where somebody asked for it.
    async fn allow(&self, cause: Cause<'_>, phone: &PhoneNumber, now: Timestamp) -> Result<Spent, SmsError> {
        let allowed = self.sms.allow(cause, phone, now).await?;
        if !matches!(cause, Cause::Request) {
            return Ok(allowed);
        }
        match self.sms.spend(Payer::OnRecord { network: None }, phone, now).await {
            Ok(spent) => Ok(allowed.and(spent)),
            Err(error) => {
                self.sms.give_back(&allowed, now).await?;
                Err(error)
            }
        }
    }

    /// Sends the SMS of an occasion, unless it was sent; without a cause where it is allowed already. Its text may hold a token, the same whenever it is tried again.
    async fn send_once(
        &self,
        occasion: &Occasion,
        phone: &PhoneNumber,
        cause: Option<Cause<'_>>,
        text: impl AsyncFnOnce(&Token) -> Result<String, NotifyError>,
    ) -> Result<(), NotifyError> {
        let mut patience = Notifications::LEASE_SECONDS + 5;
        let (token, name) = loop {
            match self.notifications.claim(occasion, Timestamp::now()).await? {
                Claim::Sent => return Ok(()),
                Claim::Ours { token, name } => break (token, name),
                // Waited for here and not by coming again: how soon and how often a stream comes again is not ours to say.
                Claim::Theirs if patience > 0 => tokio::time::sleep(Duration::from_secs(1)).await,
                Claim::Theirs => return Err(NotifyError::Claimed),
            }
            patience -= 1;
        };
        let now = Timestamp::now();
        let allowed = match cause {
            Some(cause) => self.allow(cause, phone, now).await,
            None => Ok(Spent::default()),
        };
        let spent = match allowed {
            // Not tomorrow either: by then nobody knows any more what it is about. Who asked is not
            // told; the alarm is. That of a dose is in the account, and the helpdesk sends it
            // again.
            Err(SmsError::BudgetSpent { .. } | SmsError::Withheld) => {
                return Ok(self.notifications.give_back(occasion).await?);
            }
            allowed => allowed?,
        };
        let text = match text(&token).await {
            Ok(text) => text,
            Err(error) => {
                self.sms.give_back(&spent, now).await?;
                return Err(error);
            }
        };
        let _one_at_a_time = self.sending.lock().await;
        match self.sms.send(phone, &text, Some(&name)).await {
            Ok(message_id) => {
                tracing::debug!(message_id = %message_id, "an SMS was accepted");
                Ok(self.notifications.sent(occasion, &token, &message_id, Timestamp::now()).await?)
            }
            Err(error) => {
                self.sms.give_back(&spent, now).await?;
                self.notifications.give_back(occasion).await?;
                Err(error.into())
            }
        }
    }
}

/// A phone number as short as it can be read: `119 ext. 9` becomes `119 ext 9`.
fn short_phone(phone: &str) -> String {
    phone.replace(". ", " ")
}
