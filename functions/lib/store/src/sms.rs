//! Sends SMS through Amazon SNS, and limits how many are sent.

pub(crate) mod notifications;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;
use bukti_domain::PhoneNumber;
use bukti_records::Rate;
use jiff::{SignedDuration, Timestamp};

use crate::{Aws, Counter, Metrics, Rates, StoreError, Taken};

/// Why an SMS was not sent. Contains neither the phone number nor the text.
#[derive(Debug, thiserror::Error)]
pub enum SmsError {
    /// The SMS service rejected the message, or its response was lost.
    #[error("the SMS service did not accept the message: {0}")]
    NotTaken(String),
    /// The daily budget is spent, and the requester may know it.
    #[error("the day's SMS budget is spent; retry tomorrow")]
    BudgetSpent {
        /// Seconds until the budget is renewed.
        wait: u32,
    },
    /// A limit is reached that the requester must not learn about: the response would reveal whose
    /// phone it is, or that others request SMS for it.
    #[error("a limit of SMS is reached; the SMS was not sent")]
    Withheld,
    /// The counters are unavailable, so no SMS is sent.
    #[error(transparent)]
    Uncounted(#[from] StoreError),
}

/// The spent percentages of the daily budget at which an alarm is raised.
const ALARMS_AT_PERCENT: [u32; 2] = [50, 80];

/// Who an SMS is charged to, by the kind of phone and requester. Each kind can spend the daily
/// budget up to its own share. The shares increase, so that exhausting a lower share leaves the
/// rest of the budget to the other kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer<'a> {
    /// A requester whose phone has no records.
    Stranger {
        /// The client's network.
        network: &'a str,
    },
    /// A phone on record, which means that it has a dose or belongs to an officer. An account does
    /// not suffice, because anyone who receives a code can open one.
    OnRecord {
        /// The client's network; `None` if no client requested the SMS.
        network: Option<&'a str>,
    },
    /// A device that has logged in with the phone before.
    KnownDevice,
    /// An officer's device that has logged in with the phone before.
    Officer,
}

/// The share of phones on record without a known device, in percent of the daily budget.
const ON_RECORD_SHARE: u32 = 90;

impl<'a> Payer<'a> {
    /// The percentage of the daily budget up to which this payer can spend.
    fn share(self) -> u32 {
        match self {
            Payer::Stranger { .. } => 60,
            Payer::OnRecord { .. } => ON_RECORD_SHARE,
            Payer::KnownDevice => 95,
            Payer::Officer => 100,
        }
    }

    /// Whether the requester may learn that the budget is spent. For other payers, the response
    /// would reveal whether the phone is on record.
    fn is_requesters(self) -> bool {
        matches!(self, Payer::KnownDevice | Payer::Officer)
    }

    /// The further limits of an SMS: name, percentage of the daily budget, and subject. Each kind
    /// of payer has its own counters, so that no kind exhausts the limits of another.
    ///
    /// Phones on record are limited too, because nearly every phone number of the country is on
    /// record. Their limits are higher, because whole cities share the networks of mobile
    /// operators, but an attacker still needs 18 networks or 30 blocks of numbers to spend their
    /// share. Known devices have no limit per network, because strangers in the same network could
    /// exhaust it; they are limited by the quota of codes per phone.
    fn parts(self, to: &'a PhoneNumber) -> Vec<(&'static str, u32, &'a str)> {
        let number = to.e164();
        let block = number.get(..number.len().saturating_sub(4)).unwrap_or(number);
        // Country codes have up to three digits. Countries whose codes begin with the same two
        // digits share a limit.
        let country = number.get(..3).filter(|code| *code != "+62");
        let (network, parts) = match self {
            Payer::Stranger { network } => (
                Some(network),
                [("sms of a network", 2), ("sms of a block of numbers", 1), ("sms of another country", 5)],
            ),
            Payer::OnRecord { network } => (
                network,
                [
                    ("sms on record of a network", 5),
                    ("sms on record of a block of numbers", 3),
                    ("sms on record of another country", 10),
                ],
            ),
            Payer::KnownDevice => (
                None,
                [
                    ("", 0),
                    ("sms of devices of a block of numbers", 3),
                    ("sms of devices of another country", 10),
                ],
            ),
            Payer::Officer => return Vec::new(),
        };
        let subjects = [network, Some(block), country];
        let all = subjects.into_iter().zip(parts);
        all.filter_map(|(subject, (name, percent))| Some((name, percent, subject?))).collect()
    }
}

/// The cause of an SMS with a link or a notice. Each cause has its own limits, so that many SMS for
/// one cause do not block SMS for another.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// A dose was reported.
    Dose {
        /// The code of the facility that reported the dose with its own API key; `None` if a hub
        /// did.
        facility: Option<&'a str>,
    },
    /// A citizen requested a link, or a link had too many failed attempts.
    Request,
    /// The helpdesk made a correction or resent a link.
    Helpdesk,
    /// A security notice to the owner of the phone: the phone was replaced, a link was locked, or a
    /// certificate was retracted. Its limits are separate, so that an attacker cannot suppress the
    /// notice by causing other SMS.
    Security {
        /// The code of the facility that retracted a dose that it had reported with its own API
        /// key.
        facility: Option<&'a str>,
    },
}

