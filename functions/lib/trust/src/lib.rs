//! Trust lists and revocation lists, and the verdict on a certificate that follows from them. The
//! lists are public static files:
//!
//! - `trust/did.json`: our own signers, as a DID document in the format of the WHO's GDHCN.
//! - `trust/signers.json`: [`SignerList`], our own signers and those imported from other issuers.
//! - `trust/revocation/index.cose`: [`RevocationIndex`], the signed index of all revocation lists.
//! - `trust/revocation/KID/KIND/BITS/PREFIX.cose`: [`Partition`], the signed list of revoked
//!   certificates whose hashes start with PREFIX.

#![cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "only servers publish"))]

mod issuers;
mod revocation;
mod signers;
mod verdict;

pub use issuers::{ImportError, did_document, read_issuers};
#[cfg(not(target_arch = "wasm32"))]
pub use revocation::revocation_files;
pub use revocation::{
    HashKind, IndexedList, Partition, PublicFile, RevocationError, RevocationIndex, Revoked, RevokedReason,
};
pub use signers::{ListedSigner, SignerList, SignerSource, SignerStatus};
pub use verdict::{MAX_LIST_AGE, Report, RevocationState, Revocations, Verdict, judge};
