//! SMS by SNS.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;
use bukti_domain::PhoneNumber;
use jiff::{SignedDuration, Timestamp};

use crate::{Aws, Counter, Metrics, Rate, Rates, StoreError, Taken};

/// Why an SMS was not sent. Says nothing of number or text.
#[derive(Debug, thiserror::Error)]
pub enum SmsError {
    /// The service did not take it.
    #[error("the SMS service did not take the message: {0}")]
    NotTaken(String),
    /// As many SMS as anybody may have sent were sent today.
    #[error("no more SMS may be sent today")]
    BudgetSpent {
        /// Seconds until some may be.
        wait: u32,
    },
    /// They cannot be counted, so none is sent.
    #[error(transparent)]
    Uncounted(#[from] StoreError),
}

/// Where less than a fifth of the day's budget is left, somebody should look.
const ALARM_AT_PERCENT: u64 = 80;

/// Sends SMS.
#[derive(Clone)]
pub struct Sms {
    client: Client,
    sender: String,
    rates: Rates,
    budget: Rate,
    metrics: Metrics,
}

impl Sms {
    /// The SMS of a deployment.
    pub fn new(aws: &Aws) -> Self {
        let budget =
            Rate { name: "sms", window: SignedDuration::from_hours(24), most: aws.settings.sms_per_day };
        let (client, sender) = (aws.sns.clone(), aws.settings.sms_sender.clone());
        Self { client, sender, rates: Rates::new(aws), budget, metrics: aws.metrics.clone() }
    }

    /// Takes one SMS from the day's budget, for one that anybody can have sent: SMS fraud has them sent by the thousand. What
    /// is logged here as an error with `alarm` is for somebody to be called.
    ///
    /// # Errors
    ///
    /// [`SmsError::BudgetSpent`], [`SmsError::Uncounted`].
    pub async fn spend(&self, now: Timestamp) -> Result<(), SmsError> {
        let alarm_at = u64::from(self.budget.most) * ALARM_AT_PERCENT / 100;
        match self.rates.take(&self.budget, "", now).await? {
            Taken::Now(spent) => {
                if u64::from(spent) == alarm_at {
                    tracing::error!(alarm = "sms_budget", spent, "most of the day's SMS are spent");
                }
                Ok(())
            }
            Taken::Full { wait } => {
                tracing::error!(alarm = "sms_budget", "the day's SMS are spent: none is sent");
                Err(SmsError::BudgetSpent { wait })
            }
        }
    }

    /// Sends a text and returns the id that the service gave it. A message that may be sent again after a crash has a
    /// `name`: SNS passes the attribute over, the embedded stack leaves out a second message of the same name.
    ///
    /// # Errors
    ///
    /// [`SmsError::NotTaken`]; the message may have been taken all the same where the answer was lost.
    pub async fn send(&self, to: &PhoneNumber, text: &str, name: Option<&str>) -> Result<String, SmsError> {
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|_| SmsError::NotTaken("attribute".to_owned()))
        };
        let name = name.map(&attribute).transpose()?;
        let attributes = name.map(|name| ("Bukti.DeduplicationId".to_owned(), name));
        let answer = self
            .client
            .publish()
            .phone_number(to.e164())
            .message(text)
            .set_message_attributes(Some(attributes.into_iter().collect()))
            .message_attributes("AWS.SNS.SMS.SenderID", attribute(&self.sender)?)
            .message_attributes("AWS.SNS.SMS.SMSType", attribute("Transactional")?)
            .send()
            .await;
        self.metrics.count(Counter::Sms, if answer.is_ok() { "accepted" } else { "failed" });
        let answer = answer.map_err(|error| {
            SmsError::NotTaken(error.into_service_error().code().unwrap_or("no answer").to_owned())
        })?;
        Ok(answer.message_id.unwrap_or_default())
    }
}
