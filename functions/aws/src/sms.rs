//! SMS by SNS.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;
use bukti_domain::PhoneNumber;

use crate::Aws;

/// An SMS that the service did not take. Says nothing of number or text.
#[derive(Debug, thiserror::Error)]
#[error("the SMS service did not take the message: {0}")]
pub struct SmsError(String);

/// Sends SMS.
#[derive(Clone)]
pub struct Sms {
    client: Client,
    sender: String,
}

impl Sms {
    /// The SMS of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { client: aws.sns.clone(), sender: aws.settings.sms_sender.clone() }
    }

    /// Sends a text and returns the id that the service gave it. A message that may be sent again after a crash has a
    /// `name`: SNS passes the attribute over, the embedded stack leaves out a second message of the same name.
    ///
    /// # Errors
    ///
    /// [`SmsError`]; the message may have been taken all the same where the answer was lost.
    pub async fn send(&self, to: &PhoneNumber, text: &str, name: Option<&str>) -> Result<String, SmsError> {
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|_| SmsError("attribute".to_owned()))
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
            .await
            .map_err(|error| SmsError(error.into_service_error().code().unwrap_or("no answer").to_owned()))?;
        Ok(answer.message_id.unwrap_or_default())
    }
}
