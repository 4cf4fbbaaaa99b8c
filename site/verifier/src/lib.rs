//! Verifies certificates in a worker of the browser, so that the page stays responsive.
//!
//! Nothing of a certificate leaves the browser. What is fetched is public: the trust list, the
//! index of the revocation lists, and the one partition of them that may contain the certificate. A
//! partition is named by the first bits of a hash, which thousands of certificates share, so the
//! request does not identify the certificate.
//!
//! `worker.js` fetches the files and calls the functions in `main.rs`.

mod qr;
mod verifier;

pub use qr::read_qr;
pub use verifier::Verifier;
