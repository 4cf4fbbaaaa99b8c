//! The signed QR text of a health certificate: HCERT, specification 1.0.8 of the eHealth Network.
//!
//! ```text
//! DCC payload ─CBOR─► CWT claims ─COSE_Sign1 (ES256)─► zlib ─► base45 ─► "HC1:…"
//! ```
//!
//! The payload of COVID-19 vaccinations is the EU Digital COVID Certificate, schema 1.3. The identity number is never in
//! it.

mod dcc;
mod seal;
mod signer;
mod transliterate;
mod uvci;

pub use dcc::Vaccination;
pub use seal::{HcertError, Sealed, seal};
pub use signer::{LocalSigner, SignError, Signer, SignerKeys};
pub use transliterate::transliterate;
pub use uvci::{uvci, uvci_check_character};
