//! Partition and sort keys of the table's items.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{
    CaptchaKey, CaseKey, CertificateKey, DoseKey, DownloadKey, EventKey, LinkKey, LoginKey, PersonKey,
    PhoneKey, RateKey, SessionKey,
};

const ACCOUNT: &str = "ACCOUNT#";
pub(super) const AUDIT: &str = "AUDIT#";
pub(super) const HELPDESK_OFFICERS: &str = "HELPDESK#OFFICERS";
pub(super) const HELPDESK_QUEUE: &str = "HELPDESK#QUEUE";
pub(super) const JOB: &str = "JOB#";
pub(super) const REVOKED: &str = "REVOKED#";
pub(super) const SENDERS: &str = "SENDERS#KEYS";
const SERIES: &str = "SERIES#";
pub(super) const TRUST_ISSUERS: &str = "TRUST#ISSUERS";
const TRUST_PUBLISHING: &str = "TRUST#PUBLISHING";
pub(super) const TRUST_SIGNERS: &str = "TRUST#SIGNERS";

const ACTIVE: &str = "ACTIVE";
pub(super) const LISTED_CASE: &str = "CASE#";
pub(super) const CONFIRMATION: &str = "CONFIRMATION#";
pub(super) const DEVICE: &str = "DEVICE#";
pub(super) const PART: &str = "PART#";
pub(super) const LISTED_SESSION: &str = "SESSION#";
pub(super) const SMS: &str = "SMS#";
const SMS_ABOUT_LOCK: &str = "SMS";

/// The kind of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// An account.
    Account,
    /// The name of the active signer.
    ActiveSigner,
    /// The last admitted request for a quick download.
    Admitted,
    /// An API key.
    ApiKey,
    /// An entry of the audit log.
    AuditEntry,
    /// A used captcha.
    Captcha,
    /// A case.
    Case,
    /// A certificate.
    Certificate,
    /// The claim on a dose.
    Claim,
    /// Confirmed identity data of a person.
    Confirmation,
    /// A device that has logged in.
    Device,
    /// A dose.
    Dose,
    /// A request for a quick download.
    Download,
    /// A signer of another issuer.
    Issuer,
    /// An import job.
    Job,
    /// The lease of the process that publishes.
    Lease,
    /// A link in an SMS.
    Link,
    /// A case in the list of its phone.
    ListedCase,
    /// A session in the list of its phone.
    ListedSession,
    /// The lock of the quick download of a person.
    Lock,
    /// An officer.
    Officer,
    /// A request for a one-time code.
    Otp,
    /// A part of a job.
    Part,
    /// A case that waits for an officer.
    Queued,
    /// A counter of a rate limit.
    Rate,
    /// A revoked certificate.
    Revocation,
    /// The mark of a person with a dose whose series does not have two doses.
    Series,
    /// A session.
    Session,
    /// A document signer.
    Signer,
    /// An SMS.
    Sms,
}

impl ItemKind {
    /// The kind of the item with these keys; `None` if no kind has such keys.
    pub fn of(pk: &str, sk: &str) -> Option<Self> {
        match pk {
            HELPDESK_OFFICERS => return Some(Self::Officer),
            HELPDESK_QUEUE => return Some(Self::Queued),
            SENDERS => return Some(Self::ApiKey),
            TRUST_ISSUERS => return Some(Self::Issuer),
            TRUST_PUBLISHING => return Some(Self::Lease),
            TRUST_SIGNERS if sk == ACTIVE => return Some(Self::ActiveSigner),
            TRUST_SIGNERS => return Some(Self::Signer),
            _ if pk.starts_with(AUDIT) => return Some(Self::AuditEntry),
            _ if pk.starts_with(REVOKED) => return Some(Self::Revocation),
            _ => {}
        }
        let by_sort_key = [
            Self::Account,
            Self::Admitted,
            Self::Captcha,
            Self::Case,
            Self::Certificate,
            Self::Claim,
            Self::Dose,
            Self::Download,
            Self::Job,
            Self::Link,
            Self::Lock,
            Self::Otp,
            Self::Rate,
            Self::Series,
            Self::Session,
        ];
        let by_prefix = [
            (CONFIRMATION, Self::Confirmation),
            (DEVICE, Self::Device),
            (LISTED_CASE, Self::ListedCase),
            (LISTED_SESSION, Self::ListedSession),
            (PART, Self::Part),
            (SMS, Self::Sms),
        ];
        let exact = by_sort_key.into_iter().find(|kind| kind.sort_key() == Some(sk));
        exact
            .or_else(|| {
                by_prefix.into_iter().find(|(prefix, _)| sk.starts_with(prefix)).map(|(_, kind)| kind)
            })
            .or_else(|| (sk == SMS_ABOUT_LOCK).then_some(Self::Sms))
    }

