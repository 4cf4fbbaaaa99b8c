//! The payload: EU Digital COVID Certificate, schema 1.3, one vaccination.

use bukti_domain::Codes;
use bukti_domain::feed::CompleteDose;
use ciborium::Value;

use crate::transliterate;

/// The longest name that the schema allows, in characters.
const LONGEST_NAME: usize = 80;

/// A vaccination as the certificate says it.
pub struct Vaccination<'a> {
    /// The dose.
    pub dose: &'a CompleteDose,
    /// Who issues the certificate, at most 80 characters.
    pub issuer: &'a str,
    /// The certificate's UVCI.
    pub uvci: &'a str,
}

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

fn shorten(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

impl Vaccination<'_> {
    /// The payload as CBOR.
    pub(crate) fn to_cbor(&self) -> Value {
        let dose = self.dose;
        let number = dose.dose_number;
        let (vp, mp, ma) = match &dose.vaccine.codes {
            Codes::Dcc { vp, mp, ma } => (&**vp, &**mp, &**ma),
            Codes::Icvp { vp } => (&**vp, "", ""),
        };
        map(vec![
            ("ver", text("1.3.3")),
            ("nam", name(&dose.name.without_titles())),
            ("dob", text(dose.birth_date.to_string())),
            (
                "v",
                Value::Array(vec![map(vec![
                    // Disease: COVID-19.
                    ("tg", text("840539006")),
                    ("vp", text(vp)),
                    ("mp", text(mp)),
                    ("ma", text(ma)),
                    ("dn", Value::Integer(number.into())),
                    ("sd", Value::Integer(dose.vaccine.doses_in_series(number).into())),
                    ("dt", text(dose.vaccination_date.to_string())),
                    ("co", text("ID")),
                    ("is", text(shorten(self.issuer))),
                    ("ci", text(self.uvci)),
                ])]),
            ),
        ])
    }
}

/// Indonesian names have no family name: the last word stands in its place, as in Indonesian passports, and the only
/// word of a one-word name too. Then there is no given name at all.
fn name(full: &str) -> Value {
    let (given, family) = full.rsplit_once(' ').unwrap_or(("", full));
    let zone = |name: &str| {
        let zone: String = transliterate(name).chars().take(LONGEST_NAME).collect();
        // Nothing that a zone has letters for: ICAO 9303 writes X for what it cannot write.
        if zone.is_empty() { "X".to_owned() } else { zone.trim_end_matches('<').to_owned() }
    };
    let mut entries = vec![("fn", text(shorten(family))), ("fnt", text(zone(family)))];
    if !given.is_empty() {
        entries.push(("gn", text(shorten(given))));
        entries.push(("gnt", text(zone(given))));
    }
    map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(full: &str) -> Vec<(String, String)> {
        let Value::Map(entries) = name(full) else { unreachable!() };
        let read = |value: Value| value.into_text().unwrap();
        entries.into_iter().map(|(key, value)| (read(key), read(value))).collect()
    }

    #[test]
    fn a_name_of_one_word_has_a_family_name_only() {
        assert_eq!(names("Ayu"), [("fn".into(), "Ayu".into()), ("fnt".into(), "AYU".into())]);
    }

    #[test]
    fn the_last_word_stands_for_the_family_name() {
        let expected =
            [("fn", "Purnomo"), ("fnt", "PURNOMO"), ("gn", "Iwan Ibrahim"), ("gnt", "IWAN<IBRAHIM")];
        assert_eq!(names("Iwan Ibrahim Purnomo"), expected.map(|(key, value)| (key.into(), value.into())));
    }
}
