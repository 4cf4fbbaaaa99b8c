//! Keyed hashes and sealed fields: what makes the table show nobody.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bukti_domain::feed::CompleteDose;
use bukti_domain::{
    BirthDate, CaseNumber, FeedRow, Identity, IdentityData, PersonName, PhoneNumber, READABLE,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Secrets, SecretsError};

/// The first byte of a sealed field: the form below.
const FORM: u8 = 1;

/// A random token, 131 bits: 22 letters and digits. No other character, since phones end a link in an SMS before a
/// hyphen or underscore that stands last.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token(String);

impl Token {
    /// A new token. `None` where the system has no randomness.
    pub fn generate() -> Option<Self> {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(22);
        while text.len() < 22 {
            let mut bytes = [0; 32];
            rand::fill(&mut bytes).ok()?;
            // Six bits choose among 64: the two that are no letter are thrown away, so that all letters are as likely.
            let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 63)));
            text.extend(letters.take(22 - text.len()).map(|letter| char::from(*letter)));
        }
        Some(Self(text))
    }

    /// A token of ours that a browser brought.
    pub(crate) fn brought(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text of the token. Secret: for the SMS or the cookie only.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

/// A sealed field that cannot be opened: damaged, moved from another item, or sealed with a key that is gone.
#[derive(Debug, thiserror::Error)]
#[error("a sealed field cannot be opened")]
pub struct OpenError;

/// The keys in use.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    index: hmac::Key,
    sealing: RwLock<Vec<Sealing>>,
}

/// A key that seals fields, ready for use.
struct Sealing {
    id: u8,
    key: LessSafeKey,
    seals_from: i64,
}

impl Keys {
    /// The keys of these secrets.
    ///
    /// # Errors
    ///
    /// [`SecretsError`] where one is malformed, or cannot be unwrapped.
    pub(crate) async fn of(secrets: &Secrets, region: &str) -> Result<Self, SecretsError> {
        let index = URL_SAFE_NO_PAD.decode(&secrets.index_key).ok().filter(|key| key.len() >= 32);
        let index = hmac::Key::new(hmac::HMAC_SHA256, &index.ok_or(SecretsError::Malformed)?);
        Ok(Self(Arc::new(Inner { index, sealing: RwLock::new(sealing_of(secrets, region).await?) })))
    }

    /// Takes the sealing keys that the secrets have now.
    pub(crate) async fn keep_up(&self, secrets: &Secrets, region: &str) -> Result<(), SecretsError> {
        let sealing = sealing_of(secrets, region).await?;
        *self.0.sealing.write().unwrap_or_else(PoisonError::into_inner) = sealing;
        Ok(())
    }

    fn mac(&self, purpose: &str, value: &str) -> hmac::Tag {
        // The purpose cannot run into the value: it has no such separator.
        hmac::sign(&self.0.index, format!("{purpose}\u{1f}{value}").as_bytes())
    }