    /// The part of a stream filter that selects items of this kind, whose sort key must be
    /// constant.
    pub fn filter(self) -> String {
        format!(r#""Keys": {{"sk": {{"S": ["{}"]}}}}"#, self.sort_key().unwrap_or_default())
    }

    /// The sort key of all items of this kind; `None` if it is not constant.
    pub const fn sort_key(self) -> Option<&'static str> {
        Some(match self {
            Self::Account => "ACCOUNT",
            Self::ActiveSigner => ACTIVE,
            Self::Admitted => "ADMITTED",
            Self::Captcha => "CAPTCHA",
            Self::Case => "CASE",
            Self::Certificate => "CERTIFICATE",
            Self::Claim => "CLAIM",
            Self::Dose => "DOSE",
            Self::Download => "DOWNLOAD",
            Self::Job => "JOB",
            Self::Lease => "LEASE",
            Self::Link => "LINK",
            Self::Lock => "LOCK",
            Self::Otp => "OTP",
            Self::Rate => "RATE",
            Self::Series => "SERIES",
            Self::Session => "SESSION",
            _ => return None,
        })
    }
}

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    pk: String,
    sk: String,
}

impl ItemKey {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    fn of_kind(pk: impl Into<String>, kind: ItemKind) -> Self {
        Self::new(pk, kind.sort_key().unwrap_or_default())
    }

    /// The key with these parts; `None` if no kind of item has such a key.
    pub fn parse(pk: &str, sk: &str) -> Option<Self> {
        ItemKind::of(pk, sk).map(|_| Self::new(pk, sk))
    }

    /// The partition key.
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The sort key.
    pub fn sk(&self) -> &str {
        &self.sk
    }

    /// The associated data of a sealed field, which binds it to its item and name.
    pub fn field(&self, name: &str) -> String {
        format!("{self} {name}")
    }

    /// A dose, with the history of its event.
    pub fn dose(event: &EventKey) -> Self {
        Self::of_kind(event.as_str(), ItemKind::Dose)
    }

    /// The SMS of a dose to one version of its phone.
    pub fn dose_sms(event: &EventKey, phone_version: u32) -> Self {
        Self::new(event.as_str(), format!("{SMS}{phone_version:05}"))
    }

    /// The SMS to the phone of one version about its replacement.
    pub fn replaced_sms(event: &EventKey, phone_version: u32) -> Self {
        Self::new(event.as_str(), format!("{SMS}{phone_version:05}#OLD"))
    }

    /// The SMS about the retraction of the certificates up to a version.
    pub fn retracted_sms(event: &EventKey, void_version: u32) -> Self {
        Self::new(event.as_str(), format!("{SMS}{void_version:05}#RETRACTED"))
    }

    /// The claim on a dose that several events may report.
    pub fn claim(dose: &DoseKey) -> Self {
        Self::of_kind(dose.as_str(), ItemKind::Claim)
    }

