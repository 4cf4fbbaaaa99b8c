//! Sends an SMS: the text, the lease, the limits, and the record that it was sent.

use std::time::Duration;

use bukti_domain::PhoneNumber;
use bukti_locales::{Locale, fill};
use bukti_records::{DoseRecord, Occasion, PersonKey, SmsKind, Token};
use bukti_runtime::TRACE_TARGET;
use bukti_store::{Cause, Claim, Notifications, Payer, SmsError, Spent};
use jiff::Timestamp;

use crate::{Notify, NotifyError};

impl Notify {
    /// The text of an SMS, with these values and the addresses of the deployment.
    pub(crate) fn text(&self, kind: SmsKind, values: &[(&str, &str)]) -> String {
        let settings = &self.aws.settings;
        // Save characters: `119 ext. 9` becomes `119 ext 9`, which is still readable.
        let helpdesk = settings.helpdesk_phone.replace(". ", " ");
        let (download, address) =
            (format!("{}/unduh", settings.site_url), format!("{}/koreksi", settings.site_url));
        let common = [("helpdesk", &*helpdesk), ("download", &*download), ("address", &*address)];
        fill(Locale::Id, kind.text(), &[&common, values].concat())
    }

    /// Sends an SMS with a new link to a dose's certificate, unless it has already been sent.
    pub(crate) async fn send_link(
        &self,
        kind: SmsKind,
        occasion: &Occasion,
        dose: &DoseRecord,
        download_of: Option<&PersonKey>,
        phone: &PhoneNumber,
        cause: Option<Cause<'_>>,
    ) -> Result<(), NotifyError> {
        let sent = self.send_once(occasion, phone, cause, async |token| {
            self.links.make(token, dose, download_of, Timestamp::now()).await?;
            let link = format!("{}/s/{}", self.aws.settings.site_url, token.secret());
            Ok(self.text(kind, &[("link", &link)]))
        });
        sent.await.inspect(
            |()| tracing::info!(target: TRACE_TARGET, trace = dose.trace(), "an SMS with a link is sent"),
        )
    }

    /// Charges an SMS to the limits of its cause and, if a citizen requested it, to the daily
    /// budget.
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

    /// Sends the SMS of an occasion, unless it has already been sent. If `cause` is `None`, the SMS
    /// was charged earlier. The text may contain the token, which is identical for every attempt.
    pub(crate) async fn send_once(
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
                // Wait here, because the stream retries only a few times, at intervals that this
                // function does not control.
                Claim::Theirs if patience > 0 => tokio::time::sleep(Duration::from_secs(1)).await,
                Claim::Theirs => return Err(NotifyError::Leased),
            }
            patience -= 1;
        };
        let now = Timestamp::now();
        let allowed = match cause {
            Some(cause) => self.allow(cause, phone, now).await,
            None => Ok(Spent::default()),
        };
        let spent = match allowed {
            // Do not retry, because an SMS on the next day would surprise its recipient. The
            // rejection is logged, but not reported to the requester. The certificate is available
            // in the account, and the helpdesk can resend the link.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_text_in_each_language() {
        for kind in SmsKind::ALL {
            for locale in Locale::ALL {
                let text = fill(locale, kind.text(), &[]);
                assert_ne!(text, kind.text(), "{kind:?} has no text in {locale:?}");
            }
        }
    }
}
