//! `trust/signers.json`: the plain list of signers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_domain::codes;
use bukti_hcert::TrustedSigner;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

codes! {
    /// Whether a signer still signs.
    SignerStatus {
        /// New certificates are signed with it.
        Active = "active",
        /// It signs no more, but what it signed holds until its certificate ends.
        Retired = "retired",
        /// Its key is no longer trusted, and nothing that it signed.
        Revoked = "revoked",
    }
}

codes! {
    /// Whose signer it is.
    SignerSource {
        /// Of this deployment.
        Own = "own",
        /// Of another issuer, taken in by `bukti trust import`.
        Imported = "imported",
    }
}

/// A signer of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSigner {
    /// The key id, base64.
    pub kid: String,
    /// The X.509 certificate, DER in base64; `None` where a trust list gave a bare key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Where there is no certificate: the subject public key info, DER in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Whether it still signs.
    pub status: SignerStatus,
    /// Whose it is.
    #[serde(default = "imported")]
    pub source: SignerSource,
    /// Of a country's participant of a trust network: its code there, such as `IDN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
}

fn imported() -> SignerSource {
    SignerSource::Imported
}

/// The list as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerList {
    /// When it was published.
    pub issued_at: Timestamp,
    /// The signers.
    pub signers: Vec<ListedSigner>,
}

impl ListedSigner {
    /// The signer as a verifier holds it; `None` where it cannot be read.
    pub fn trusted(&self) -> Option<TrustedSigner> {
        let kid = STANDARD.decode(&self.kid).ok()?;
        match (&self.certificate, &self.public_key) {
            (Some(certificate), _) => {
                let signer = TrustedSigner::from_certificate(&STANDARD.decode(certificate).ok()?).ok()?;
                // The list's key id counts: some lists name keys otherwise than by the certificate's hash.
                Some(TrustedSigner { kid, ..signer })
            }
            (None, Some(key)) => TrustedSigner::from_public_key(&kid, &STANDARD.decode(key).ok()?).ok(),
            (None, None) => None,
        }
    }
}

impl SignerList {
    /// Reads the list as it is published.
    ///
    /// # Errors
    ///
    /// Where it is not in the form of one.
    pub fn read(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// The signers that are trusted: all that are not revoked and can be read.
    pub fn trusted(&self) -> Vec<TrustedSigner> {
        self.of(|_| true)
    }

    /// Our own signers alone: only they sign our revocation lists.
    pub fn own(&self) -> Vec<TrustedSigner> {
        self.of(|signer| signer.source == SignerSource::Own)
    }

    fn of(&self, which: impl Fn(&ListedSigner) -> bool) -> Vec<TrustedSigner> {
        let signers = self.signers.iter().filter(|signer| signer.status != SignerStatus::Revoked);
        signers.filter(|signer| which(signer)).filter_map(ListedSigner::trusted).collect()
    }
}