    /// The mark of a person with a dose whose series does not have two doses. Not in the person's
    /// own partition, since all changes there invoke `issue`.
    pub fn series(person: &PersonKey) -> Self {
        Self::of_kind(format!("{SERIES}{}", person.id()), ItemKind::Series)
    }

    /// A certificate.
    pub fn certificate(certificate: &CertificateKey) -> Self {
        Self::of_kind(certificate.as_str(), ItemKind::Certificate)
    }

    /// A link in an SMS.
    pub fn link(link: &LinkKey) -> Self {
        Self::of_kind(link.as_str(), ItemKind::Link)
    }

    /// The SMS about a locked link.
    pub fn locked_sms(link: &LinkKey) -> Self {
        Self::new(link.as_str(), SMS_ABOUT_LOCK)
    }

    /// The last request for a person's quick download.
    pub fn download(download: &DownloadKey) -> Self {
        Self::of_kind(download.as_str(), ItemKind::Download)
    }

    /// The last admitted request for a person's quick download.
    pub fn admitted(download: &DownloadKey) -> Self {
        Self::of_kind(download.as_str(), ItemKind::Admitted)
    }

    /// The lock of a person's quick download.
    pub fn lock(download: &DownloadKey) -> Self {
        Self::of_kind(download.as_str(), ItemKind::Lock)
    }

    /// The SMS of a request for a quick download, sent at this time in Unix milliseconds.
    pub fn download_sms(download: &DownloadKey, sent_at: i64) -> Self {
        Self::new(download.as_str(), format!("{SMS}{sent_at}"))
    }

    /// A case of the helpdesk.
    pub fn case(case: &CaseKey) -> Self {
        Self::of_kind(case.as_str(), ItemKind::Case)
    }

    /// The SMS of a revision of a case.
    pub fn case_sms(case: &CaseKey, revision: u32) -> Self {
        Self::new(case.as_str(), format!("{SMS}{revision:05}"))
    }

    /// A case that waits for an officer, ordered by when it was opened. All are in one partition,
    /// which allows a thousand writes per second.
    pub fn queued(case: &CaseKey, created_at: Timestamp) -> Self {
        Self::new(HELPDESK_QUEUE, format!("{:013} {}", created_at.as_millisecond(), case.as_str()))
    }

    /// Identity data of a person that a case confirmed.
    pub fn confirmation(person: &PersonKey, case: &CaseKey) -> Self {
        Self::new(person.as_str(), format!("{CONFIRMATION}{}", case.as_str()))
    }

    /// An officer, by phone. All are in one partition, since there are only some hundreds.
    pub fn officer(phone: &PhoneKey) -> Self {
        Self::new(HELPDESK_OFFICERS, phone.as_str())
    }

    /// An entry of the audit log, by the day (UTC) and a text that orders it within the day.
    pub fn audit_entry(day: Date, order: &str) -> Self {
        Self::new(format!("{AUDIT}{day}"), order)
    }

    /// The account of a phone.
    pub fn account(phone: &PhoneKey) -> Self {
        Self::of_kind(account(phone), ItemKind::Account)
    }

    /// A case in the list of its phone.
    pub fn listed_case(phone: &PhoneKey, case: &CaseKey) -> Self {
        Self::new(account(phone), format!("{LISTED_CASE}{}", case.as_str()))
    }

    /// A session in the list of its phone, by the session's id.
    pub fn listed_session(phone: &PhoneKey, id: &str) -> Self {
        Self::new(account(phone), format!("{LISTED_SESSION}{id}"))
    }

    /// A request for a one-time code.
    pub fn otp(login: &LoginKey) -> Self {
        Self::of_kind(login.as_str(), ItemKind::Otp)
    }

    /// A device that has logged in with a phone.
    pub fn device(login: &LoginKey, phone: &PhoneKey) -> Self {
        Self::new(login.as_str(), format!("{DEVICE}{}", phone.as_str()))
    }

    /// A session.
    pub fn session(session: &SessionKey) -> Self {
        Self::of_kind(session.as_str(), ItemKind::Session)
    }

