//! Unique vaccination certificate identifiers (UVCI), version 1.

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:";

/// Builds the UVCI of a certificate issued by Indonesia, `URN:UVCI:01:ID:<opaque>#<check>`, from an
/// opaque id of `A-Z` and `0-9`.
pub fn uvci(opaque: &str) -> String {
    let mut text = format!("URN:UVCI:01:ID:{opaque}");
    if let Some(check) = uvci_check_character(&text) {
        text.push('#');
        text.push(check);
    }
    text
}

/// Computes the check character of a UVCI with Luhn mod N over `A-Z0-9/:` (UVCI specification,
/// annex 2). `None` if the text contains any other character.
///
/// ```
/// use bukti_hcert::uvci_check_character;
/// assert_eq!(uvci_check_character("URN:UVCI:01:NL:187/37512422923"), Some('Z'));
/// ```
pub fn uvci_check_character(text: &str) -> Option<char> {
    let size = ALPHABET.len();
    let mut sum = 0;
    for (at, byte) in text.bytes().rev().enumerate() {
        let code = ALPHABET.iter().position(|known| *known == byte)?;
        let addend = if at % 2 == 0 { code * 2 } else { code };
        sum += addend / size + addend % size;
    }
    ALPHABET.get((size - sum % size) % size).map(|byte| char::from(*byte))
}
