//! The secrets of a deployment: made once, kept in a file or in AWS Secrets Manager.

use std::collections::HashMap;

use aws_lc_rs::rand;
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bukti_records::{Keys, Sealing};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Everything secret that the functions need. Whom signers are certified by ([`bukti_hcert::Root`]) is kept apart, where no
/// function can read it, and the signers' keys are in the table, sealed. Has no `Debug`, so that it gets into no log.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Of the keyed hashes: 32 random bytes, base64url. Changing it loses every record.
    pub index_key: String,
    /// Of the sealed fields. All of them open; of those whose time to seal has come, the last one seals.
    pub sealing_keys: Vec<SealingKey>,
    /// Of the captcha's signature.
    pub captcha_key: String,
    /// By which the site's content delivery network is known: what it says of a caller's address is believed. Empty where
    /// there is none before the functions.
    #[serde(default)]
    pub edge_key: String,
}

/// A key that seals fields.
#[derive(Clone, Serialize, Deserialize)]
pub struct SealingKey {
    /// Its id, which stands in each sealed field.
    pub id: u8,
    /// 32 random bytes, base64url; or `kms:` and what AWS KMS wrapped them as, base64.
    pub key: String,
    /// From when on it seals, Unix seconds. By then every process must have read it.
    #[serde(default)]
    pub seals_from: i64,
}

/// What stands before a key that is wrapped.
const WRAPPED: &str = "kms:";

/// How long after it is made a new sealing key begins to seal. Each process reads the secrets again after a third of it.
pub(crate) const SEALS_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// What a wrapped key is bound to: KMS unwraps it for nothing else.
fn context(id: u8) -> HashMap<String, String> {
    HashMap::from([("bukti".to_owned(), format!("sealing key {id}"))])
}

impl SealingKey {
    /// This key, wrapped by a key of AWS KMS (its id or ARN).
    async fn wrap(self, kms: &aws_sdk_kms::Client, kms_key: &str) -> Result<Self, SecretsError> {
        let plain = URL_SAFE_NO_PAD.decode(&self.key).map_err(|_| SecretsError::Malformed)?;
        let wrapped = kms.encrypt().key_id(kms_key).plaintext(Blob::new(plain));
        let wrapped = wrapped.set_encryption_context(Some(context(self.id))).send().await;
        let wrapped = wrapped.map_err(|error| SecretsError::Kms(DisplayErrorContext(&error).to_string()))?;
        let wrapped = wrapped.ciphertext_blob.ok_or(SecretsError::Malformed)?;
        Ok(Self { key: format!("{WRAPPED}{}", STANDARD.encode(wrapped)), ..self })
    }

    /// The 32 bytes.
    pub(crate) async fn bytes(&self, region: &str) -> Result<Vec<u8>, SecretsError> {
        let Some(wrapped) = self.key.strip_prefix(WRAPPED) else {
            return URL_SAFE_NO_PAD.decode(&self.key).map_err(|_| SecretsError::Malformed);
        };
        let wrapped = STANDARD.decode(wrapped).map_err(|_| SecretsError::Malformed)?;
        let kms = crate::sdk::kms_client(region).await;
        let plain = kms.decrypt().ciphertext_blob(Blob::new(wrapped));
        let plain = plain.set_encryption_context(Some(context(self.id))).send().await;
        let plain = plain.map_err(|error| SecretsError::Kms(DisplayErrorContext(&error).to_string()))?;
        Ok(plain.plaintext.ok_or(SecretsError::Malformed)?.into_inner())
    }
}

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// New ones cannot be made.
    #[error("no keys can be made: the system has no randomness")]
    GenerationFailed,
    /// They cannot be fetched.
    #[error("the secrets cannot be read: {0}")]
    Unreadable(String),
    /// AWS KMS wraps or unwraps no key.
    #[error("AWS KMS refuses a sealing key: {0}")]
    Kms(String),
    /// There is no id left for another sealing key.
    #[error("there were 255 sealing keys")]
    TooMany,
    /// They are not of the expected form.
    #[error("the secrets are damaged")]
    Malformed,
}

impl Secrets {
    /// New secrets.
    ///
    /// # Errors
    ///
    /// [`SecretsError::GenerationFailed`].
    pub fn generate() -> Result<Self, SecretsError> {
        Ok(Self {
            index_key: random_key()?,
            sealing_keys: vec![SealingKey { id: 1, key: random_key()?, seals_from: 0 }],
            captcha_key: random_key()?,
            edge_key: random_key()?,
        })
    }

    /// The keys of these secrets.
    ///
    /// # Errors
    ///
    /// [`SecretsError`] where one is malformed, or cannot be unwrapped.
    pub(crate) async fn keys(&self, region: &str) -> Result<Keys, SecretsError> {
        let index = URL_SAFE_NO_PAD.decode(&self.index_key).map_err(|_| SecretsError::Malformed)?;
        Keys::new(&index, self.sealing(region).await?).ok_or(SecretsError::Malformed)
    }

    /// The sealing keys, of which one seals now.
    pub(crate) async fn sealing(&self, region: &str) -> Result<Vec<Sealing>, SecretsError> {
        let mut sealing = Vec::new();
        for key in &self.sealing_keys {
            let bytes = key.bytes(region).await?;
            sealing.push(Sealing::new(key.id, &bytes, key.seals_from).ok_or(SecretsError::Malformed)?);
        }
        let now = Timestamp::now().as_second();
        let none_seals = self.sealing_keys.iter().all(|key| key.seals_from > now);
        if none_seals { Err(SecretsError::Malformed) } else { Ok(sealing) }
    }

    /// Wraps all sealing keys that are not by this key of AWS KMS (its id or ARN).
    ///
    /// # Errors
    ///
    /// [`SecretsError::Kms`], [`SecretsError::Malformed`].
    pub async fn wrap(&mut self, region: &str, kms_key: &str) -> Result<(), SecretsError> {
        let kms = crate::sdk::kms_client(region).await;
        for key in self.sealing_keys.iter_mut().filter(|key| !key.key.starts_with(WRAPPED)) {
            *key = key.clone().wrap(&kms, kms_key).await?;
        }
        Ok(())
    }

    /// Adds a sealing key, which begins to seal once every process has read it. What older ones sealed opens as before.
    /// Returns its id and when it begins.
    ///
    /// # Errors
    ///
    /// [`SecretsError::GenerationFailed`], [`SecretsError::TooMany`].
    pub fn rotate_sealing(&mut self, now: Timestamp) -> Result<(u8, Timestamp), SecretsError> {
        let last = self.sealing_keys.iter().map(|key| key.id).max().unwrap_or(0);
        let id = last.checked_add(1).ok_or(SecretsError::TooMany)?;
        let begins = now + SEALS_AFTER;
        self.sealing_keys.push(SealingKey { id, key: random_key()?, seals_from: begins.as_second() });
        Ok((id, begins))
    }
}

fn random_key() -> Result<String, SecretsError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| SecretsError::GenerationFailed)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
