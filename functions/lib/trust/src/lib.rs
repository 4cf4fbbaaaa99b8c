//! Whom a verifier trusts and what is revoked: static files that anybody may fetch, and the verdict that follows.
//!
//! | file | what it is |
//! |---|---|
//! | `trust/did.json` | our signers as a DID document, as WHO's GDHCN lists them |
//! | `trust/signers.json` | [`SignerList`]: our signers and those of other issuers that we accept |
//! | `trust/revocation/index.cose` | [`RevocationIndex`]: which lists there are, and when they were made; signed |
//! | `trust/revocation/KID/KIND/BITS/PREFIX.cose` | [`Partition`]: the revoked certificates whose hash begins so; signed |

#![cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "publishing is for servers only"))]

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
pub use verdict::{LISTS_COUNT_FOR, Report, RevocationState, Revocations, Verdict, judge};
