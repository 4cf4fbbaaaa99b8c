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
    /// No more are sent of the share that this one belongs to. Whoever asked is not told: the
    /// answer would say to whom the phone belongs, or that others ask.
    #[error("no more SMS of this share may be sent today")]
    Withheld,
    /// They cannot be counted, so none is sent.
    #[error(transparent)]
    Uncounted(#[from] StoreError),
}

/// Where so much of the day's budget is spent, somebody should look.
const ALARMS_AT_PERCENT: [u32; 2] = [50, 80];

/// For whom an SMS is that somebody asked for. Each share of the day's budget ends higher than the
/// one before: who has the lower share to spend leaves the rest to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer<'a> {
    /// A phone of which nothing is known, for a requester in this network.
    Stranger {
        /// The client's network.
        network: &'a str,
    },
    /// A phone on record: with a dose, or with an account.
    OnRecord,
    /// A device that has logged in with the phone before.
    KnownDevice,
    /// An officer's device that has.
    Officer,
}

impl Payer<'_> {
    /// Up to how much of the day's budget is theirs to spend, in percent.
    fn share(self) -> u32 {
        match self {
            Payer::Stranger { .. } => 60,
            Payer::OnRecord => 90,
            Payer::KnownDevice => 95,
            Payer::Officer => 100,
        }
    }

    /// Whether it is the requester's to know that there is no SMS left. That of a phone would tell
    /// whether it is on record.
    fn is_requesters(self) -> bool {
        matches!(self, Payer::KnownDevice | Payer::Officer)
    }
}

/// What brings an SMS with a link or a notice. Each has limits of its own, so that whoever has many
/// sent of one kind keeps none of the others from a phone.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// A dose, which this facility reported with its own key; none where a hub did.
    Dose {
        /// The facility's code.
        facility: Option<&'a str>,
    },
    /// Somebody asked for it, or tried a link too often.
    Request,
    /// The helpdesk changed or sends something.
    Helpdesk,
}

impl<'a> Cause<'a> {
    /// Of what one is taken: name, number a day, of whom.
    fn limits(self, to: &'a PhoneNumber) -> Vec<(&'static str, u32, &'a str)> {
        let phone = to.e164();
        match self {
            // A phone may be that of a large family. A facility vaccinates some thousands of people
            // in a day, a country a million.
            Cause::Dose { facility } => vec![
                ("sms of doses to a phone", 20, phone),
                match facility {
                    Some(facility) => ("sms of the doses of a facility", 5_000, facility),
                    None => ("sms of the doses of hubs", 1_000_000, ""),
                },
            ],
            Cause::Request => vec![("sms of requests to a phone", 10, phone)],
            Cause::Helpdesk => vec![("sms of the helpdesk to a phone", 20, phone)],
        }
    }
}

fn daily(name: &'static str, most: u32) -> Rate {
    Rate { name, window: SignedDuration::from_hours(24), most }
}

/// Of the numbers of a stranger's phone and network, each in percent of the day's budget, and at
/// least [`FEWEST`].
const OF_BLOCK: u32 = 1;
const OF_COUNTRY: u32 = 5;
const OF_NETWORK: u32 = 2;
const FEWEST: u32 = 20;

/// The day's budget of SMS that somebody asks for.
#[derive(Clone)]
pub struct SmsBudget {
    rates: Rates,
    day: Rate,
}

impl SmsBudget {
    /// The budget of a deployment.
    pub fn new(aws: &Aws) -> Self {
        let day = daily("sms", aws.settings.sms_per_day);
        Self { rates: Rates::new(aws), day }
    }

