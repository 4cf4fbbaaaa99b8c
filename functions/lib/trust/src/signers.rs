//! The trust list, `trust/signers.json`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_domain::codes;
use bukti_hcert::TrustedSigner;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

codes! {
    /// Whether a signer is in use and trusted.
    SignerStatus {
        /// The signer signs new certificates.
        Active = "active",
        /// The signer no longer signs, but its certificates remain valid until they expire.
        Retired = "retired",
        /// The key is no longer trusted, and everything that it signed is invalid.
        Revoked = "revoked",
    }
}

codes! {
    /// Whether a signer is our own.
    SignerSource {
        /// The signer belongs to this deployment.
        Own = "own",
        /// The signer belongs to another issuer; `bukti trust import` imported it.
        Imported = "imported",
    }
}

/// A signer in the trust list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSigner {
    /// The key id in base64.
    pub kid: String,
    /// The X.509 certificate (DER in base64); `None` if the imported list contained only a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The subject public key info (DER in base64); `None` if there is a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Whether the signer is still in use and trusted.
    pub status: SignerStatus,
    /// Whether it is our own signer; if the field is missing, the signer counts as imported.
    #[serde(default = "imported")]
    pub source: SignerSource,
    /// The code of the signer's participant in the trust network, such as `IDN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
}

fn imported() -> SignerSource {
    SignerSource::Imported
}

/// The signers that a verifier accepts, as published in `trust/signers.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerList {
    /// When the list was published.
    pub issued_at: Timestamp,
    /// All signers, including the revoked ones.
    pub signers: Vec<ListedSigner>,
}

impl ListedSigner {
    /// Converts the entry for use in verification; `None` if its certificate or key cannot be
    /// parsed.
    pub fn trusted(&self) -> Option<TrustedSigner> {
        let kid = STANDARD.decode(&self.kid).ok()?;
        match (&self.certificate, &self.public_key) {
            (Some(certificate), _) => {
                let signer = TrustedSigner::from_certificate(&STANDARD.decode(certificate).ok()?).ok()?;
                // The list's key id takes precedence, since some lists do not derive key ids from
                // the certificate's hash.
                Some(TrustedSigner { kid, ..signer })
            }
            (None, Some(key)) => TrustedSigner::from_public_key(&kid, &STANDARD.decode(key).ok()?).ok(),
            (None, None) => None,
        }
    }
}

impl SignerList {
    /// Parses a trust list in JSON.
    ///
    /// # Errors
    ///
    /// The parser's error if the text is not a trust list in JSON.
    pub fn read(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// Returns all signers that are not revoked, except for entries that cannot be parsed.
    pub fn trusted(&self) -> Vec<TrustedSigner> {
        self.trusted_where(|_| true)
    }

    /// Returns our own signers that are not revoked. Only they may sign our revocation lists.
    pub fn own(&self) -> Vec<TrustedSigner> {
        self.trusted_where(|signer| signer.source == SignerSource::Own)
    }

    fn trusted_where(&self, predicate: impl Fn(&ListedSigner) -> bool) -> Vec<TrustedSigner> {
        let signers = self.signers.iter().filter(|signer| signer.status != SignerStatus::Revoked);
        signers.filter(|signer| predicate(signer)).filter_map(ListedSigner::trusted).collect()
    }
}
