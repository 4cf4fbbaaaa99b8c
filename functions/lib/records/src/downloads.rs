//! Quick downloads: requests for a link without an account, and their rate limit.

use bukti_domain::{BirthDate, Dose, PersonName};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::limit::{Count, DAY, Limit};
use crate::{Corrupt, DownloadKey, ItemKey, Keys, OpenError, PersonKey, SmsKind, SmsRequest};

/// The rate limit of requests for one person whose facts match a dose.
const LIMIT: Limit =
    Limit { pause: SignedDuration::from_secs(DownloadRecord::RESEND_AFTER as i64), per_day: 3 };

/// How long after its request an SMS may still be sent. A later SMS would confuse its recipient.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The details of one dose that a requester enters with the identity number, to prove knowledge of
/// them. Contains personal data: store it only in sealed fields.
#[derive(Clone, Serialize, Deserialize)]
pub struct DownloadFacts {
    /// The person's name, as entered.
    pub name: String,
    /// The person's birth date.
    pub birth_date: BirthDate,
    /// The date of the vaccination.
    pub vaccination_date: Date,
    /// The vaccine's name, as in the catalogue.
    pub vaccine: String,
}

impl DownloadFacts {
    /// Whether all facts match the recorded dose. A fact does not match if the dose lacks this
    /// value.
    pub fn fit(&self, dose: &Dose) -> bool {
        let said = PersonName::parse(&self.name);
        let same_name = said.zip(dose.name.as_ref()).is_some_and(|(said, known)| known.matches(&said));
        same_name
            && dose.birth_date.is_some_and(|known| known.is_matched_by(self.birth_date))
            && dose.vaccination_date == Some(self.vaccination_date)
            && dose.vaccine.is_some_and(|vaccine| vaccine.name == self.vaccine)
    }
}

/// The stored record of the latest request for a person. Personal data are in the sealed field
/// `facts`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DownloadRecord {
    /// The key of the person's quick downloads.
    pub pk: DownloadKey,
    /// When the request was sent, in milliseconds since the Unix epoch. Distinguishes the requests
    /// for one person.
    pub sent_at: i64,
    /// The sealed facts; `None` once they have been compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<ByteBuf>,
    /// The request for an SMS; `None` once the facts have been compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    expires_at: i64,
}

impl DownloadRecord {
    /// The minimum interval between two links for one person, in seconds.
    pub const RESEND_AFTER: u32 = 5 * 60;

    /// Creates the record of a request for this person.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if the facts cannot be sealed.
    pub fn new(
        person: &PersonKey,
        facts: &DownloadFacts,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, Corrupt> {
        let pk = DownloadKey::of(person);
        let facts = keys.seal(&facts_aad(&pk), facts, now).map(ByteBuf::from);
        let facts = Some(facts.ok_or(Corrupt("a request cannot be sealed"))?);
        let sent_at = now.as_millisecond();
        let sms_request = Some(SmsRequest { kind: SmsKind::Download, number: sent_at });
        Ok(Self { pk, sent_at, facts, sms_request, expires_at: (now + DAY).as_second() })
    }

    /// Applies the rate limit to this request, whose facts match a dose: one link in five minutes
    /// and three a day per person, by the time of the request. `last` is the person's most recently
    /// admitted request. Idempotent: a request that was admitted earlier results in
    /// [`Admission::Before`].
    pub fn admission(&self, last: Option<&AdmittedRecord>) -> Admission {
        if last.is_some_and(|last| last.count.sent_at == self.sent_at) {
            return Admission::Before;
        }
        let now = self.time();
        match LIMIT.one_more(last.map(|last| last.count), now) {
            Ok(count) => Admission::New(AdmittedRecord { count, expires_at: (now + DAY).as_second() }),
            Err(_) => Admission::Refused,
        }
    }

    /// The index key of the requested person, who need not have any records.
    pub fn person(&self) -> PersonKey {
        self.pk.person()
    }

    /// The time after which no SMS is sent for this request.
    pub fn ends(&self) -> Timestamp {
        self.time() + LIFETIME
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.sent_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Opens the facts; `None` if they have been compared.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the sealed field cannot be opened.
    pub fn facts(&self, keys: &Keys) -> Result<Option<DownloadFacts>, OpenError> {
        self.facts.as_ref().map(|sealed| keys.open(&facts_aad(&self.pk), sealed)).transpose()
    }
}

/// The last admitted request for a person, which means that its facts matched a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmittedRecord {
    #[serde(flatten)]
    /// The number of requests that were admitted in the current day.
    pub count: Count,
    /// When the record expires, in seconds since the Unix epoch.
    pub expires_at: i64,
}

/// Whether the rate limit admits a request, so that its link is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// The request was admitted by an earlier attempt.
    Before,
    /// The request is admitted. Write this record to count it towards the limit.
    New(AdmittedRecord),
    /// The request is rejected, because the rate limit is reached.
    Refused,
}