impl<'a> Cause<'a> {
    /// The limits of an SMS for this cause: name, number of SMS per day, and subject.
    fn limits(self, to: &'a PhoneNumber) -> Vec<(&'static str, u32, &'a str)> {
        let phone = to.e164();
        match self {
            // A large family may share a phone. A facility vaccinates several thousand people a
            // day, the whole country a million.
            Cause::Dose { facility } => vec![
                ("sms of doses to a phone", 20, phone),
                match facility {
                    Some(facility) => ("sms of the doses of a facility", 5_000, facility),
                    None => ("sms of the doses of hubs", 1_000_000, ""),
                },
            ],
            Cause::Request => vec![("sms of requests to a phone", 10, phone)],
            Cause::Helpdesk => vec![("sms of the helpdesk to a phone", 20, phone)],
            Cause::Security { facility } => vec![
                ("security notices to a phone", 20, phone),
                match facility {
                    Some(facility) => ("security notices of a facility", 5_000, facility),
                    None => ("security notices of others", 1_000_000, ""),
                },
            ],
        }
    }
}

fn daily(name: &'static str, most: u32) -> Rate {
    Rate { name, window: SignedDuration::from_hours(24), most }
}

/// The minimum of a limit that is a percentage of the budget.
const MIN_LIMIT: u32 = 20;

/// The counters to which an SMS was charged, so that they can be refunded if it is not sent.
#[derive(Debug, Default)]
pub struct Spent(Vec<(Rate, String)>);

impl Spent {
    /// Combines the counters of two charges for one SMS.
    #[must_use]
    pub fn and(mut self, other: Spent) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// The first of several limits that has been reached.
struct ReachedLimit<'a> {
    name: &'static str,
    subject: &'a str,
}

/// The daily budget of requested SMS, with its counters.
#[derive(Clone)]
pub struct SmsBudget {
    rates: Rates,
    day: Rate,
}

impl SmsBudget {
    /// Creates an instance that uses the budget in the deployment's settings.
    pub fn new(aws: &Aws) -> Self {
        let day = daily("sms", aws.settings.sms_per_day);
        Self { rates: Rates::new(aws), day }
    }

    /// How much of the budget has been spent today, in percent.
    pub async fn percent_spent(&self, now: Timestamp) -> Result<u32, StoreError> {
        let spent = u64::from(self.rates.taken(&self.day, "", now).await?);
        Ok(u32::try_from(spent * 100 / u64::from(self.day.most.max(1))).unwrap_or(u32::MAX))
    }

    /// The number of SMS in this percentage of the budget, rounded up.
    fn part(&self, percent: u32) -> u32 {
        let part = (u64::from(self.day.most) * u64::from(percent)).div_ceil(100);
        u32::try_from(part).unwrap_or(u32::MAX)
    }

    /// Charges one SMS to each of these limits; charges none of them if one is reached.
    async fn take_each<'a>(
        &self,
        limits: Vec<(Rate, &'a str)>,
        now: Timestamp,
    ) -> Result<Result<Spent, ReachedLimit<'a>>, StoreError> {
        let mut spent = Spent::default();
        for (rate, subject) in limits {
            if let Taken::Full { .. } = self.rates.take(&rate, subject, now).await? {
                self.give_back(&spent, now).await?;
                return Ok(Err(ReachedLimit { name: rate.name, subject }));
            }
            spent.0.push((rate, subject.to_owned()));
        }
        Ok(Ok(spent))
    }

    async fn give_back(&self, spent: &Spent, now: Timestamp) -> Result<(), StoreError> {
        for (rate, subject) in &spent.0 {
            self.rates.give_back(rate, subject, now).await?;
        }
        Ok(())
    }
}

/// Sends SMS within the limits.
#[derive(Clone)]
pub struct Sms {
    client: Client,
    sender: String,
    budget: SmsBudget,
    metrics: Metrics,
}

impl Sms {
    /// Creates an instance that uses the deployment's SNS client, sender id and budget.
    pub fn new(aws: &Aws) -> Self {
        let (client, sender) = (aws.sns.clone(), aws.settings.sms_sender.clone());
        Self { client, sender, budget: SmsBudget::new(aws), metrics: aws.metrics.clone() }
    }

    /// Charges a requested SMS to the daily budget and to the payer's limits, which bounds the cost
    /// of SMS pumping fraud. Log lines with the field `alarm` raise an alarm.
    ///
    /// # Errors
    ///
    /// [`SmsError::BudgetSpent`] or [`SmsError::Withheld`] if a limit is reached;
    /// [`SmsError::Uncounted`] if the counters are unavailable.
    pub async fn spend(&self, payer: Payer<'_>, to: &PhoneNumber, now: Timestamp) -> Result<Spent, SmsError> {
        let spent = self.take(payer, to, now).await;
        if let Err(SmsError::BudgetSpent { .. } | SmsError::Withheld) = spent {
            self.metrics.count(Counter::Sms, "withheld");
        }
        spent
    }