    fn hash(&self, prefix: &str, purpose: &str, value: &str) -> String {
        let tag = self.mac(purpose, value);
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(&tag.as_ref()[..18]))
    }

    /// The key of an event's items.
    pub fn event(&self, event_id: &str) -> String {
        self.hash("E#", "event", event_id.trim())
    }

    /// The index key of a person.
    pub fn person(&self, identity: &Identity) -> String {
        self.hash("P#", "person", &identity.tagged())
    }

    /// The index key of a phone.
    pub fn phone(&self, phone: &PhoneNumber) -> String {
        self.hash("T#", "phone", phone.e164())
    }

    /// The key of a case.
    pub(crate) fn case(&self, number: &CaseNumber) -> String {
        self.hash("N#", "case", number.as_str())
    }

    /// What is the same for all doses with this name and birth date, whatever their numbers.
    pub fn alike(&self, name: &PersonName, birth_date: BirthDate) -> String {
        self.hash("M#", "name and birth date", &format!("{birth_date}\u{1f}{}", name.match_key()))
    }

    /// A digest of identity data, by which a held row is matched with a confirmation.
    pub(crate) fn identity_data(&self, data: &IdentityData) -> String {
        self.hash("", "identity data", &data.content())
    }

    /// The key of the claim on a dose: the same for every event that reports this dose of this person.
    pub(crate) fn dose_claim(&self, dose: &CompleteDose) -> String {
        let CompleteDose { identity, vaccination_date, vaccine, dose_number, .. } = dose;
        let fields =
            [&*identity.tagged(), &vaccination_date.to_string(), &vaccine.name, &dose_number.to_string()];
        self.hash("D#", "dose", &fields.join("\u{1f}"))
    }

    /// Random bytes. `None` where the system has no randomness.
    pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
        let mut bytes = [0; N];
        rand::fill(&mut bytes).ok()?;
        Some(bytes)
    }

    /// A digest of what a row says.
    pub fn row_digest(&self, row: &FeedRow) -> String {
        self.hash("", "row", &row.content())
    }

    /// A digest of the fields that a certificate shows.
    pub(crate) fn certificate_digest(&self, fields: &str) -> String {
        self.hash("", "certificate content", fields)
    }

    /// The id of a certificate: 80 bits that follow from event and version, so that making it again gives the same.
    pub(crate) fn certificate_id(&self, event: &str, version: u32) -> String {
        let tag = self.mac("certificate", &format!("{event} {version}"));
        let bits = tag.as_ref()[..10].iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        (0..16).rev().map(|at| char::from(READABLE[(bits >> (at * 5)) as usize & 31])).collect()
    }

    /// The name of a certificate's document, by its QR text too: two signatures of one certificate are two documents.
    pub fn document_name(&self, certificate_id: &str, qr_text: &str) -> String {
        self.hash(&format!("{certificate_id}-"), "document", qr_text)
    }

    /// The job of what a sender sent over HTTP: it follows from both.
    pub(crate) fn job(&self, sender: &str, sent: &[u8]) -> String {
        let sent = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, sent));
        self.hash("api-", "job", &format!("{sender}\u{1f}{sent}"))
    }

    /// The key of what somebody had of something in a window of time.
    pub(crate) fn rate(&self, name: &str, subject: &str, window: i64) -> String {
        self.hash("B#", "rate", &format!("{name}\u{1f}{window}\u{1f}{subject}"))
    }

    /// What is stored of a one-time code.
    pub(crate) fn code(&self, phone: &str, code: &str) -> String {
        self.hash("", "code", &format!("{phone} {code}"))
    }

    /// What is stored of a token: no key is needed, a token has more bits than anybody can try.
    pub(crate) fn token(prefix: &str, token: &str) -> String {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(hash))
    }

    /// Whether two hashes are the same, in constant time.
    pub fn same(one: &str, other: &str) -> bool {
        constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
    }

    /// Seals a value for one item of the table: AES-256-GCM, the item's key as associated data, so that a field moved to
    /// another item does not open. Layout: form (1 byte), key id (1), nonce (12), ciphertext and tag.
    pub(crate) fn seal<T: Serialize>(&self, item: &str, value: &T) -> Option<Vec<u8>> {
        self.seal_bytes(item, serde_json::to_vec(value).ok()?)
    }

    /// Seals what is no field of the table, such as a document of a backup, for the place that `item` names.
    pub fn seal_bytes(&self, item: &str, mut data: Vec<u8>) -> Option<Vec<u8>> {
        let now = Timestamp::now().as_second();
        let sealing = self.0.sealing.read().unwrap_or_else(PoisonError::into_inner);
        let Sealing { id, key, .. } = sealing.iter().rfind(|key| key.seals_from <= now)?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_used, Aad::from(item.as_bytes()), &mut data).ok()?;
        let mut sealed = Vec::with_capacity(2 + NONCE_LEN + data.len());
        sealed.extend([FORM, *id]);
        sealed.extend(nonce);
        sealed.extend(data);
        Some(sealed)
    }

    /// Opens what [`Keys::seal`] sealed for the same item.
    pub(crate) fn open<T: DeserializeOwned>(&self, item: &str, sealed: &[u8]) -> Result<T, OpenError> {
        serde_json::from_slice(&self.open_bytes(item, sealed)?).map_err(|_| OpenError)
    }

    /// Opens what [`Keys::seal_bytes`] sealed for this place.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_bytes(&self, item: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let [FORM, id, rest @ ..] = sealed else { return Err(OpenError) };
        let sealing = self.0.sealing.read().unwrap_or_else(PoisonError::into_inner);
        let Sealing { key, .. } = sealing.iter().find(|key| key.id == *id).ok_or(OpenError)?;
        let (nonce, data) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError)?;
        let mut data = data.to_vec();
        let plain = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(item.as_bytes()), &mut data)
            .map_err(|_| OpenError)?;
        Ok(plain.to_vec())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys(…)")
    }
}

