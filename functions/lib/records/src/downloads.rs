//! Quick download: what is asked for without an account, and which requests get a link.

use bukti_domain::{BirthDate, Dose, PersonName};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::limit::{Count, DAY, Limit};
use crate::{Corrupt, DownloadKey, ItemKey, Keys, OpenError, PersonKey, SmsKind, SmsRequest};

/// Of the requests for one person whose facts fit.
const LIMIT: Limit =
    Limit { pause: SignedDuration::from_secs(DownloadRecord::RESEND_AFTER as i64), per_day: 3 };

/// How long a request is worth an SMS. Somebody who gets one later does not know any more what it
/// is about.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// What somebody says of one dose of a person, beside the person's number. Personal: for sealed
/// fields only.
#[derive(Clone, Serialize, Deserialize)]
pub struct DownloadFacts {
    /// The name, as it was written.
    pub name: String,
    /// The birth date.
    pub birth_date: BirthDate,
    /// The day of the vaccination.
    pub vaccination_date: Date,
    /// The vaccine's name in the catalogue.
    pub vaccine: String,
}

impl DownloadFacts {
    /// Whether all of them are what is known of this dose.
    pub fn fit(&self, dose: &Dose) -> bool {
        let said = PersonName::parse(&self.name);
        let same_name = said.zip(dose.name.as_ref()).is_some_and(|(said, known)| known.matches(&said));
        same_name
            && dose.birth_date.is_some_and(|known| known.is_matched_by(self.birth_date))
            && dose.vaccination_date == Some(self.vaccination_date)
            && dose.vaccine.is_some_and(|vaccine| vaccine.name == self.vaccine)
    }
}

/// The last request for a person, as it is kept. What is personal is in `facts`, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DownloadRecord {
    /// Its key.
    pub pk: DownloadKey,
    /// When it was sent, Unix milliseconds: which of the person's requests it is.
    pub sent_at: i64,
    /// What was said, until it was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<ByteBuf>,
    /// The request for an SMS, until the facts were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    expires_at: i64,
}

impl DownloadRecord {
    /// How long until a person gets another link, in seconds.
    pub const RESEND_AFTER: u32 = 5 * 60;

    /// A request for this person.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] where it cannot be sealed.
    pub fn new(
        person: &PersonKey,
        facts: &DownloadFacts,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, Corrupt> {
        let pk = DownloadKey::of(person);
        let facts = keys.seal(&facts_place(&pk), facts, now).map(ByteBuf::from);
        let facts = Some(facts.ok_or(Corrupt("a request cannot be sealed"))?);
        let sent_at = now.as_millisecond();
        let sms_request = Some(SmsRequest { kind: SmsKind::Download, number: sent_at });
        Ok(Self { pk, sent_at, facts, sms_request, expires_at: (now + DAY).as_second() })
    }

    /// Whether it gets a link where its facts fit, by the last request of the person that did: one
    /// in five minutes and three a day, by when they were sent. The same request is admitted again.
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

    /// The index key of the person that it is for, whether there is one or not.
    pub fn person(&self) -> PersonKey {
        self.pk.person()
    }

    /// When it ends: from then on it gets no SMS.
    pub fn ends(&self) -> Timestamp {
        self.time() + LIFETIME
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.sent_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// What was said; `None` once it was compared.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn facts(&self, keys: &Keys) -> Result<Option<DownloadFacts>, OpenError> {
        self.facts.as_ref().map(|sealed| keys.open(&facts_place(&self.pk), sealed)).transpose()
    }
}

/// The last request for a person whose facts fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmittedRecord {
    #[serde(flatten)]
    /// How many there were.
    pub count: Count,
    /// When it ends, Unix seconds.
    pub expires_at: i64,
}

/// Whether a request gets a link.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It was admitted before.
    Before,
    /// It is, and the limit is counted by this record.
    New(AdmittedRecord),
    /// No more are admitted now.
    Refused,
}

fn facts_place(download: &DownloadKey) -> String {
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
    fn all_facts_must_fit() {
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
        // What is not known of a dose fits nothing.
        assert!(!facts().fit(&FeedRow::default().dose()));
    }

    #[test]
    fn a_request_goes_through_json_and_its_facts_open() {
        let keys = crate::keys::tests::keys();
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let record = DownloadRecord::new(&PersonKey::of_id("1"), &facts(), &keys, now).unwrap();
        let json = serde_json::to_value(&record).unwrap();
        assert!(!json.to_string().contains("iwan"));
        assert_eq!(json["sent_at"], 1_700_000_000_123_i64, "conditions are on attributes of the item itself");
        assert_eq!(json.get("person"), None, "the index of persons does not list it");
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
                    assert_eq!(request(minutes).admission(Some(&record)), Admission::Before, "again");
                    last = Some(record);
                    true
                }
                Admission::Before | Admission::Refused => false,
            };
            assert_eq!(is_admitted, admitted, "after {minutes} minutes");
        }
    }
}