    async fn take(&self, payer: Payer<'_>, to: &PhoneNumber, now: Timestamp) -> Result<Spent, SmsError> {
        // Check the budget before the payer's limits, whose state depends on whether the phone is
        // on record.
        if !payer.is_requesters() {
            self.check_left(now).await?;
        }
        let budget = &self.budget;
        let refused = |wait| match payer.is_requesters() {
            true => SmsError::BudgetSpent { wait },
            false => SmsError::Withheld,
        };
        let parts = payer.parts(to).into_iter().map(|(name, percent, subject)| {
            (Rate { name, most: budget.part(percent).max(MIN_LIMIT), ..budget.day }, subject)
        });
        let mut spent = match budget.take_each(parts.collect(), now).await? {
            Ok(spent) => spent,
            Err(ReachedLimit { name, .. }) => {
                tracing::warn!(part = name, "a limit of SMS is reached; the SMS is not sent");
                return Err(refused(budget.day.wait(now)));
            }
        };
        let day = Rate { most: budget.part(payer.share()), ..budget.day };
        match budget.rates.take(&day, "", now).await? {
            Taken::Now(count) => {
                if ALARMS_AT_PERCENT.iter().any(|percent| budget.part(*percent) == count) {
                    tracing::error!(
                        alarm = "sms_budget",
                        spent = count,
                        "a large share of the day's SMS budget is spent"
                    );
                }
                spent.0.push((day, String::new()));
                Ok(spent)
            }
            Taken::Full { wait } => {
                tracing::error!(
                    alarm = "sms_budget",
                    "a share of the day's SMS budget is spent; the SMS is not sent"
                );
                budget.give_back(&spent, now).await?;
                Err(refused(wait))
            }
        }
    }

    /// Checks that the share of phones without a known device is not exhausted. The result does not
    /// depend on the phone.
    ///
    /// # Errors
    ///
    /// [`SmsError::BudgetSpent`] if the share is exhausted; [`SmsError::Uncounted`] if the counters
    /// are unavailable.
    pub async fn check_left(&self, now: Timestamp) -> Result<(), SmsError> {
        let (budget, day) = (&self.budget, &self.budget.day);
        if budget.rates.taken(day, "", now).await? < budget.part(ON_RECORD_SHARE) {
            return Ok(());
        }
        tracing::error!(
            alarm = "sms_budget",
            "a share of the day's SMS budget is spent; the SMS is not sent"
        );
        Err(SmsError::BudgetSpent { wait: day.wait(now) })
    }

    /// Charges an SMS to the daily limits of its cause: the phone's limit and, for doses, also the
    /// sender's.
    ///
    /// # Errors
    ///
    /// [`SmsError::Withheld`] if a limit is reached; [`SmsError::Uncounted`] if the counters are
    /// unavailable.
    pub async fn allow(&self, cause: Cause<'_>, to: &PhoneNumber, now: Timestamp) -> Result<Spent, SmsError> {
        let limits = cause.limits(to).into_iter();
        let limits = limits.map(|(name, most, subject)| (daily(name, most), subject)).collect();
        let ReachedLimit { name, subject } = match self.budget.take_each(limits, now).await? {
            Ok(spent) => return Ok(spent),
            Err(reached) => reached,
        };
        // Many doses with the same phone need no alarm, but a suppressed security notice does.
        if subject == to.e164() && !matches!(cause, Cause::Security { .. }) {
            tracing::warn!(limit = name, "a limit of SMS is reached; the SMS is not sent");
        } else {
            tracing::error!(
                alarm = "sms_budget",
                limit = name,
                "a limit of SMS is reached; the SMS is not sent"
            );
        }
        self.metrics.count(Counter::Sms, "withheld");
        Err(SmsError::Withheld)
    }

    /// Refunds the charges of [`Sms::spend`] and [`Sms::allow`] for an SMS that was not sent.
    pub async fn give_back(&self, spent: &Spent, now: Timestamp) -> Result<(), StoreError> {
        self.budget.give_back(spent, now).await
    }

    /// Sends a text, and returns the message id of the SMS service. `name` is the idempotency key
    /// of a message that may be sent again after a crash: SNS ignores it, but the embedded stack
    /// drops a second message with the same key.
    ///
    /// # Errors
    ///
    /// [`SmsError::NotTaken`] if the SMS service rejected the message or its response was lost. In
    /// the latter case the service may still send the message.
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
            SmsError::NotTaken(error.into_service_error().code().unwrap_or("no response").to_owned())
        })?;
        Ok(answer.message_id.unwrap_or_default())
    }
}
