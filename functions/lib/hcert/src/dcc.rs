//! The payload for COVID-19: the EU Digital COVID Certificate (DCC), JSON schema 1.3.3.

use bukti_domain::{CertifiedName, disease, disease_of_dcc, transliterate, vaccine_of_dcc};
use ciborium::Value;
use serde_json::Value as Json;

use crate::cbor::{map, text};
use crate::json::{date, longer_than, text_of};
use crate::{Content, Kind, Vaccination};

/// The payload's key in the claim `hcert`.
pub(crate) const CLAIM: i64 = 1;

/// The maximum length of a name or issuer, in characters.
const MAX_LENGTH: usize = 80;

/// The SNOMED CT code of COVID-19.
const COVID_19: &str = "840539006";
/// The SNOMED CT code of the test result "detected".
const DETECTED: &str = "260373001";

/// Builds the payload of a vaccination. `vp`, `mp` and `ma` are the DCC's codes for the vaccine
/// type, the product and the manufacturer.
pub(crate) fn payload(vaccination: &Vaccination<'_>, vp: &str, mp: &str, ma: &str) -> Value {
    let dose = vaccination.dose;
    let number = dose.dose_number;
    let target = disease(&dose.vaccine.disease).and_then(|disease| disease.dcc_target.as_deref());
    let entry = map(vec![
        ("tg", text(target.unwrap_or(COVID_19))),
        ("vp", text(vp)),
        ("mp", text(mp)),
        ("ma", text(ma)),
        ("dn", Value::Integer(number.into())),
        ("sd", Value::Integer(dose.doses_in_series().into())),
        ("dt", text(dose.vaccination_date.to_string())),
        ("co", text("ID")),
        ("is", text(shorten(vaccination.issuer))),
        ("ci", text(vaccination.uvci)),
    ]);
    map(vec![
        ("ver", text("1.3.3")),
        ("nam", name(&dose.name)),
        ("dob", text(dose.birth_date.to_string())),
        ("v", Value::Array(vec![entry])),
    ])
}

/// Truncates a name to the length that the schema allows.
pub(crate) fn shorten(name: &str) -> String {
    let short: String = name.chars().take(MAX_LENGTH).collect();
    short.trim_end().to_owned()
}

/// Builds the name object, with the name as written and transliterated. A name of one word becomes
/// the family name.
fn name(full: &CertifiedName) -> Value {
    let (given, family) = (full.given(), full.family());
    let zone = |name: &str| {
        let zone: String = transliterate(name).chars().take(MAX_LENGTH).collect();
        // ICAO 9303 prescribes X if no character of a name can be transliterated.
        if zone.is_empty() { "X".to_owned() } else { zone.trim_end_matches('<').to_owned() }
    };
    let mut entries = vec![("fn", text(shorten(family))), ("fnt", text(zone(family)))];
    if !given.is_empty() {
        entries.push(("gn", text(shorten(given))));
        entries.push(("gnt", text(zone(given))));
    }
    map(entries)
}

