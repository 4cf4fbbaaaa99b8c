//! Verifies certificates in the browser, in a worker of its own, so that the screen never waits for it.
//!
//! Nothing of a certificate leaves the browser. What is fetched is public and the same for everybody: the trust list, the
//! index of the revocation lists, and of these the partition that a certificate would be in. Its name is the first bits
//! of a hash, which thousands of certificates share, so it tells nobody which one was verified.
//!
//! `main.rs` has what `worker.js` calls; the worker fetches, and hands over what came.

mod qr;
mod verifier;

pub use qr::read_qr;
pub use verifier::Verifier;
