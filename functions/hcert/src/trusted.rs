//! The public half of a signer, as a verifier holds it.

use jiff::Timestamp;

/// What a signer may sign, from its certificate's extended key usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usages {
    /// Tests.
    pub test: bool,
    /// Vaccinations.
    pub vaccination: bool,
    /// Recoveries.
    pub recovery: bool,
}

/// A public key that signatures are checked with.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// For ES256.
    P256(p256::ecdsa::VerifyingKey),
    /// For PS256.
    Rsa(rsa::PublicKey),
}

/// A key or certificate that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the signer's key or certificate cannot be read")]
pub struct UnreadableSigner;

/// A signer that a verifier trusts.
#[derive(Clone, Debug)]
pub struct TrustedSigner {
    /// The key id: the first 8 bytes of the SHA-256 of the certificate's DER, or as the trust list names it.
    pub kid: Vec<u8>,
    /// The key.
    pub key: PublicKey,
    /// Who it is: the subject's organisation and country, where there is a certificate.
    pub name: Option<String>,
    /// What it may sign.
    pub usages: Usages,
    /// When its certificate begins.
    pub not_before: Option<Timestamp>,
    /// When its certificate ends.
    pub not_after: Option<Timestamp>,
}

impl TrustedSigner {
    /// From an X.509 certificate, PEM or DER.
    ///
    /// # Errors
    ///
    /// [`UnreadableSigner`] also where the key is neither P-256 nor RSA.
    pub fn from_certificate(pem_or_der: &[u8]) -> Result<Self, UnreadableSigner> {
        let _ = pem_or_der;
        Err(UnreadableSigner)
    }

    /// From a subject public key info (RFC 5280) in DER, under the key id of a trust list.
    ///
    /// # Errors
    ///
    /// [`UnreadableSigner`].
    pub fn from_public_key(kid: &[u8], spki: &[u8]) -> Result<Self, UnreadableSigner> {
        let _ = (kid, spki);
        Err(UnreadableSigner)
    }

    /// The key as subject public key info in DER.
    ///
    /// # Errors
    ///
    /// [`UnreadableSigner`].
    pub fn public_key_der(&self) -> Result<Vec<u8>, UnreadableSigner> {
        Err(UnreadableSigner)
    }
}
