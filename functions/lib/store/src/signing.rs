//! Keys and who signs: keyed hashes and sealed fields, document signers, signers of other issuers,
//! secrets.

pub(crate) mod document_signers;
pub(crate) mod issuers;
pub(crate) mod secrets;
pub(crate) mod signers;