    /// A used captcha.
    pub fn captcha(captcha: &CaptchaKey) -> Self {
        Self::of_kind(captcha.as_str(), ItemKind::Captcha)
    }

    /// A counter of a rate limit.
    pub fn rate(rate: &RateKey) -> Self {
        Self::of_kind(rate.as_str(), ItemKind::Rate)
    }

    /// An import job, by its id.
    pub fn job(job: &str) -> Self {
        Self::of_kind(format!("{JOB}{job}"), ItemKind::Job)
    }

    /// A part of a job.
    pub fn part(job: &str, number: u32) -> Self {
        Self::new(format!("{JOB}{job}"), format!("{PART}{number:05}"))
    }

    /// The number of a part of a job, by its sort key.
    pub fn part_number(sk: &str) -> Option<u32> {
        sk.strip_prefix(PART)?.parse().ok()
    }

    /// An API key, by its id. All are in one partition, since there are only some thousands, and a
    /// key is read per request, not per dose.
    pub fn api_key(id: &str) -> Self {
        Self::new(SENDERS, id)
    }

    /// A revoked certificate, in one of 256 partitions by the first byte of its hash, so that reads
    /// and writes of many revocations are distributed.
    pub fn revocation(first: u8, certificate_id: &str) -> Self {
        Self::new(format!("{REVOKED}{first:02x}"), certificate_id)
    }

    /// A document signer, by its key id. All are in one partition, so that one query reads the
    /// whole register.
    pub fn signer(kid: &str) -> Self {
        Self::new(TRUST_SIGNERS, kid)
    }

    /// The name of the active signer, stored in this item only, so that there are never two.
    pub fn active_signer() -> Self {
        Self::new(TRUST_SIGNERS, ACTIVE)
    }

    /// A signer of another issuer, by an id of key id and digest of the key.
    pub fn issuer(id: &str) -> Self {
        Self::new(TRUST_ISSUERS, id)
    }

    /// The lease of the process that publishes.
    pub fn lease() -> Self {
        Self::of_kind(TRUST_PUBLISHING, ItemKind::Lease)
    }
}

impl std::fmt::Display for ItemKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.pk, self.sk)
    }
}

