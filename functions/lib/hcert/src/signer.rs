//! Document signers: keys that sign health certificates. The root certifies each of them.

use std::future::Future;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};

use crate::TrustedSigner;

/// A P-256 key with a document signer certificate, in memory or in a KMS.
pub trait Signer: Send + Sync {
    /// The key id: the first 8 bytes of the SHA-256 of the signer certificate's DER.
    fn kid(&self) -> [u8; 8];

    /// When the signer's certificate expires. No health certificate may be valid for longer.
    fn not_after(&self) -> Timestamp;

    /// Signs a message with ES256. The signature is `r` followed by `s`, each 32 bytes long.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, SignError>> + Send;
}

/// An error while creating a signer or while signing.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key or the certificate cannot be parsed, or the certificate is for another key.
    #[error("the signer's key or certificate cannot be read; check that it is the right file or secret")]
    UnreadableKey,
    /// A key or certificate could not be generated.
    #[error("cannot generate the signer's key or certificate; try again")]
    GenerationFailed,
    /// Signing failed; a retry may succeed.
    #[error("signing failed; try again")]
    Failed,
}

/// The validity period of a health certificate. A document signer stops signing when its own
/// certificate expires sooner than this.
pub const CERTIFICATE_VALID_FOR: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

/// A newly generated P-256 key.
pub struct NewKey {
    /// The private key, PKCS #8 in PEM. Secret.
    pub private_pem: String,
    /// The public key, as subject public key info in DER.
    pub public_key: Vec<u8>,
}

impl NewKey {
    /// Generates a key in memory.
    ///
    /// # Errors
    ///
    /// [`SignError::GenerationFailed`] if the random number generator fails.
    pub fn generate() -> Result<Self, SignError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| SignError::GenerationFailed)?;
        Ok(Self { private_pem: key.serialize_pem(), public_key: key.subject_public_key_info() })
    }
}

/// A signer whose private key is in memory.
pub struct LocalSigner {
    key: EcdsaKeyPair,
    kid: [u8; 8],
    not_after: Timestamp,
    random: SystemRandom,
}

impl LocalSigner {
    /// Reads a document signer's private key (PKCS #8 in PEM) and certificate (DER).
    ///
    /// # Errors
    ///
    /// [`SignError::UnreadableKey`] if either cannot be parsed, or if the certificate is for
    /// another key.
    pub fn new(private_pem: &str, certificate: &[u8]) -> Result<Self, SignError> {
        let pair = KeyPair::from_pem(private_pem).map_err(|_| SignError::UnreadableKey)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.serialized_der())
            .map_err(|_| SignError::UnreadableKey)?;
        let trusted = TrustedSigner::from_certificate(certificate).map_err(|_| SignError::UnreadableKey)?;
        let public_key = trusted.key.to_der().map_err(|_| SignError::UnreadableKey)?;
        if public_key != pair.subject_public_key_info() {
            return Err(SignError::UnreadableKey);
        }
        let (kid, not_after) = kid_and_not_after(&trusted)?;
        Ok(Self { key, kid, not_after, random: SystemRandom::new() })
    }
}

/// Returns the key id and the expiry of a signer's certificate.
///
/// # Errors
///
/// [`SignError::UnreadableKey`] if the expiry is unknown, or if the key id is not 8 bytes long.
pub fn kid_and_not_after(certificate: &TrustedSigner) -> Result<([u8; 8], Timestamp), SignError> {
    let kid = certificate.kid.as_slice().try_into().map_err(|_| SignError::UnreadableKey)?;
    Ok((kid, certificate.not_after.ok_or(SignError::UnreadableKey)?))
}

impl Signer for LocalSigner {
    fn kid(&self) -> [u8; 8] {
        self.kid
    }

    fn not_after(&self) -> Timestamp {
        self.not_after
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.key.sign(&self.random, message).map_err(|_| SignError::Failed)?;
        Ok(signature.as_ref().to_vec())
    }
}
