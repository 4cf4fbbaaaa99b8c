//! Trust lists and revocation lists, which are public static files, and the verdict on a
//! certificate.
//!
//! | file | content |
//! |---|---|
//! | `trust/did.json` | our signers as a DID document in the format of the WHO's GDHCN |
//! | `trust/signers.json` | [`SignerList`]: our signers and the imported ones of other issuers |
//! | `trust/revocation/index.cose` | [`RevocationIndex`]: all revocation lists and their time; signed |
//! | `trust/revocation/KID/KIND/BITS/PREFIX.cose` | [`Partition`]: revoked certificates whose hash starts with PREFIX; signed |

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
