//! Verifies certificates in a web worker, so that the page stays responsive.
//!
//! Certificates never leave the browser. The worker fetches only public files: the trust list, the
//! index of the revocation lists, and the partition that may list the certificate. The name of a
//! partition contains only the first bits of a hash. Thousands of certificates share these bits, so
//! the request does not identify the certificate.
//!
//! `worker.js` fetches the files and calls the functions in `main.rs`.

mod qr;
mod verifier;

pub use qr::read_qr;
pub use verifier::Verifier;
