//! The data that a verifier has about a signer: public key, allowed usages and validity period.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use p256::ecdsa::signature::Verifier;
use p256::pkcs8::{DecodePublicKey, EncodePublicKey};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::ExtendedKeyUsage;

/// The kinds of certificates that a signer may sign, according to its extended key usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usages {
    /// Whether it may sign test certificates.
    pub test: bool,
    /// Whether it may sign vaccination certificates.
    pub vaccination: bool,
    /// Whether it may sign recovery certificates.
    pub recovery: bool,
}

impl Usages {
    /// All usages, for a signer whose certificate does not restrict them.
    const ALL: Self = Self { test: true, vaccination: true, recovery: true };

    /// Reads the eHealth Network's object identifiers, which end in 1, 2 or 3 (Technical
    /// Specifications for EU DCC, volume 5). Certificates from the first weeks of the DCC have a
    /// variant with an additional 0.
    fn of(usage: &ExtendedKeyUsage) -> Self {
        let names = |last: u8| {
            usage.0.iter().any(|oid| {
                let oid = oid.to_string();
                oid == format!("1.3.6.1.4.1.1847.2021.1.{last}")
                    || oid == format!("1.3.6.1.4.1.0.1847.2021.1.{last}")
            })
        };
        let usages = Self { test: names(1), vaccination: names(2), recovery: names(3) };
        if usages == (Self { test: false, vaccination: false, recovery: false }) { Self::ALL } else { usages }
    }
}

/// A signer's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// A P-256 key, for ES256.
    P256(p256::ecdsa::VerifyingKey),
    /// An RSA key, for PS256.
    Rsa(rsa::PublicKey),
}

impl PublicKey {
    fn from_der(spki: &[u8]) -> Result<Self, UnreadableSigner> {
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(spki) {
            return Ok(Self::P256(key));
        }
        rsa::PublicKey::from_public_key_der(spki).map(Self::Rsa).map_err(|_| UnreadableSigner)
    }

    /// Encodes the key as subject public key info (RFC 5280) in DER.
    ///
    /// # Errors
    ///
    /// [`UnreadableSigner`] if the key cannot be encoded.
    pub fn to_der(&self) -> Result<Vec<u8>, UnreadableSigner> {
        let document = match self {
            Self::P256(key) => key.to_public_key_der(),
            Self::Rsa(key) => key.to_public_key_der(),
        };
        Ok(document.map_err(|_| UnreadableSigner)?.into_vec())
    }

    /// Whether this key made the signature with this COSE algorithm. Only ES256 (-7) and PS256
    /// (-37) are supported (RFC 9053, RFC 8230).
    pub(crate) fn verifies(&self, algorithm: i64, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::P256(key), -7) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Self::Rsa(key), -37) => rsa::pss::Signature::try_from(signature).is_ok_and(|signature| {
                rsa::pss::VerifyingKey::<Sha256>::new(key.clone()).verify(message, &signature).is_ok()
            }),
            _ => false,
        }
    }
}

/// The error for a key or certificate that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("the signer's key or certificate cannot be read; it must be an X.509 certificate or a public key")]
pub struct UnreadableSigner;

/// A signer that a verifier trusts.
#[derive(Clone, Debug)]
pub struct TrustedSigner {
    /// The key id from the trust list or, without one, the first 8 bytes of the SHA-256 of the
    /// certificate's DER.
    pub kid: Vec<u8>,
    /// The public key, which verifies its signatures.
    pub key: PublicKey,
    /// The organisation and country of the certificate's subject; `None` if there is no
    /// certificate, or if its subject has neither.
    pub name: Option<String>,
    /// The kinds of certificates that it may sign; all kinds if there is no certificate.
    pub usages: Usages,
    /// When its certificate becomes valid; `None` if there is no certificate.
    pub not_before: Option<Timestamp>,
    /// When its certificate expires; `None` if there is no certificate.
    pub not_after: Option<Timestamp>,
}

impl TrustedSigner {
    /// Reads an X.509 certificate in PEM or DER.
    ///
    /// # Errors
    ///
    /// [`UnreadableSigner`] if it cannot be parsed, or if the key is neither P-256 nor RSA.
    pub fn from_certificate(pem_or_der: &[u8]) -> Result<Self, UnreadableSigner> {
        let der = match std::str::from_utf8(pem_or_der) {
            Ok(text) => pem_to_der(text).ok_or(UnreadableSigner)?,
            Err(_) => pem_or_der.to_vec(),
        };
        let certificate = Certificate::from_der(&der).map_err(|_| UnreadableSigner)?;
        let certificate = certificate.tbs_certificate();
        let spki = certificate.subject_public_key_info().to_der().map_err(|_| UnreadableSigner)?;
        let usages = match certificate.get_extension::<ExtendedKeyUsage>() {
            Ok(None) => Usages::ALL,
            Ok(Some((_, usage))) => Usages::of(&usage),
            Err(_) => return Err(UnreadableSigner),
        };
        let subject = certificate.subject();
        let organisation = subject.organization().ok().flatten().or(subject.common_name().ok().flatten());
        let country = subject.country().ok().flatten();
        let name = match (organisation, country) {
            (Some(organisation), Some(country)) => Some(format!("{}, {country}", organisation.value())),
            (Some(organisation), None) => Some(organisation.value().into_owned()),
            (None, country) => country.map(|country| country.to_string()),
        };
        let validity = certificate.validity();
        let at = |time: x509_cert::time::Time| {
            Timestamp::new(i64::try_from(time.to_unix_duration().as_secs()).ok()?, 0).ok()
        };
        Ok(Self {
            kid: Sha256::digest(&der)[..8].to_vec(),
            key: PublicKey::from_der(&spki)?,
            name,
            usages,
            not_before: at(validity.not_before),
            not_after: at(validity.not_after),
        })
    }

    /// Creates a signer without a certificate, from the key id in a trust list and the subject
    /// public key info (RFC 5280) in DER.
    ///
    /// # Errors
    ///
    /// [`UnreadableSigner`] if the key is neither P-256 nor RSA.
    pub fn from_public_key(kid: &[u8], spki: &[u8]) -> Result<Self, UnreadableSigner> {
        Ok(Self {
            kid: kid.to_vec(),
            key: PublicKey::from_der(spki)?,
            name: None,
            usages: Usages::ALL,
            not_before: None,
            not_after: None,
        })
    }

    /// Whether the signer's certificate is valid at this time; always true if there is no
    /// certificate.
    pub(crate) fn is_valid_at(&self, time: Timestamp) -> bool {
        self.not_before.is_none_or(|begin| begin <= time) && self.not_after.is_none_or(|end| time <= end)
    }

    /// Whether this signer made the signature of a COSE_Sign1 message with this COSE algorithm.
    /// `signed` is the `Sig_structure` of RFC 9052.
    pub fn verifies(&self, algorithm: i64, signed: &[u8], signature: &[u8]) -> bool {
        self.key.verifies(algorithm, signed, signature)
    }
}

/// Decodes the first PEM block, or base64 without PEM markers; `None` if the text is neither.
pub(crate) fn pem_to_der(pem: &str) -> Option<Vec<u8>> {
    let body: String = pem
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN") && pem.contains("-----BEGIN"))
        .skip_while(|line| line.starts_with("-----BEGIN"))
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    STANDARD.decode(body).ok().filter(|der| !der.is_empty())
}
