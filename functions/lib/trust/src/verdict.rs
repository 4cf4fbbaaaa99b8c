//! The verdict on a certificate, from the check of its signature and from revocation lists.

use bukti_domain::codes;
use bukti_hcert::{Checked, Content, SignatureFault, Steps, Timing, TrustedSigner};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Partition, RevocationIndex, RevokedReason};

codes! {
    /// The result of verifying a text.
    Verdict {
        /// Signed by a trusted issuer, neither expired nor revoked.
        Valid = "valid",
        /// Signed by a trusted issuer and not expired, but revocation could not be checked: see
        /// [`RevocationState`].
        RevocationUnknown = "revocation_unknown",
        /// The certificate has expired.
        Expired = "expired",
        /// The certificate's validity has not begun.
        NotYetValid = "not_yet_valid",
        /// The certificate was revoked.
        Revoked = "revoked",
        /// A corrected certificate replaced this one.
        Superseded = "superseded",
        /// The issuer is not trusted, or may not sign certificates of this kind.
        IssuerUnknown = "issuer_unknown",
        /// A health certificate whose data or signature are invalid: misread, damaged or forged.
        Damaged = "damaged",
        /// Not a health certificate.
        NotACertificate = "not_a_certificate",
    }
}

codes! {
    /// Whether revocation could be checked.
    RevocationState {
        /// The lists were checked. One of our own signers without lists counts as checked.
        Checked = "checked",
        /// The lists were checked, but they are older than [`MAX_LIST_AGE`], or older than lists
        /// that were seen before.
        Outdated = "outdated",
        /// The signer belongs to another issuer, whose lists are not available.
        NotCovered = "not_covered",
        /// The lists could not be fetched, or the signature is not valid.
        Unavailable = "unavailable",
    }
}

/// The maximum age of revocation lists. A deployment publishes new ones several times an hour. A
/// verifier can work offline for a week; for the same time, a replayed copy of old lists can hide a
/// revocation.
pub const MAX_LIST_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A verifier's data on revocation.
#[derive(Clone, Copy, Debug)]
pub struct Revocations<'a> {
    /// The signers of the deployment that published the lists.
    pub own: &'a [TrustedSigner],
    /// The index; `None` if it could not be fetched.
    pub index: Option<&'a RevocationIndex>,
    /// The partitions that may contain the certificate, as far as they could be fetched.
    pub partitions: &'a [Partition],
    /// The publication time of the newest index that this verifier has seen, if it keeps it.
    pub newest_seen: Option<Timestamp>,
    /// The time of the check, for the age of the lists.
    pub at: Timestamp,
}

/// The verdict and its details. Personal data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// The result of each step of the check.
    pub steps: Steps,
    /// The payload.
    pub payload: Option<serde_json::Value>,
    /// The interpreted payload.
    pub content: Option<Content>,
    /// The name of the signer.
    pub signer: Option<String>,
    /// When the certificate was issued.
    pub issued_at: Option<Timestamp>,
    /// When the certificate expires.
    pub expires_at: Option<Timestamp>,
    /// Whether revocation could be checked.
    pub revocation: RevocationState,
    /// The publication time of the oldest revocation list that was checked.
    pub revocation_as_of: Option<Timestamp>,
}

/// The verdict on a certificate that was checked against these signers.
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

/// Whether revocation could be checked, and the publication time of the lists.
fn revocation(
    checked: &Checked,
    signer: &TrustedSigner,
    revocations: &Revocations<'_>,
) -> (RevocationState, Option<Timestamp>) {
    let Some(index) = revocations.index else { return (RevocationState::Unavailable, None) };
    // Key ids are not unique: an imported signer may have that of one of ours, so the keys are
    // compared.
    let same_kid = revocations.own.iter().find(|own| own.kid == signer.kid);
    let covered = match same_kid {
        Some(own) => own.key == signer.key,
        None => index.lists.iter().any(|list| list.kid == signer.kid),
    };
    if !covered {
        return (RevocationState::NotCovered, None);
    }
    let Some(published) = oldest_list(index, revocations.partitions, checked) else {
        return (RevocationState::Unavailable, None);
    };
    let outdated = revocations.at.duration_since(published) > MAX_LIST_AGE
        || revocations.newest_seen.is_some_and(|newest| index.issued_at < newest);
    (if outdated { RevocationState::Outdated } else { RevocationState::Checked }, Some(published))
}

/// The publication time of the oldest list that could contain the certificate; `None` if one of
/// them is missing. A cached partition may be older than the index.
fn oldest_list(index: &RevocationIndex, partitions: &[Partition], checked: &Checked) -> Option<Timestamp> {
    let published =
        |path: &String| Some(partitions.iter().find(|partition| partition.path == *path)?.issued_at);
    index
        .partitions_for(checked)
        .iter()
        .try_fold(index.issued_at, |oldest, path| Some(oldest.min(published(path)?)))
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
    // Revocation takes precedence over expiry.
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
