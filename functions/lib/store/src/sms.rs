//! SMS by SNS.

pub(crate) mod notifications;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;
use bukti_domain::PhoneNumber;
use bukti_records::Rate;
use jiff::{SignedDuration, Timestamp};

use crate::{Aws, Counter, Metrics, Rates, StoreError, Taken};

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
    /// A phone on record: with a dose, or of an officer. An account alone is none: anybody opens one
    /// by a code.
    OnRecord {
        /// The client's network, where a client waits for the SMS.
        network: Option<&'a str>,
    },
    /// A device that has logged in with the phone before.
    KnownDevice,
    /// An officer's device that has.
    Officer,
}

/// Up to how much of the day's budget is spent for phones without a known device, in percent.
const ON_RECORD_SHARE: u32 = 90;

impl<'a> Payer<'a> {
    /// Up to how much of the day's budget is theirs to spend, in percent.
    fn share(self) -> u32 {
        match self {
            Payer::Stranger { .. } => 60,
            Payer::OnRecord { .. } => ON_RECORD_SHARE,
            Payer::KnownDevice => 95,
            Payer::Officer => 100,
        }
    }

    /// Whether it is the requester's to know that there is no SMS left. That of a phone would tell
    /// whether it is on record.
    fn is_requesters(self) -> bool {
        matches!(self, Payer::KnownDevice | Payer::Officer)
    }

    /// Of what else one is taken: name, percent of the day's budget, of whom. Each kind of payer has
    /// counters of its own, so that none spends the part of another.
    ///
    /// Nearly every number of the country is on record, so these have parts as well: larger, since
    /// whole cities of them share the networks of mobile operators, and small enough that it takes
    /// 18 networks or 30 blocks to spend their share. Known devices have no part by network, where
    /// others could spend it: the codes of a phone bound them.
    fn parts(self, to: &'a PhoneNumber) -> Vec<(&'static str, u32, &'a str)> {
        let number = to.e164();
        let block = number.get(..number.len().saturating_sub(4)).unwrap_or(number);
        // Codes of countries have up to three digits; those that are longer share a part.
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
    /// What the owner of the phone has to know: it was replaced, a link was locked, a certificate
    /// retracted. Nothing else takes of these limits, so that nobody silences the notice of what
    /// they did by having other SMS sent.
    Security {
        /// The code of the facility that retracted the dose, where it reported it itself.
        facility: Option<&'a str>,
    },
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

/// How many SMS a part has at least.
const FEWEST: u32 = 20;

/// SMS that were taken from budgets and limits, and of whom: to be given back where none is sent.
#[derive(Debug, Default)]
pub struct Spent(Vec<(Rate, String)>);

impl Spent {
    /// This and what was taken besides.
    #[must_use]
    pub fn and(mut self, other: Spent) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// The first of several limits that has none left.
struct Full<'a> {
    name: &'static str,
    subject: &'a str,
}

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

    /// Takes one of each of these, or of none where one has none left.
    async fn take_each<'a>(
        &self,
        limits: Vec<(Rate, &'a str)>,
        now: Timestamp,
    ) -> Result<Result<Spent, Full<'a>>, StoreError> {
        let mut spent = Spent::default();
        for (rate, subject) in limits {
            if let Taken::Full { .. } = self.rates.take(&rate, subject, now).await? {
                self.give_back(&spent, now).await?;
                return Ok(Err(Full { name: rate.name, subject }));
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
    pub async fn spend(&self, payer: Payer<'_>, to: &PhoneNumber, now: Timestamp) -> Result<Spent, SmsError> {
        let spent = self.take(payer, to, now).await;
        if let Err(SmsError::BudgetSpent { .. } | SmsError::Withheld) = spent {
            self.metrics.count(Counter::Sms, "withheld");
        }
        spent
    }

    async fn take(&self, payer: Payer<'_>, to: &PhoneNumber, now: Timestamp) -> Result<Spent, SmsError> {
        // Before any part is taken: whether a part is spent differs by whether the phone is on record.
        if !payer.is_requesters() {
            self.check_left(now).await?;
        }
        let budget = &self.budget;
        let refused = |wait| match payer.is_requesters() {
            true => SmsError::BudgetSpent { wait },
            false => SmsError::Withheld,
        };
        let parts = payer.parts(to).into_iter().map(|(name, percent, subject)| {
            (Rate { name, most: budget.part(percent).max(FEWEST), ..budget.day }, subject)
        });
        let mut spent = match budget.take_each(parts.collect(), now).await? {
            Ok(spent) => spent,
            Err(Full { name, .. }) => {
                tracing::warn!(part = name, "a part of the day's SMS is spent");
                return Err(refused(budget.day.wait(now)));
            }
        };
        let day = Rate { most: budget.part(payer.share()), ..budget.day };
        match budget.rates.take(&day, "", now).await? {
            Taken::Now(count) => {
                if ALARMS_AT_PERCENT.iter().any(|percent| budget.part(*percent) == count) {
                    tracing::error!(alarm = "sms_budget", spent = count, "much of the day's SMS is spent");
                }
                spent.0.push((day, String::new()));
                Ok(spent)
            }
            Taken::Full { wait } => {
                tracing::error!(alarm = "sms_budget", "a share of the day's SMS is spent: none is sent");
                budget.give_back(&spent, now).await?;
                Err(refused(wait))
            }
        }
    }

    /// Whether any SMS is left today for phones without a known device, the same for all of them.
    ///
    /// # Errors
    ///
    /// [`SmsError::BudgetSpent`], [`SmsError::Uncounted`].
    pub async fn check_left(&self, now: Timestamp) -> Result<(), SmsError> {
        let (budget, day) = (&self.budget, &self.budget.day);
        if budget.rates.taken(day, "", now).await? < budget.part(ON_RECORD_SHARE) {
            return Ok(());
        }
        tracing::error!(alarm = "sms_budget", "a share of the day's SMS is spent: none is sent");
        Err(SmsError::BudgetSpent { wait: day.wait(now) })
    }

    /// Takes one of the SMS that a phone gets in a day for this cause, and that the doses of one
    /// sender bring.
    ///
    /// # Errors
    ///
    /// [`SmsError::Withheld`], [`SmsError::Uncounted`].
    pub async fn allow(&self, cause: Cause<'_>, to: &PhoneNumber, now: Timestamp) -> Result<Spent, SmsError> {
        let limits = cause.limits(to).into_iter();
        let limits = limits.map(|(name, most, subject)| (daily(name, most), subject)).collect();
        let Full { name, subject } = match self.budget.take_each(limits, now).await? {
            Ok(spent) => return Ok(spent),
            Err(full) => full,
        };
        // A phone that many doses are registered with is nothing to be called for. That its owner is
        // not told of what was changed is.
        if subject == to.e164() && !matches!(cause, Cause::Security { .. }) {
            tracing::warn!(limit = name, "a limit of SMS is reached: none is sent");
        } else {
            tracing::error!(alarm = "sms_budget", limit = name, "a limit of SMS is reached: none is sent");
        }
        self.metrics.count(Counter::Sms, "withheld");
        Err(SmsError::Withheld)
    }

    /// Gives back what [`Sms::spend`] and [`Sms::allow`] took, for an SMS that was not sent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn give_back(&self, spent: &Spent, now: Timestamp) -> Result<(), StoreError> {
        self.budget.give_back(spent, now).await
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
