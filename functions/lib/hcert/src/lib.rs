//! The signed QR code text of a health certificate (HCERT, eHealth Network specification 1.0.8).
//!
//! ```text
//! DCC payload ─CBOR─► CWT claims ─COSE_Sign1 (ES256)─► zlib ─► base45 ─► "HC1:…"
//! ```
//!
//! For vaccinations against COVID-19, the payload is the EU Digital COVID Certificate (DCC), schema
//! 1.3; for all others, the WHO's International Certificate of Vaccination or Prophylaxis (ICVP).
//! It never contains the identity number.
//!
//! [`seal`] encodes and signs, on servers only; [`check`] decodes and verifies, on servers and in
//! the browser.

#![cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "only servers seal"))]

mod cbor;
mod check;
mod content;
mod dcc;
mod icvp;
mod json;
mod trusted;
mod uvci;
mod vaccination;

pub use cbor::hex;
pub use check::{Checked, RevocationHashes, SignatureFault, Steps, Timing, check};
pub use content::{Content, Kind};
pub use trusted::{PublicKey, TrustedSigner, UnreadableSigner, Usages};
pub use uvci::{uvci, uvci_check_character};
pub use vaccination::Vaccination;

// Only servers sign; the browser verifies.
#[cfg(not(target_arch = "wasm32"))]
mod root;
#[cfg(not(target_arch = "wasm32"))]
mod seal;
#[cfg(not(target_arch = "wasm32"))]
mod signer;

#[cfg(not(target_arch = "wasm32"))]
pub use root::Root;
#[cfg(not(target_arch = "wasm32"))]
pub use seal::{HcertError, Sealed, cose_sign1, seal};
#[cfg(not(target_arch = "wasm32"))]
pub use signer::{CERTIFICATE_VALID_FOR, LocalSigner, NewKey, SignError, Signer, kid_and_not_after};