async fn sealing_of(secrets: &Secrets, region: &str) -> Result<Vec<Sealing>, SecretsError> {
    let mut sealing = Vec::new();
    for key in &secrets.sealing_keys {
        let bytes = key.bytes(region).await?;
        let unbound = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SecretsError::Malformed)?;
        sealing.push(Sealing { id: key.id, key: LessSafeKey::new(unbound), seals_from: key.seals_from });
    }
    let none_seals = sealing.iter().all(|key| key.seals_from > Timestamp::now().as_second());
    if none_seals { Err(SecretsError::Malformed) } else { Ok(sealing) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn now<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    /// Keys of secrets that no KMS has to unwrap, so nothing waits.
    pub(crate) fn keys_of(secrets: &Secrets) -> Keys {
        now(Keys::of(secrets, "")).unwrap()
    }

    fn keys() -> Keys {
        keys_of(&Secrets::generate().unwrap())
    }

    #[test]
    fn a_new_key_opens_at_once_and_seals_once_all_have_it() {
        let mut secrets = Secrets::generate().unwrap();
        let (keys, other) = (keys_of(&secrets), keys_of(&secrets));
        let before = keys.seal("E#1 DOSE", &"Iwan").unwrap();
        let (id, begins) = secrets.rotate_sealing(Timestamp::now()).unwrap();
        assert_eq!(id, 2);
        assert!(begins > Timestamp::now());
        let keep_up = |keys: &Keys, secrets: &Secrets| {
            now(keys.keep_up(secrets, "")).unwrap();
        };
        keep_up(&keys, &secrets);
        let meanwhile = keys.seal("E#1 DOSE", &"Iwan").unwrap();
        assert_eq!((before[1], meanwhile[1]), (1, 1));
        assert!(other.open::<String>("E#1 DOSE", &meanwhile).is_ok(), "a process that has not read it yet");

        // Half an hour later.
        secrets.sealing_keys[1].seals_from = 0;
        keep_up(&keys, &secrets);
        let after = keys.seal("E#1 DOSE", &"Iwan").unwrap();
        assert_eq!(after[1], 2);
        keep_up(&other, &secrets);
        for sealed in [before, meanwhile, after] {
            assert_eq!(other.open::<String>("E#1 DOSE", &sealed).unwrap(), "Iwan");
        }
    }

    #[test]
    fn a_sealed_field_opens_in_its_item_only() {
        let keys = keys();
        let sealed = keys.seal("E#1 DOSE", &"Iwan").unwrap();
        assert_eq!(keys.open::<String>("E#1 DOSE", &sealed).unwrap(), "Iwan");
        assert!(keys.open::<String>("E#2 DOSE", &sealed).is_err(), "moved to another item");
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(keys.open::<String>("E#1 DOSE", &damaged).is_err());
        assert!(!String::from_utf8_lossy(&sealed).contains("Iwan"));
    }

    #[test]
    fn hashes_differ_by_key_and_purpose() {
        let (one, other) = (keys(), keys());
        assert_eq!(one.event("A"), one.event(" A "));
        assert_ne!(one.event("A"), other.event("A"));
        assert_ne!(one.hash("", "event", "A"), one.hash("", "phone", "A"));
    }

    #[test]
    fn certificate_ids_are_readable_and_repeatable() {
        let keys = keys();
        let id = keys.certificate_id("E#1", 1);
        assert_eq!(id, keys.certificate_id("E#1", 1));
        assert_ne!(id, keys.certificate_id("E#1", 2));
        assert_eq!(id.len(), 16);
        assert!(id.bytes().all(|byte| READABLE.contains(&byte)));
    }

    #[test]
    fn tokens_have_more_than_128_bits() {
        let token = Token::generate().unwrap();
        assert_eq!(token.secret().len(), 22);
        assert!(token.secret().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(token.secret(), Token::generate().unwrap().secret());
        let mut letters = BTreeMap::new();
        for _ in 0..1_000 {
            for letter in Token::generate().unwrap().secret().chars() {
                *letters.entry(letter).or_insert(0) += 1;
            }
        }
        assert_eq!(letters.len(), 62);
        // 355 of each on average. In ten million runs one is as far from it by chance.
        assert!(letters.values().all(|count| (240..=470).contains(count)), "{letters:?}");
    }

    #[test]
    fn of_a_token_its_hash_is_kept() {
        // The example of FIPS 180.
        assert_eq!(Keys::token("S#", "abc"), "S#ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
