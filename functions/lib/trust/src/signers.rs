//! The trust list, `trust/signers.json`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_domain::codes;
use bukti_hcert::TrustedSigner;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

codes! {
    /// The status of a signer.
    SignerStatus {
        /// It signs new certificates.
        Active = "active",
        /// It no longer signs, but its certificates stay valid until they expire.
        Retired = "retired",
        /// Its key is no longer trusted; everything that it signed is invalid.
        Revoked = "revoked",
    }
}

codes! {
    /// The origin of a signer.
    SignerSource {
        /// A signer of this deployment.
        Own = "own",
        /// A signer of another issuer, imported by `bukti trust import`.
        Imported = "imported",
    }
}

/// An entry of the trust list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSigner {
    /// The key id, base64.
    pub kid: String,
    /// The X.509 certificate, DER in base64; `None` if the imported list contained only a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The subject public key info, DER in base64, if there is no certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The status.
    pub status: SignerStatus,
    /// The origin.
    #[serde(default = "imported")]
    pub source: SignerSource,
    /// The code of the participant in the trust network that the signer belongs to, such as `IDN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
}

fn imported() -> SignerSource {
    SignerSource::Imported
}

/// The trust list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerList {
    /// When it was published.
    pub issued_at: Timestamp,
    /// The signers.
    pub signers: Vec<ListedSigner>,
}

impl ListedSigner {
    /// The signer for verification; `None` if its certificate or key cannot be parsed.
    pub fn trusted(&self) -> Option<TrustedSigner> {
        let kid = STANDARD.decode(&self.kid).ok()?;
        match (&self.certificate, &self.public_key) {
            (Some(certificate), _) => {
                let signer = TrustedSigner::from_certificate(&STANDARD.decode(certificate).ok()?).ok()?;
                // The list's key id takes precedence, since some lists do not use the hash of the
                // certificate.
                Some(TrustedSigner { kid, ..signer })
            }
            (None, Some(key)) => TrustedSigner::from_public_key(&kid, &STANDARD.decode(key).ok()?).ok(),
            (None, None) => None,
        }
    }
}

impl SignerList {
    /// Parses the list from its JSON.
    ///
    /// # Errors
    ///
    /// The parser's error if it is not JSON of this form.
    pub fn read(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// The trusted signers: all that are not revoked and can be parsed.
    pub fn trusted(&self) -> Vec<TrustedSigner> {
        self.trusted_where(|_| true)
    }

    /// Our own trusted signers, the only ones that may sign our revocation lists.
    pub fn own(&self) -> Vec<TrustedSigner> {
        self.trusted_where(|signer| signer.source == SignerSource::Own)
    }

    fn trusted_where(&self, predicate: impl Fn(&ListedSigner) -> bool) -> Vec<TrustedSigner> {
        let signers = self.signers.iter().filter(|signer| signer.status != SignerStatus::Revoked);
        signers.filter(|signer| predicate(signer)).filter_map(ListedSigner::trusted).collect()
    }
}
