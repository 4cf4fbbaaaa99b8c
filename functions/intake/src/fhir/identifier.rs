//! Recognition of NIKs and passport numbers among FHIR identifiers.

use super::resource::Identifier;

pub(super) const NIK: &str = "https://fhir.kemkes.go.id/id/nik";
pub(super) const PASSPORT: &str = "https://fhir.kemkes.go.id/id/paspor";
/// HL7 table 0203: a passport number from any country.
const PASSPORT_TYPE: &str = "PPN";
/// HL7 table 0203: an Indonesian national identity number.
const NIK_TYPE: &str = "NNIDN";

impl Identifier {
    pub(super) fn is_nik(&self) -> bool {
        self.is_of(NIK, NIK_TYPE)
    }

    pub(super) fn is_passport(&self) -> bool {
        self.is_of(PASSPORT, PASSPORT_TYPE)
    }

    /// Whether the identifier has this system, or a type with this code. If the identifier has a
    /// different system of the same authority, it is of another kind regardless of its type, such
    /// as the mother's NIK (`…/id/nik-ibu`).
    fn is_of(&self, system: &str, code: &str) -> bool {
        let (own, system) = (self.system.as_deref().map(without_scheme), without_scheme(system));
        if own.is_some_and(|own| own.eq_ignore_ascii_case(system)) {
            return true;
        }
        let authority = system.rfind('/').map_or(system, |at| &system[..=at]);
        let begins =
            |own: &str| own.get(..authority.len()).is_some_and(|it| it.eq_ignore_ascii_case(authority));
        let mut codes = self.kind.iter().flat_map(|kind| &kind.coding);
        !own.is_some_and(begins) && codes.any(|coding| coding.code.as_deref() == Some(code))
    }
}

/// Removes the scheme and trailing slash of a system, which senders write inconsistently.
pub(super) fn without_scheme(system: &str) -> &str {
    let system = system.trim();
    let address = system.strip_prefix("http://").or_else(|| system.strip_prefix("https://"));
    address.unwrap_or(system).trim_end_matches('/')
}
