//! The secrets of a deployment: made once, kept in a file or in AWS Secrets Manager.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Everything secret that the functions need. Whom signers are certified by ([`bukti_hcert::Root`]) is kept apart, where no
/// function can read it, and the signers' keys are in the table, sealed. Has no `Debug`, so that it gets into no log.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Of the keyed hashes: 32 random bytes, base64url. Changing it loses every record.
    pub index_key: String,
    /// Of the sealed fields. The last one seals, all of them open.
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
    /// 32 random bytes, base64url.
    pub key: String,
}

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// New ones cannot be made.
    #[error("no keys can be made: the system has no randomness")]
    CannotMake,
    /// They cannot be fetched.
    #[error("the secrets cannot be read: {0}")]
    Unreadable(String),
    /// They are not of the expected form.
    #[error("the secrets are damaged")]
    Malformed,
}

impl Secrets {
    /// New secrets.
    ///
    /// # Errors
    ///
    /// [`SecretsError::CannotMake`].
    pub fn generate() -> Result<Self, SecretsError> {
        let key = || {
            let mut bytes = [0; 32];
            rand::fill(&mut bytes).map_err(|_| SecretsError::CannotMake)?;
            Ok(URL_SAFE_NO_PAD.encode(bytes))
        };
        Ok(Self {
            index_key: key()?,
            sealing_keys: vec![SealingKey { id: 1, key: key()? }],
            captcha_key: key()?,
            edge_key: key()?,
        })
    }
}