    /// How much of it is spent today, in percent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn percent_spent(&self, now: Timestamp) -> Result<u32, StoreError> {
        let spent = u64::from(self.rates.taken(&self.day, "", now).await?);
        Ok(u32::try_from(spent * 100 / u64::from(self.day.most.max(1))).unwrap_or(u32::MAX))
    }

    /// So many percent of it.
    fn part(&self, percent: u32) -> u32 {
        let part = (u64::from(self.day.most) * u64::from(percent)).div_ceil(100);
        u32::try_from(part).unwrap_or(u32::MAX)
    }

    async fn take(
        &self,
        name: &'static str,
        most: u32,
        subject: &str,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        self.rates.take(&Rate { name, most, ..self.day }, subject, now).await
    }

    /// Takes one of a stranger's parts: that of the network, of the block of 10,000 numbers, of the
    /// country where it is another.
    async fn take_parts(&self, network: &str, to: &PhoneNumber, now: Timestamp) -> Result<bool, StoreError> {
        let number = to.e164();
        let block = number.get(..number.len().saturating_sub(4)).unwrap_or(number);
        // Codes of countries have up to three digits; those that are longer share a part.
        let country = number.get(..3).filter(|code| *code != "+62");
        let parts = [
            Some(("sms of a network", OF_NETWORK, network)),
            Some(("sms of a block of numbers", OF_BLOCK, block)),
            country.map(|country| ("sms of another country", OF_COUNTRY, country)),
        ];
        for (name, percent, subject) in parts.into_iter().flatten() {
            let most = self.part(percent).max(FEWEST);
            if let Taken::Full { .. } = self.take(name, most, subject, now).await? {
                tracing::warn!(part = name, "a part of the day's SMS is spent");
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Sends SMS.
#[derive(Clone)]
pub struct Sms {
    client: Client,
    sender: String,
    budget: SmsBudget,
    metrics: Metrics,
}

impl Sms {
    /// The SMS of a deployment.
    pub fn new(aws: &Aws) -> Self {
        let (client, sender) = (aws.sns.clone(), aws.settings.sms_sender.clone());
        Self { client, sender, budget: SmsBudget::new(aws), metrics: aws.metrics.clone() }
    }

    /// Takes one SMS from the day's budget, for one that somebody asked for: SMS fraud has them
    /// sent by the thousand. What is logged here as an error with `alarm` is for somebody to be
    /// called.
    ///
    /// # Errors
    ///
    /// [`SmsError::BudgetSpent`], [`SmsError::Withheld`], [`SmsError::Uncounted`].
    pub async fn spend(&self, payer: Payer<'_>, to: &PhoneNumber, now: Timestamp) -> Result<(), SmsError> {
        let spent = self.take(payer, to, now).await;
        if let Err(SmsError::BudgetSpent { .. } | SmsError::Withheld) = spent {
            self.metrics.count(Counter::Sms, "withheld");
        }
        spent
    }

    async fn take(&self, payer: Payer<'_>, to: &PhoneNumber, now: Timestamp) -> Result<(), SmsError> {
        let budget = &self.budget;
        if let Payer::Stranger { network } = payer
            && !budget.take_parts(network, to, now).await?
        {
            return Err(SmsError::Withheld);
        }
        match budget.take(budget.day.name, budget.part(payer.share()), "", now).await? {
            Taken::Now(spent) => {
                if ALARMS_AT_PERCENT.iter().any(|percent| budget.part(*percent) == spent) {
                    tracing::error!(alarm = "sms_budget", spent, "much of the day's SMS is spent");
                }
                Ok(())
            }
            Taken::Full { wait } => {
                tracing::error!(alarm = "sms_budget", "a share of the day's SMS is spent: none is sent");
                let all_spent = budget.percent_spent(now).await? >= Payer::OnRecord.share();
                Err(if payer.is_requesters() || all_spent {
                    SmsError::BudgetSpent { wait }
                } else {
                    SmsError::Withheld
                })
            }
        }
    }

    /// Takes one of the SMS that a phone gets in a day for this cause, and that the doses of one
    /// sender bring.
    ///
    /// # Errors
    ///
    /// [`SmsError::Withheld`], [`SmsError::Uncounted`].
    pub async fn allow(&self, cause: Cause<'_>, to: &PhoneNumber, now: Timestamp) -> Result<(), SmsError> {
        for (name, most, subject) in cause.limits(to) {
            if let Taken::Full { .. } = self.budget.rates.take(&daily(name, most), subject, now).await? {
                // A phone that many doses are registered with is nothing to be called for.
                if subject == to.e164() {
                    tracing::warn!(limit = name, "a limit of SMS is reached: none is sent");
                } else {
                    tracing::error!(
                        alarm = "sms_budget",
                        limit = name,
                        "a limit of SMS is reached: none is sent"
                    );
                }
                self.metrics.count(Counter::Sms, "withheld");
                return Err(SmsError::Withheld);
            }
        }
        Ok(())
    }

    /// Gives back what [`Sms::allow`] took, for an SMS that the service refused.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn give_back(
        &self,
        cause: Cause<'_>,
        to: &PhoneNumber,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (name, most, subject) in cause.limits(to) {
            self.budget.rates.give_back(&daily(name, most), subject, now).await?;
        }
        Ok(())
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
