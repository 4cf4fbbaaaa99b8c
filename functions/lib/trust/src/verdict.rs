//! The verdict on a certificate.

use bukti_domain::codes;
use bukti_hcert::{Checked, Content, SignatureFault, Steps, Timing, TrustedSigner};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Partition, RevocationIndex, RevokedReason};

codes! {
    /// What a verifier says.
    Verdict {
        /// Signed by a trusted issuer, in its time, not revoked.
        Valid = "valid",
        /// Signed by a trusted issuer, in its time, but whether it is revoked is not known: see [`RevocationState`].
        RevocationUnknown = "revocation_unknown",
        /// Its time is over.
        Expired = "expired",
        /// Its time has not begun.
        NotYetValid = "not_yet_valid",
        /// Revoked.
        Revoked = "revoked",
        /// A corrected certificate has taken its place.
        Superseded = "superseded",
        /// The issuer is not trusted, or may not sign certificates of this kind.
        IssuerUnknown = "issuer_unknown",
        /// A health certificate whose data or signature are not whole: misread, damaged or forged.
        Damaged = "damaged",
        /// Something else than a health certificate.
        NotACertificate = "not_a_certificate",
    }
}

codes! {
    /// Whether revocation was looked at.
    RevocationState {
        /// The lists were looked at, or there is none of the signer, which is one of this deployment.
        Checked = "checked",
        /// The lists were looked at, but they are older than [`LISTS_COUNT_FOR`], or than lists that were seen before.
        Outdated = "outdated",
        /// The signer is of another issuer, whose lists nobody has here.
        NotCovered = "not_covered",
        /// The lists could not be had, or the signature does not hold.
        Unavailable = "unavailable",
    }
}

/// How long revocation lists count after they were made. A deployment makes new ones several times an hour; a verifier
/// without a net may go on for a week, as long as a stolen or restored copy of old lists may hide a revocation.
pub const LISTS_COUNT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a verifier knows of revocation.
#[derive(Clone, Copy, Debug)]
pub struct Revocations<'a> {
    /// The signers of the deployment whose lists these are.
    pub own: &'a [TrustedSigner],
    /// The index; `None` where it could not be had.
    pub index: Option<&'a RevocationIndex>,
    /// The partitions that the certificate may be in, as far as they could be had.
    pub partitions: &'a [Partition],
    /// When the newest index was made that was seen before, as far as that is known.
    pub newest_seen: Option<Timestamp>,
    /// The time by which the age of the lists is judged.
    pub at: Timestamp,
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

/// The verdict that follows from what was found with these signers.
pub fn judge(checked: Checked, signers: &[TrustedSigner], revocations: &Revocations<'_>) -> Report {
    let signer = checked.signer.and_then(|at| signers.get(at));
    let (revocation, as_of) = match signer {
        Some(signer) => revocation(&checked, signer, revocations),
        None => (RevocationState::Unavailable, None),
    };
    let reason = revocations.partitions.iter().find_map(|partition| partition.reason(&checked));
    Report {
        verdict: verdict(&checked, reason, revocation),
        signer: signer.and_then(|signer| signer.name.clone()),
        revocation,
        revocation_as_of: as_of,
        steps: checked.steps,
        payload: checked.payload,
        content: checked.content,
        issued_at: checked.issued_at,
        expires_at: checked.expires_at,
    }
}

/// Whether revocation was looked at, and of when the lists are.
fn revocation(
    checked: &Checked,
    signer: &TrustedSigner,
    revocations: &Revocations<'_>,
) -> (RevocationState, Option<Timestamp>) {
    let Some(index) = revocations.index else { return (RevocationState::Unavailable, None) };
    // A key id is what the list of signers calls it: another's may be that of one of ours.
    let namesake = revocations.own.iter().find(|own| own.kid == signer.kid);
    let covered = match namesake {
        Some(own) => own.key == signer.key,
        None => index.lists.iter().any(|list| list.kid == signer.kid),
    };
    if !covered {
        return (RevocationState::NotCovered, None);
    }
    let Some(made) = looked_at(index, revocations.partitions, checked) else {
        return (RevocationState::Unavailable, None);
    };
    let outdated = revocations.at.duration_since(made) > LISTS_COUNT_FOR
        || revocations.newest_seen.is_some_and(|newest| index.issued_at < newest);
    (if outdated { RevocationState::Outdated } else { RevocationState::Checked }, Some(made))
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

fn verdict(checked: &Checked, reason: Option<RevokedReason>, revocation: RevocationState) -> Verdict {
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
        (None, _) if revocation != RevocationState::Checked => Verdict::RevocationUnknown,
        (None, _) => Verdict::Valid,
    }
}
