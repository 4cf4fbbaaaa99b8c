//! JavaScript bindings for `worker.js`.

use bukti_hcert::Checked;
use jiff::Timestamp;
use wasm_bindgen::prelude::wasm_bindgen;

/// Does nothing, because the worker calls the functions below.
fn main() {}

/// See [`bukti_verifier::read_qr`].
#[wasm_bindgen]
pub fn read_qr(rgba: &[u8], width: u32, height: u32) -> Option<String> {
    bukti_verifier::read_qr(rgba, width, height)
}

/// A certificate that has been checked, except for revocation.
#[wasm_bindgen]
pub struct PendingCheck {
    checked: Checked,
    at: Timestamp,
}

/// See [`bukti_verifier::Verifier`].
#[wasm_bindgen]
#[derive(Default)]
pub struct Verifier(bukti_verifier::Verifier);

#[wasm_bindgen]
impl Verifier {
    /// Creates a verifier without lists.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`bukti_verifier::Verifier::load_signers`].
    pub fn load_signers(&mut self, json: &[u8]) -> bool {
        self.0.load_signers(json)
    }

    /// See [`bukti_verifier::Verifier::load_index`].
    pub fn load_index(&mut self, bytes: &[u8]) -> bool {
        self.0.load_index(bytes)
    }

    /// See [`bukti_verifier::Verifier::load_partition`].
    pub fn load_partition(&mut self, path: &str, bytes: &[u8]) -> bool {
        self.0.load_partition(path, bytes)
    }

    /// When the trust list was published (RFC 3339). `None` if no list is loaded.
    pub fn listed_at(&self) -> Option<String> {
        self.0.listed_at().map(|at| at.to_string())
    }

    /// When the revocation lists were published (RFC 3339). `None` if no index is loaded.
    pub fn revocation_at(&self) -> Option<String> {
        self.0.index().map(|index| index.issued_at.to_string())
    }

    /// The paths of all partitions. Empty if no index is loaded.
    pub fn all_partitions(&self) -> Vec<String> {
        self.0.index().map(|index| index.all_partitions()).unwrap_or_default()
    }

    /// Approximate total size of all partitions in bytes. Zero if no index is loaded.
    pub fn total_bytes(&self) -> f64 {
        self.0.index().map_or(0.0, |index| index.total_bytes() as f64)
    }

    /// See [`bukti_verifier::Verifier::check`]. `at` is in milliseconds since the Unix epoch.
    pub fn check(&self, text: &str, at: f64) -> PendingCheck {
        // A time outside the range of `Timestamp` can only come from a wrong clock.
        let at = Timestamp::from_millisecond(at as i64).unwrap_or(Timestamp::UNIX_EPOCH);
        PendingCheck { checked: self.0.check(text, at), at }
    }

    /// See [`bukti_verifier::Verifier::missing_partitions`].
    pub fn missing_partitions(&self, pending: &PendingCheck) -> Vec<String> {
        self.0.missing_partitions(&pending.checked)
    }

    /// Returns the report of [`bukti_verifier::Verifier::judge`] as JSON.
    pub fn judge(&self, pending: PendingCheck) -> String {
        // Serialising a report never fails.
        serde_json::to_string(&self.0.judge(pending.checked, pending.at)).unwrap_or_default()
    }
}
