//! Keyed hashes (HMAC-SHA-256), which prevent the table's keys from revealing personal data.

use std::fmt;
use std::sync::{Arc, RwLock};

use aws_lc_rs::{constant_time, digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bukti_domain::feed::CompleteDose;
use bukti_domain::{
    BirthDate, CROCKFORD_ALPHABET, CaseNumber, FeedRow, Identity, IdentityData, PersonName, PhoneNumber,
};

use super::{
    CaptchaKey, CaseKey, DoseKey, EventKey, LinkKey, LoginKey, NameKey, PersonKey, PhoneKey, RateKey,
    SessionKey,
};
use crate::sealing::Sealing;

/// The secret keys for keyed hashes and sealed fields.
#[derive(Clone)]
pub struct Keys(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    index: hmac::Key,
    pub(crate) sealing: RwLock<Vec<Sealing>>,
}

impl Keys {
    /// Creates the keys from the key of keyed hashes and the sealing keys; `None` if the key of
    /// keyed hashes is shorter than 32 bytes.
    pub fn new(index: &[u8], sealing: Vec<Sealing>) -> Option<Self> {
        let index = (index.len() >= 32).then(|| hmac::Key::new(hmac::HMAC_SHA256, index))?;
        Some(Self(Arc::new(Inner { index, sealing: RwLock::new(sealing) })))
    }

    fn mac(&self, purpose: &str, value: &str) -> hmac::Tag {
        // No purpose contains the separator, so the input is unambiguous.
        hmac::sign(&self.0.index, format!("{purpose}\u{1f}{value}").as_bytes())
    }

    fn hash(&self, purpose: &str, value: &str) -> String {
        URL_SAFE_NO_PAD.encode(&self.mac(purpose, value).as_ref()[..18])
    }

    /// The key of the items of an event. Whitespace around the event id is ignored.
    pub fn event(&self, event_id: &str) -> EventKey {
        EventKey::of_id(&self.hash("event", event_id.trim()))
    }

    /// The index key of the person with this identity number.
    pub fn person(&self, identity: &Identity) -> PersonKey {
        PersonKey::of_id(&self.hash("person", &identity.tagged()))
    }

    /// The index key of a phone, by its number in E.164.
    pub fn phone(&self, phone: &PhoneNumber) -> PhoneKey {
        PhoneKey::of_id(&self.hash("phone", phone.e164()))
    }

    /// The key of the case with this number.
    pub fn case(&self, number: &CaseNumber) -> CaseKey {
        CaseKey::of_id(&self.hash("case", number.as_str()))
    }

    /// The index key of a name and birth date. Doses with different identity numbers may have the
    /// same key.
    pub fn alike(&self, name: &PersonName, birth_date: BirthDate) -> NameKey {
        NameKey::of_id(&self.hash("name and birth date", &format!("{birth_date}\u{1f}{}", name.match_key())))
    }

    /// The keyed digest of identity data, by which a confirmation is matched with held rows.
    pub fn identity_data(&self, data: &IdentityData) -> String {
        self.hash("identity data", &data.content())
    }

    /// The key of the claim on a dose. It is identical for all events that report this dose.
    pub fn dose_claim(&self, dose: &CompleteDose) -> DoseKey {
        let CompleteDose { identity, vaccination_date, vaccine, dose_number, .. } = dose;
        let fields =
            [&*identity.tagged(), &vaccination_date.to_string(), &vaccine.name, &dose_number.to_string()];
        DoseKey::of_id(&self.hash("dose", &fields.join("\u{1f}")))
    }

    /// Generates random bytes; `None` if the system's random number generator fails.
    pub fn random<const N: usize>() -> Option<[u8; N]> {
        let mut bytes = [0; N];
        rand::fill(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The keyed digest of a row's content, by which duplicate rows are recognised.
    pub fn row_digest(&self, row: &FeedRow) -> String {
        self.hash("row", &row.content())
    }

    /// The keyed digest of the fields that a certificate shows.
    pub fn certificate_digest(&self, fields: &str) -> String {
        self.hash("certificate content", fields)
    }

    /// The id of a certificate: 80 bits that are derived from the event and the version, so that a
    /// retry results in an identical id.
    pub fn certificate_id(&self, event: &EventKey, version: u32) -> String {
        let tag = self.mac("certificate", &format!("{} {version}", event.as_str()));
        let bits = tag.as_ref()[..10].iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        (0..16).rev().map(|at| char::from(CROCKFORD_ALPHABET[(bits >> (at * 5)) as usize & 31])).collect()
    }

    /// The name of a certificate's document. It also depends on the QR text, so that two signatures
    /// of one certificate have different documents.
    pub fn document_name(&self, certificate_id: &str, qr_text: &str) -> String {
        format!("{certificate_id}-{}", self.hash("document", qr_text))
    }

    /// The id of the job of a request over HTTP, derived from the sender and the body, so that a
    /// retry gets the same job.
    pub fn job(&self, sender: &str, sent: &[u8]) -> String {
        let sent = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, sent));
        format!("api-{}", self.hash("job", &format!("{sender}\u{1f}{sent}")))
    }

    /// The key of a rate limit's counter for one subject and window.
    pub fn rate(&self, name: &str, subject: &str, window: i64) -> RateKey {
        RateKey::of_id(&self.hash("rate", &format!("{name}\u{1f}{window}\u{1f}{subject}")))
    }

    /// The keyed hash of a one-time code, which also depends on the phone.
    pub fn code(&self, phone: &str, code: &str) -> String {
        self.hash("code", &format!("{phone} {code}"))
    }

    /// The key of the link with this token. The hash of a token needs no secret key, because a
    /// token has too many bits for a brute-force search.
    pub fn link(token: &str) -> LinkKey {
        LinkKey::of_id(&Self::token(token))
    }

    /// The key of the one-time code request or device that this token identifies.
    pub fn login(token: &str) -> LoginKey {
        LoginKey::of_id(&Self::token(token))
    }

    /// The key of the session that this token identifies.
    pub fn session(token: &str) -> SessionKey {
        SessionKey::of_id(&Self::token(token))
    }

    /// The key that marks the captcha with this signature as used.
    pub fn captcha(signature: &str) -> CaptchaKey {
        CaptchaKey::of_id(&Self::token(signature))
    }

    /// The hash under which a token is stored: SHA-256 in base64url.
    pub fn token(token: &str) -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
    }

    /// Compares two hashes or tokens in constant time.
    pub fn is_equal(one: &str, other: &str) -> bool {
        constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys(…)")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Generates random keys for tests.
    pub(crate) fn keys() -> Keys {
        let sealing = Sealing::new(1, &Keys::random::<32>().unwrap(), 0).unwrap();
        Keys::new(&Keys::random::<32>().unwrap(), vec![sealing]).unwrap()
    }

    #[test]
    fn hashes_differ_by_key_and_purpose() {
        let (one, other) = (keys(), keys());
        assert_eq!(one.event("A"), one.event(" A "));
        assert_ne!(one.event("A"), other.event("A"));
        assert_ne!(one.hash("event", "A"), one.hash("phone", "A"));
    }

    #[test]
    fn certificate_ids_are_readable_and_deterministic() {
        let keys = keys();
        let event = EventKey::of_id("1");
        let id = keys.certificate_id(&event, 1);
        assert_eq!(id, keys.certificate_id(&event, 1));
        assert_ne!(id, keys.certificate_id(&event, 2));
        assert_eq!(id.len(), 16);
        assert!(id.bytes().all(|byte| CROCKFORD_ALPHABET.contains(&byte)));
    }

    #[test]
    fn hashes_token_with_sha_256() {
        // The test vector of FIPS 180.
        assert_eq!(Keys::token("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
