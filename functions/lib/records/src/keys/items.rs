//! The partition keys and sort keys of the table's items.

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

/// The kind of an item. The table in [`keys`](crate::keys) lists the keys of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// The account of a phone.
    Account,
    /// The key id of the active signer.
    ActiveSigner,
    /// The latest admitted request for a quick download.
    Admitted,
    /// An API key of a sender.
    ApiKey,
    /// An entry of the audit log.
    AuditEntry,
    /// The mark of a used captcha.
    Captcha,
    /// A case of the helpdesk.
    Case,
    /// A certificate, whatever its state.
    Certificate,
    /// The claim on a dose.
    Claim,
    /// Confirmed identity data of a person.
    Confirmation,
    /// A device that has logged in.
    Device,
    /// A dose, with the history of its event.
    Dose,
    /// The latest request for a quick download.
    Download,
    /// A signer of another issuer.
    Issuer,
    /// An import job.
    Job,
    /// The lease that lets only one process publish at a time.
    Lease,
    /// A link in an SMS.
    Link,
    /// An entry in the case list of a phone.
    ListedCase,
    /// An entry in the session list of a phone.
    ListedSession,
    /// The lock that disables the quick download of a person.
    Lock,
    /// An officer of the helpdesk.
    Officer,
    /// A request for a one-time code.
    Otp,
    /// A part of an import job.
    Part,
    /// An entry in the queue of cases that wait for an officer.
    Queued,
    /// A counter of a rate limit.
    Rate,
    /// A revoked or superseded certificate, for the revocation list.
    Revocation,
    /// The mark of a person who has a dose of a vaccine whose primary series does not have two
    /// doses.
    Series,
    /// A session of a phone that is logged in.
    Session,
    /// A document signer of this deployment.
    Signer,
    /// An SMS that was claimed or sent.
    Sms,
}

impl ItemKind {
    /// The kind of the item with these keys; `None` if no kind of item has keys of this form.
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

