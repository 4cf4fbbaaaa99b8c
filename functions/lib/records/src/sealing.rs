//! Sealed fields: personal data in items, encrypted with AES-256-GCM.

use std::sync::{PoisonError, RwLockReadGuard};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Keys;

/// The first byte of a sealed field. It identifies the layout that [`Keys::seal`] describes.
const FORMAT: u8 = 1;

/// The error for a sealed field that cannot be opened, because it is damaged, was moved from
/// another item, or was sealed with a key that no longer exists.
#[derive(Debug, thiserror::Error)]
#[error("a sealed field cannot be opened")]
pub struct OpenError;

/// A key for sealed fields.
pub struct Sealing {
    id: u8,
    key: LessSafeKey,
    seals_from: i64,
}

impl Sealing {
    /// Creates the 32-byte key with this id. The key can open fields at once, and seals from
    /// `seals_from` on (in seconds since the Unix epoch), when all processes have it. `None` if the
    /// key has another length.
    pub fn new(id: u8, bytes: &[u8], seals_from: i64) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        Some(Self { id, key, seals_from })
    }
}

impl Keys {
    /// Replaces the sealing keys after a key rotation, for all clones of these keys.
    pub fn replace_sealing(&self, sealing: Vec<Sealing>) {
        *self.0.sealing.write().unwrap_or_else(PoisonError::into_inner) = sealing;
    }

    fn sealing(&self) -> RwLockReadGuard<'_, Vec<Sealing>> {
        self.0.sealing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals a value for one field of an item. `item` names the field and is the associated data,
    /// so that a field that is moved to another item cannot be opened. `None` if no key can seal
    /// yet. Layout: format (1 byte), key id (1), nonce (12), ciphertext and tag.
    pub fn seal<T: Serialize>(&self, item: &str, value: &T, now: Timestamp) -> Option<Vec<u8>> {
        self.seal_bytes(item, serde_json::to_vec(value).ok()?, now)
    }

    /// Seals bytes that are not a field of an item, such as a document in a backup. `item` is the
    /// associated data.
    pub fn seal_bytes(&self, item: &str, mut data: Vec<u8>, now: Timestamp) -> Option<Vec<u8>> {
        let now = now.as_second();
        let sealing = self.sealing();
        let Sealing { id, key, .. } = sealing.iter().rfind(|key| key.seals_from <= now)?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_used, Aad::from(item.as_bytes()), &mut data).ok()?;
        let mut sealed = Vec::with_capacity(2 + NONCE_LEN + data.len());
        sealed.extend([FORMAT, *id]);
        sealed.extend(nonce);
        sealed.extend(data);
        Some(sealed)
    }

    /// Opens a field that was sealed by [`Keys::seal`] with an equal `item`.
    pub fn open<T: DeserializeOwned>(&self, item: &str, sealed: &[u8]) -> Result<T, OpenError> {
        serde_json::from_slice(&self.open_bytes(item, sealed)?).map_err(|_| OpenError)
    }

    /// Opens bytes that were sealed by [`Keys::seal_bytes`] with an equal `item`.
    pub fn open_bytes(&self, item: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let [FORMAT, id, rest @ ..] = sealed else { return Err(OpenError) };
        let sealing = self.sealing();
        let Sealing { key, .. } = sealing.iter().find(|key| key.id == *id).ok_or(OpenError)?;
        let (nonce, data) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError)?;
        let mut data = data.to_vec();
        let plain = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(item.as_bytes()), &mut data)
            .map_err(|_| OpenError)?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Timestamp = Timestamp::UNIX_EPOCH;
    /// Item names that serve as associated data.
    const ONE: &str = "one item";
    const OTHER: &str = "another item";

    fn keys() -> Keys {
        crate::keys::tests::keys()
    }

    #[test]
    fn new_key_opens_at_once_and_seals_later() {
        let sealing = |seals_from: &[i64]| {
            let keys = seals_from.iter().zip(1..);
            keys.map(|(from, id)| Sealing::new(id, &[id; 32], *from).unwrap()).collect::<Vec<_>>()
        };
        let keys_of = |sealing| Keys::new(&[0; 32], sealing).unwrap();
        let (keys, other) = (keys_of(sealing(&[0])), keys_of(sealing(&[0])));
        let before = keys.seal(ONE, &"Iwan", BEFORE).unwrap();
        keys.replace_sealing(sealing(&[0, 1_800]));
        let meanwhile = keys.seal(ONE, &"Iwan", BEFORE).unwrap();
        assert_eq!((before[1], meanwhile[1]), (1, 1));
        assert!(other.open::<String>(ONE, &meanwhile).is_ok(), "a process that has not read it yet");

        let half_an_hour_later = Timestamp::from_second(1_800).unwrap();
        let after = keys.seal(ONE, &"Iwan", half_an_hour_later).unwrap();
        assert_eq!(after[1], 2);
        other.replace_sealing(sealing(&[0, 1_800]));
        for sealed in [before, meanwhile, after] {
            assert_eq!(other.open::<String>(ONE, &sealed).unwrap(), "Iwan");
        }
    }

    #[test]
    fn sealed_field_opens_in_its_item_only() {
        let keys = keys();
        let sealed = keys.seal(ONE, &"Iwan", BEFORE).unwrap();
        assert_eq!(keys.open::<String>(ONE, &sealed).unwrap(), "Iwan");
        assert!(keys.open::<String>(OTHER, &sealed).is_err(), "moved to another item");
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(keys.open::<String>(ONE, &damaged).is_err());
        assert!(!String::from_utf8_lossy(&sealed).contains("Iwan"));
    }
}