/// The partition key of the items of a phone's account.
pub(super) fn account(phone: &PhoneKey) -> String {
    format!("{ACCOUNT}{}", phone.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_follows_from_key() {
        let (event, person, phone) = (EventKey::of_id("1"), PersonKey::of_id("1"), PhoneKey::of_id("1"));
        let (case, link, login) = (CaseKey::of_id("1"), LinkKey::of_id("1"), LoginKey::of_id("1"));
        let download = DownloadKey::of(&person);
        let day = jiff::civil::date(2026, 1, 1);
        for (key, kind) in [
            (ItemKey::dose(&event), ItemKind::Dose),
            (ItemKey::dose_sms(&event, 1), ItemKind::Sms),
            (ItemKey::replaced_sms(&event, 1), ItemKind::Sms),
            (ItemKey::retracted_sms(&event, 1), ItemKind::Sms),
            (ItemKey::claim(&DoseKey::of_id("1")), ItemKind::Claim),
            (ItemKey::series(&person), ItemKind::Series),
            (ItemKey::certificate(&CertificateKey::of_id("1")), ItemKind::Certificate),
            (ItemKey::link(&link), ItemKind::Link),
            (ItemKey::locked_sms(&link), ItemKind::Sms),
            (ItemKey::download(&download), ItemKind::Download),
            (ItemKey::admitted(&download), ItemKind::Admitted),
            (ItemKey::lock(&download), ItemKind::Lock),
            (ItemKey::download_sms(&download, 1), ItemKind::Sms),
            (ItemKey::case(&case), ItemKind::Case),
            (ItemKey::case_sms(&case, 1), ItemKind::Sms),
            (ItemKey::queued(&case, Timestamp::UNIX_EPOCH), ItemKind::Queued),
            (ItemKey::confirmation(&person, &case), ItemKind::Confirmation),
            (ItemKey::officer(&phone), ItemKind::Officer),
            (ItemKey::audit_entry(day, "1"), ItemKind::AuditEntry),
            (ItemKey::account(&phone), ItemKind::Account),
            (ItemKey::listed_case(&phone, &case), ItemKind::ListedCase),
            (ItemKey::listed_session(&phone, "1"), ItemKind::ListedSession),
            (ItemKey::otp(&login), ItemKind::Otp),
            (ItemKey::device(&login, &phone), ItemKind::Device),
            (ItemKey::session(&SessionKey::of_id("1")), ItemKind::Session),
            (ItemKey::captcha(&CaptchaKey::of_id("1")), ItemKind::Captcha),
            (ItemKey::rate(&RateKey::of_id("1")), ItemKind::Rate),
            (ItemKey::job("1"), ItemKind::Job),
            (ItemKey::part("1", 1), ItemKind::Part),
            (ItemKey::api_key("1"), ItemKind::ApiKey),
            (ItemKey::revocation(1, "1"), ItemKind::Revocation),
            (ItemKey::signer("1"), ItemKind::Signer),
            (ItemKey::active_signer(), ItemKind::ActiveSigner),
            (ItemKey::issuer("1"), ItemKind::Issuer),
            (ItemKey::lease(), ItemKind::Lease),
        ] {
            assert_eq!(ItemKind::of(key.pk(), key.sk()), Some(kind), "{key}");
        }
        assert_eq!(ItemKind::of("EVENT#1", "ELSE"), None);
    }

    /// IAM policies allow and deny access by prefixes of the partition key.
    #[test]
    fn no_prefix_begins_with_another() {
        let prefixes = [
            ACCOUNT,
            AUDIT,
            HELPDESK_OFFICERS,
            HELPDESK_QUEUE,
            JOB,
            REVOKED,
            SENDERS,
            SERIES,
            TRUST_ISSUERS,
            TRUST_PUBLISHING,
            TRUST_SIGNERS,
            EventKey::PREFIX,
            PersonKey::PREFIX,
            PhoneKey::PREFIX,
            DoseKey::PREFIX,
            super::super::NameKey::PREFIX,
            CaseKey::PREFIX,
            CertificateKey::PREFIX,
            LinkKey::PREFIX,
            LoginKey::PREFIX,
            SessionKey::PREFIX,
            CaptchaKey::PREFIX,
            RateKey::PREFIX,
            DownloadKey::PREFIX,
        ];
        for (at, one) in prefixes.iter().enumerate() {
            let others = prefixes.iter().enumerate().filter(|(other, _)| *other != at);
            assert!(others.into_iter().all(|(_, other)| !other.starts_with(one)), "{one}");
        }
    }

    #[test]
    fn template_conditions_name_keys_of_this_module() {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../infra/template.yaml");
        let template = std::fs::read_to_string(template).unwrap();
        let conditions = template.split(r#""dynamodb:LeadingKeys": ["#).skip(1);
        let named: Vec<&str> = conditions
            .filter_map(|rest| rest.split_once(']'))
            .flat_map(|(keys, _)| keys.split(','))
            .map(|key| key.trim().trim_matches('"'))
            .collect();
        let trust = format!("{}#*", TRUST_SIGNERS.split('#').next().unwrap());
        let prefixes =
            [AUDIT, REVOKED, CaptchaKey::PREFIX, DoseKey::PREFIX, DownloadKey::PREFIX, RateKey::PREFIX];
        for key in &named {
            let is_known = *key == trust
                || *key == TRUST_PUBLISHING
                || key.strip_suffix('*').is_some_and(|key| prefixes.contains(&key));
            assert!(is_known, "infra/template.yaml has a condition on keys {key}, which no item has");
        }
        assert!(named.len() >= 8, "{named:?}");
    }
}
