//! Signing and secrets: document signers, signers of other issuers, and the deployment's secrets.

pub(crate) mod document_signers;
pub(crate) mod issuers;
pub(crate) mod secrets;
pub(crate) mod signers;
