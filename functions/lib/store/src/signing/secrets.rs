//! The secrets of a deployment, stored in a file or in AWS Secrets Manager.

use std::collections::HashMap;

use aws_lc_rs::rand;
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bukti_records::{Keys, Sealing};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// All secrets that the functions need. Two kinds of key are stored elsewhere: the root that
/// certifies signers ([`bukti_hcert::Root`]), which no function can read, and the signers' private
/// keys, which are sealed in the table. Does not implement `Debug`, so that secrets are not logged.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// The key of keyed hashes: 32 random bytes, base64url. If it changes, all existing records
    /// become unreachable.
    pub index_key: String,
    /// The keys of sealed fields. Each of them can open fields. New fields are sealed with the last
    /// key whose `seals_from` has passed.
    pub sealing_keys: Vec<SealingKey>,
    /// The key that signs captchas.
    pub captcha_key: String,
    /// The key with which the content delivery network authenticates itself, so that the client IP
    /// that it forwards can be trusted. Empty if the deployment has no such network.
    #[serde(default)]
    pub edge_key: String,
}

/// A key for sealed fields, as stored in the secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct SealingKey {
    /// The key's id, which is stored in each sealed field.
    pub id: u8,
    /// The key: 32 random bytes in base64url, or `kms:` and a ciphertext of AWS KMS in base64.
    pub key: String,
    /// When the key is first used to seal, in seconds since the Unix epoch. By then every process
    /// must have read it.
    #[serde(default)]
    pub seals_from: i64,
}

/// The prefix of a key that is wrapped by AWS KMS.
const WRAPPED: &str = "kms:";

/// The delay before a new sealing key is used to seal. Each process reads the secrets again after a
/// third of this delay.
pub(crate) const SEALS_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// The encryption context of a wrapped key. KMS does not unwrap the key with a different context.
fn context(id: u8) -> HashMap<String, String> {
    HashMap::from([("bukti".to_owned(), format!("sealing key {id}"))])
}

impl SealingKey {
    /// Wraps the key with a key in AWS KMS, given by its id or ARN.
    async fn wrap(self, kms: &aws_sdk_kms::Client, kms_key: &str) -> Result<Self, SecretsError> {
        let plain = URL_SAFE_NO_PAD.decode(&self.key).map_err(|_| SecretsError::Malformed)?;
        let wrapped = kms.encrypt().key_id(kms_key).plaintext(Blob::new(plain));
        let wrapped = wrapped.set_encryption_context(Some(context(self.id))).send().await;
        let wrapped = wrapped.map_err(|error| SecretsError::Kms(DisplayErrorContext(&error).to_string()))?;
        let wrapped = wrapped.ciphertext_blob.ok_or(SecretsError::Malformed)?;
        Ok(Self { key: format!("{WRAPPED}{}", STANDARD.encode(wrapped)), ..self })
    }

    /// The 32 bytes of the key, unwrapped by AWS KMS if necessary.
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

/// Why the secrets are unavailable.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The system's random number generator failed, so no keys can be generated.
    #[error("keys cannot be generated: the system's random number generator failed")]
    GenerationFailed,
    /// The file or AWS Secrets Manager cannot be read.
    #[error("the secrets cannot be read: {0}")]
    Unreadable(String),
    /// AWS KMS rejected the request to wrap or unwrap a key.
    #[error("AWS KMS did not wrap or unwrap a sealing key: {0}")]
    Kms(String),
    /// No id is free for another sealing key.
    #[error("all 255 ids of sealing keys are used")]
    TooMany,
    /// The secrets do not have the expected format.
    #[error("the secrets are malformed")]
    Malformed,
}

impl Secrets {
    /// Generates the secrets of a new deployment.
    ///
    /// # Errors
    ///
    /// [`SecretsError::GenerationFailed`] if the system's random number generator fails.
    pub fn generate() -> Result<Self, SecretsError> {
        Ok(Self {
            index_key: random_key()?,
            sealing_keys: vec![SealingKey { id: 1, key: random_key()?, seals_from: 0 }],
            captcha_key: random_key()?,
            edge_key: random_key()?,
        })
    }

    /// The keys for hashing and sealing, unwrapped.
    ///
    /// # Errors
    ///
    /// [`SecretsError`] if a key is malformed or cannot be unwrapped.
    pub(crate) async fn keys(&self, region: &str) -> Result<Keys, SecretsError> {
        let index = URL_SAFE_NO_PAD.decode(&self.index_key).map_err(|_| SecretsError::Malformed)?;
        Keys::new(&index, self.sealing(region).await?).ok_or(SecretsError::Malformed)
    }

    /// The sealing keys, unwrapped. At least one of them can be used to seal now.
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

    /// Wraps all sealing keys that are not wrapped yet, with a key in AWS KMS given by its id or
    /// ARN.
    ///
    /// # Errors
    ///
    /// [`SecretsError::Kms`] if AWS KMS rejects the request; [`SecretsError::Malformed`] if a key
    /// is not base64url.
    pub async fn wrap(&mut self, region: &str, kms_key: &str) -> Result<(), SecretsError> {
        let kms = crate::sdk::kms_client(region).await;
        for key in self.sealing_keys.iter_mut().filter(|key| !key.key.starts_with(WRAPPED)) {
            *key = key.clone().wrap(&kms, kms_key).await?;
        }
        Ok(())
    }

    /// Adds a sealing key, which is used to seal once every process has read it. The older keys can
    /// still open fields. Returns the id of the new key, and when it is first used.
    ///
    /// # Errors
    ///
    /// [`SecretsError::GenerationFailed`] if no key can be generated; [`SecretsError::TooMany`] if
    /// no id is free.
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