    /// The part of a stream filter that selects items of this kind. Only for kinds whose sort key
    /// is constant.
    pub fn filter(self) -> String {
        format!(r#""Keys": {{"sk": {{"S": ["{}"]}}}}"#, self.sort_key().unwrap_or_default())
    }

    /// The sort key that all items of this kind have; `None` if their sort keys differ.
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

/// The partition key and sort key of an item.
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

    /// Parses the key of an item; `None` if no kind of item has a key of this form.
    pub fn parse(pk: &str, sk: &str) -> Option<Self> {
        ItemKind::of(pk, sk).map(|_| Self::new(pk, sk))
    }

    /// The partition key, including its prefix.
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The sort key, including its prefix.
    pub fn sk(&self) -> &str {
        &self.sk
    }

    /// The associated data of a sealed field, which binds it to its item and its field name.
    pub fn field(&self, name: &str) -> String {
        format!("{self} {name}")
    }

    /// The key of a dose, with the history of its event.
    pub fn dose(event: &EventKey) -> Self {
        Self::of_kind(event.as_str(), ItemKind::Dose)
    }

    /// The key of the SMS to one version of a dose's phone.
    pub fn dose_sms(event: &EventKey, phone_version: u32) -> Self {
        Self::new(event.as_str(), format!("{SMS}{phone_version:05}"))
    }

    /// The key of the notice about a replaced phone, sent to this version of the dose's phone.
    pub fn replaced_sms(event: &EventKey, phone_version: u32) -> Self {
        Self::new(event.as_str(), format!("{SMS}{phone_version:05}#OLD"))
    }

    /// The key of the notice about a retraction of all certificates up to `void_version`.
    pub fn retracted_sms(event: &EventKey, void_version: u32) -> Self {
        Self::new(event.as_str(), format!("{SMS}{void_version:05}#RETRACTED"))
    }

    /// The key of the claim on a dose.
    pub fn claim(dose: &DoseKey) -> Self {
        Self::of_kind(dose.as_str(), ItemKind::Claim)
    }

    /// The key of the mark of a person who has a dose of a vaccine whose primary series does not
    /// have two doses. The mark is not in the person's own partition, because all changes there
    /// invoke `issue`.
    pub fn series(person: &PersonKey) -> Self {
        Self::of_kind(format!("{SERIES}{}", person.id()), ItemKind::Series)
    }

    /// The key of a certificate.
    pub fn certificate(certificate: &CertificateKey) -> Self {
        Self::of_kind(certificate.as_str(), ItemKind::Certificate)
    }

    /// The key of a link.
    pub fn link(link: &LinkKey) -> Self {
        Self::of_kind(link.as_str(), ItemKind::Link)
    }

    /// The key of the notice that a link was locked.
    pub fn locked_sms(link: &LinkKey) -> Self {
        Self::new(link.as_str(), SMS_ABOUT_LOCK)
    }

    /// The key of the latest request for a person's quick download.
    pub fn download(download: &DownloadKey) -> Self {
        Self::of_kind(download.as_str(), ItemKind::Download)
    }

    /// The key of the latest admitted request for a person's quick download.
    pub fn admitted(download: &DownloadKey) -> Self {
        Self::of_kind(download.as_str(), ItemKind::Admitted)
    }

    /// The key of the lock of a person's quick download.
    pub fn lock(download: &DownloadKey) -> Self {
        Self::of_kind(download.as_str(), ItemKind::Lock)
    }

    /// The key of the SMS for a quick download that was requested at `sent_at`, in milliseconds
    /// since the Unix epoch.
    pub fn download_sms(download: &DownloadKey, sent_at: i64) -> Self {
        Self::new(download.as_str(), format!("{SMS}{sent_at}"))
    }

    /// The key of a case.
    pub fn case(case: &CaseKey) -> Self {
        Self::of_kind(case.as_str(), ItemKind::Case)
    }

    /// The key of the SMS about a revision of a case.
    pub fn case_sms(case: &CaseKey, revision: u32) -> Self {
        Self::new(case.as_str(), format!("{SMS}{revision:05}"))
    }

    /// The key of a case's entry in the queue, ordered by the time when the case was opened. All
    /// entries are in one partition, which allows a thousand writes per second.
    pub fn queued(case: &CaseKey, created_at: Timestamp) -> Self {
        Self::new(HELPDESK_QUEUE, format!("{:013} {}", created_at.as_millisecond(), case.as_str()))
    }

    /// The key of the confirmation of a person's identity data by a case.
    pub fn confirmation(person: &PersonKey, case: &CaseKey) -> Self {
        Self::new(person.as_str(), format!("{CONFIRMATION}{}", case.as_str()))
    }

    /// The key of an officer. All officers are in one partition, because there are only hundreds of
    /// them.
    pub fn officer(phone: &PhoneKey) -> Self {
        Self::new(HELPDESK_OFFICERS, phone.as_str())
    }

    /// The key of an audit log entry: its day in UTC, and a text that orders the entries of a day.
    pub fn audit_entry(day: Date, order: &str) -> Self {
        Self::new(format!("{AUDIT}{day}"), order)
    }

    /// The key of the account of a phone.
    pub fn account(phone: &PhoneKey) -> Self {
        Self::of_kind(account(phone), ItemKind::Account)
    }

    /// The key of an entry in the case list of a phone.
    pub fn listed_case(phone: &PhoneKey, case: &CaseKey) -> Self {
        Self::new(account(phone), format!("{LISTED_CASE}{}", case.as_str()))
    }

    /// The key of an entry in the session list of a phone, by the session's public id.
    pub fn listed_session(phone: &PhoneKey, id: &str) -> Self {
        Self::new(account(phone), format!("{LISTED_SESSION}{id}"))
    }

    /// The key of a request for a one-time code.
    pub fn otp(login: &LoginKey) -> Self {
        Self::of_kind(login.as_str(), ItemKind::Otp)
    }

    /// The key of the record that a phone has logged in with a device.
    pub fn device(login: &LoginKey, phone: &PhoneKey) -> Self {
        Self::new(login.as_str(), format!("{DEVICE}{}", phone.as_str()))
    }

    /// The key of a session.
    pub fn session(session: &SessionKey) -> Self {
        Self::of_kind(session.as_str(), ItemKind::Session)
    }

    /// The key that marks a captcha as used.
    pub fn captcha(captcha: &CaptchaKey) -> Self {
        Self::of_kind(captcha.as_str(), ItemKind::Captcha)
    }

    /// The key of a counter of a rate limit.
    pub fn rate(rate: &RateKey) -> Self {
        Self::of_kind(rate.as_str(), ItemKind::Rate)
    }

    /// The key of the import job with this id.
    pub fn job(job: &str) -> Self {
        Self::of_kind(format!("{JOB}{job}"), ItemKind::Job)
    }

    /// The key of a part of an import job, numbered from 1.
    pub fn part(job: &str, number: u32) -> Self {
        Self::new(format!("{JOB}{job}"), format!("{PART}{number:05}"))
    }

    /// The number of a part, parsed from its sort key; `None` if the sort key has another form.
    pub fn part_number(sk: &str) -> Option<u32> {
        sk.strip_prefix(PART)?.parse().ok()
    }

    /// The key of the API key with this id. All API keys are in one partition, because there are
    /// only thousands of them, and one is read per request, not per dose.
    pub fn api_key(id: &str) -> Self {
        Self::new(SENDERS, id)
    }

    /// The key of a revoked certificate. The first byte of its hash selects one of 256 partitions,
    /// which distributes the reads and writes of many revocations.
    pub fn revocation(first: u8, certificate_id: &str) -> Self {
        Self::new(format!("{REVOKED}{first:02x}"), certificate_id)
    }

    /// The key of the document signer with this key id. All signers are in one partition, so that
    /// one query reads the whole register.
    pub fn signer(kid: &str) -> Self {
        Self::new(TRUST_SIGNERS, kid)
    }

    /// The key of the item that names the active signer. There is only one such item, so there are
    /// never two active signers.
    pub fn active_signer() -> Self {
        Self::new(TRUST_SIGNERS, ACTIVE)
    }

    /// The key of another issuer's signer. `id` consists of the key id and the digest of the public
    /// key.
    pub fn issuer(id: &str) -> Self {
        Self::new(TRUST_ISSUERS, id)
    }

    /// The key of the lease that lets only one process publish at a time.
    pub fn lease() -> Self {
        Self::of_kind(TRUST_PUBLISHING, ItemKind::Lease)
    }
}

impl std::fmt::Display for ItemKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.pk, self.sk)
    }
}

/// The partition key of the items that belong to the account of a phone.
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

    /// IAM policies allow or deny access by prefix of the partition key.
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