fn facts_aad(download: &DownloadKey) -> String {
    ItemKey::download(download).field("facts")
}

#[cfg(test)]
mod tests {
    use bukti_domain::FeedRow;
    use jiff::civil::date;

    use super::*;

    fn facts() -> DownloadFacts {
        DownloadFacts {
            name: "iwan purnomo".to_owned(),
            birth_date: date(1989, 1, 24).into(),
            vaccination_date: date(2021, 1, 29),
            vaccine: "CoronaVac".to_owned(),
        }
    }

    #[test]
    fn facts_match_only_if_all_do() {
        let row = FeedRow {
            nama: "Dr. Iwan Purnomo".to_owned(),
            tanggal_lahir: "1989-01-24".to_owned(),
            vaksin: "sinovac".to_owned(),
            tanggal_vaksinasi: "2021-01-29".to_owned(),
            ..FeedRow::default()
        };
        let dose = row.dose();
        assert!(facts().fit(&dose), "an alias of the vaccine, a title before the name");
        assert!(!DownloadFacts { name: "Iwan Purnama".to_owned(), ..facts() }.fit(&dose));
        assert!(!DownloadFacts { birth_date: date(1989, 1, 25).into(), ..facts() }.fit(&dose));
        assert!(!DownloadFacts { vaccination_date: date(2021, 1, 28), ..facts() }.fit(&dose));
        assert!(!DownloadFacts { vaccine: "Moderna".to_owned(), ..facts() }.fit(&dose));
        // A fact does not match if the dose lacks this value.
        assert!(!facts().fit(&FeedRow::default().dose()));
    }

    #[test]
    fn request_survives_json_and_its_facts_open() {
        let keys = crate::keys::tests::keys();
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let record = DownloadRecord::new(&PersonKey::of_id("1"), &facts(), &keys, now).unwrap();
        let json = serde_json::to_value(&record).unwrap();
        assert!(!json.to_string().contains("iwan"));
        assert_eq!(json["sent_at"], 1_700_000_000_123_i64, "conditional writes need it as an attribute");
        assert_eq!(json.get("person"), None, "else the index of persons would list it");
        let read: DownloadRecord = serde_json::from_value(json).unwrap();
        assert_eq!((read.sent_at, read.person()), (record.sent_at, PersonKey::of_id("1")));
        assert_eq!(read.facts(&keys).unwrap().unwrap().name, "iwan purnomo");
    }

    #[test]
    fn admits_one_in_five_minutes_and_three_a_day() {
        let request = |minutes: i64| DownloadRecord {
            pk: DownloadKey::of(&PersonKey::of_id("1")),
            sent_at: minutes * 60_000,
            facts: None,
            sms_request: None,
            expires_at: 0,
        };
        let mut last = None;
        for (minutes, admitted) in
            [(0, true), (4, false), (5, true), (60, true), (61, false), (120, false), (24 * 60, true)]
        {
            let is_admitted = match request(minutes).admission(last.as_ref()) {
                Admission::New(record) => {
                    assert_eq!(request(minutes).admission(Some(&record)), Admission::Before, "retry");
                    last = Some(record);
                    true
                }
                Admission::Before | Admission::Refused => false,
            };
            assert_eq!(is_admitted, admitted, "after {minutes} minutes");
        }
    }
}