/// Interprets a payload; `None` if it does not conform to the schema, or if it does not contain
/// exactly one vaccination, test or recovery.
///
/// Dates must exist in the calendar. The time of a test is not checked, since some issuers do not
/// follow RFC 3339.
pub(crate) fn content(payload: &Json) -> Option<Content> {
    let version = text_of(payload, "ver")?;
    let mut numbers = version.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let semantic = numbers.by_ref().take(3).filter(|part| is_number(part)).count() == 3;
    if !semantic || numbers.next().is_some() {
        return None;
    }
    let birth_date = text_of(payload, "dob").filter(|date| is_birth_date(date))?;
    let name = read_name(payload.get("nam")?)?;

    let groups = [("v", Kind::Vaccination), ("t", Kind::Test), ("r", Kind::Recovery)];
    let mut present = groups.iter().filter_map(|(key, kind)| Some((*kind, payload.get(key)?)));
    let (kind, entries) = present.next()?;
    if present.next().is_some() {
        return None;
    }
    let [entry] = entries.as_array()?.as_slice() else { return None };

    let code = |key| text_of(entry, key);
    let short = |key| code(key).filter(|text| !longer_than(text, MAX_LENGTH));
    // Optional fields must be strings if they are present.
    let optional = |key| match entry.get(key) {
        None => Some(None),
        Some(_) => short(key).map(Some),
    };
    let target = code("tg")?;
    let mut content = Content {
        kind,
        name,
        birth_date: birth_date.to_owned(),
        vaccine: None,
        disease: Some(disease_of_dcc(target).map_or(target, |disease| &disease.code).to_owned()),
        date: String::new(),
        dose: None,
        batch: None,
        country: Some(
            code("co").filter(|code| code.bytes().any(|byte| byte.is_ascii_uppercase()))?.to_owned(),
        ),
        issuer: Some(short("is")?.to_owned()),
        certificate_id: Some(short("ci")?.to_owned()),
        detected: None,
    };
    match kind {
        Kind::Vaccination => {
            code("vp")?;
            code("ma")?;
            let product = code("mp")?;
            let name = vaccine_of_dcc(product).map_or(product, |vaccine| &vaccine.name);
            content.vaccine = Some(name.to_owned());
            content.dose = Some((count(entry.get("dn")?)?, count(entry.get("sd")?)?));
            content.date = date(code("dt")?)?.to_owned();
        }
        Kind::Test => {
            code("tt")?;
            optional("nm")?;
            optional("tc")?;
            if entry.get("ma").is_some() {
                code("ma")?;
            }
            content.detected = Some(code("tr")? == DETECTED);
            content.date = date(code("sc")?)?.to_owned();
        }
        Kind::Recovery => {
            date(code("df")?)?;
            date(code("du")?)?;
            content.date = date(code("fr")?)?.to_owned();
        }
        Kind::Icvp => return None,
    }
    Some(content)
}

/// Reads a positive integer, which some issuers write as a float.
fn count(value: &Json) -> Option<u64> {
    let whole = || value.as_f64().filter(|number| number.fract() == 0.0 && *number < 1e9).map(|it| it as u64);
    value.as_u64().or_else(whole).filter(|count| *count >= 1)
}

/// Whether the text is empty, or is `YYYY-MM-DD`, `YYYY-MM` or `YYYY` with a year from 1900 to
/// 2099.
fn is_birth_date(date: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = date.split('-');
    let year = parts.next().unwrap_or_default();
    let in_range = year.len() == 4 && digits(year) && (year.starts_with("19") || year.starts_with("20"));
    let rest: Vec<_> = parts.collect();
    date.is_empty() || in_range && rest.len() <= 2 && rest.iter().all(|part| part.len() == 2 && digits(part))
}

/// Reads the name as written. The transliteration replaces a missing given or family name.
fn read_name(name: &Json) -> Option<String> {
    name.as_object()?;
    let mut read = [None; 4];
    for (found, key) in read.iter_mut().zip(["gn", "fn", "gnt", "fnt"]) {
        if name.get(key).is_some() {
            let text = text_of(name, key).filter(|text| !longer_than(text, MAX_LENGTH))?;
            let is_zone = text.bytes().all(|byte| byte == b'<' || byte.is_ascii_uppercase());
            *found = Some(text).filter(|_| is_zone || !key.ends_with('t'));
            (*found)?;
        }
    }
    let [given, family, given_zone, family_zone] = read;
    given_zone.or(family_zone)?;
    let parts = [(given, given_zone), (family, family_zone)].map(|(readable, zone)| {
        let readable = readable.filter(|part| !part.trim().is_empty()).map(str::to_owned);
        readable.or(zone.map(|zone| zone.replace('<', " "))).unwrap_or_default()
    });
    Some(parts.join(" ").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use bukti_domain::PersonName;

    use super::*;

    fn names(full: &str) -> Vec<(String, String)> {
        let full = PersonName::parse(full).unwrap().certified(None);
        let Value::Map(entries) = name(&full) else { unreachable!() };
        let read = |value: Value| value.into_text().unwrap();
        entries.into_iter().map(|(key, value)| (read(key), read(value))).collect()
    }

    #[test]
    fn one_word_name_is_a_family_name() {
        assert_eq!(names("Ayu"), [("fn".into(), "Ayu".into()), ("fnt".into(), "AYU".into())]);
    }

    #[test]
    fn last_word_is_the_family_name() {
        let expected =
            [("fn", "Purnomo"), ("fnt", "PURNOMO"), ("gn", "Iwan Ibrahim"), ("gnt", "IWAN<IBRAHIM")];
        assert_eq!(names("Iwan Ibrahim Purnomo"), expected.map(|(key, value)| (key.into(), value.into())));
    }
}
