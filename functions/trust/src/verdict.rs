//! The verdict on a certificate.

use bukti_hcert::{Checked, Content, SignatureFault, Steps, Timing, TrustedSigner};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Partition, RevocationIndex, RevokedReason};

/// What a verifier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Signed by a trusted issuer, in its time, not revoked.
    Valid,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// Revoked.
    Revoked,
    /// A corrected certificate has taken its place.
    Superseded,
    /// The issuer is not trusted, or may not sign certificates of this kind.
    IssuerUnknown,
    /// A health certificate whose data or signature are not whole: misread, damaged or forged.
    Damaged,
    /// Something else than a health certificate.
    NotACertificate,
}

/// Whether revocation was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationState {
    /// The lists were looked at, or there is none of the signer.
    Checked,
    /// The lists could not be had.
    Unavailable,
}

/// The verdict and what it is about. Personal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What each step found.
    pub steps: Steps,
    /// The payload.
    pub payload: Option<serde_json::Value>,
    /// What the payload says.
    pub content: Option<Content>,
    /// Who signed it.
    pub signer: Option<String>,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Whether revocation was looked at.
    pub revocation: RevocationState,
    /// When the oldest of the revocation lists was made that were looked at.
    pub revocation_as_of: Option<Timestamp>,
}

/// The verdict that follows from what was found. `index` is `None` and `partitions` lacks some where they could not be
/// had.
pub fn judge(
    checked: Checked,
    signers: &[TrustedSigner],
    index: Option<&RevocationIndex>,
    partitions: &[Partition],
) -> Report {
    let signer = checked.signer.and_then(|at| signers.get(at));
    let as_of = index.and_then(|index| looked_at(index, partitions, &checked));
    let reason = partitions.iter().find_map(|partition| partition.reason(&checked));
    Report {
        verdict: verdict(&checked, reason),
        signer: signer.and_then(|signer| signer.name.clone()),
        revocation: if as_of.is_some() { RevocationState::Checked } else { RevocationState::Unavailable },
        revocation_as_of: as_of,
        steps: checked.steps,
        payload: checked.payload,
        content: checked.content,
        issued_at: checked.issued_at,
        expires_at: checked.expires_at,
    }
}

/// When the oldest of the lists was made that the certificate would be on; `None` where one of them is lacking. A partition
/// that was kept may be older than the index.
fn looked_at(index: &RevocationIndex, partitions: &[Partition], checked: &Checked) -> Option<Timestamp> {
    let made = |path: &String| Some(partitions.iter().find(|partition| partition.path == *path)?.issued_at);
    index
        .partitions_for(checked)
        .iter()
        .try_fold(index.issued_at, |oldest, path| Some(oldest.min(made(path)?)))
}

fn verdict(checked: &Checked, reason: Option<RevokedReason>) -> Verdict {
    let steps = &checked.steps;
    if steps.prefix != Some(true) {
        return Verdict::NotACertificate;
    }
    if checked.signature_fault == Some(SignatureFault::SignerUnknown) {
        return Verdict::IssuerUnknown;
    }
    if steps.signature != Some(true) {
        return Verdict::Damaged;
    }
    // That it was revoked counts more than that its time is over.
    match (reason, checked.timing) {
        (Some(RevokedReason::Revoked), _) => Verdict::Revoked,
        (Some(RevokedReason::Superseded), _) => Verdict::Superseded,
        (None, Some(Timing::After)) => Verdict::Expired,
        (None, Some(Timing::Before)) => Verdict::NotYetValid,
        (None, _) if steps.key_usage != Some(true) => Verdict::IssuerUnknown,
        (None, _) => Verdict::Valid,
    }
}
