//! The payload for all diseases except COVID-19: the WHO's digital International Certificate of
//! Vaccination or Prophylaxis (ICVP).
//!
//! Three layouts are in use. This module writes the first and reads all three.
//!
//! | layout | person | vaccination |
//! |---|---|---|
//! | 2026-04 | `n dob s nt id dt gn` | object `vx`: `vp dv cn is bo`; `v` is the template version |
//! | 0.3.0 | `n dob s ntl nid ndt gn` | array `v` with one object: `vp dt cn is bo vls vle` |
//! | older | as in 0.3.0 | object `v`: `vp dt cn is bo vls vle`, also `dn tg ma mp mid` |

use bukti_domain::{BirthDate, Sex, disease_of_icvp, vaccine_of_icvp};
use ciborium::Value;
use serde_json::Value as Json;

use crate::cbor::{map, text};
use crate::json::{date, longer_than, text_of};
use crate::{Content, Kind, Vaccination, dcc};

/// The payload's key in the claim `hcert`.
pub(crate) const CLAIM: i64 = -6;

/// The version of the template that the payload follows.
const TEMPLATE: &str = "1.0.0";

/// The maximum length of a string, in characters. The standard sets no limit, so the limit for
/// feeds applies.
const MAX_LENGTH: usize = 300;

/// Builds the payload of a vaccination. `vp` is the product's id in the WHO's catalogue.
///
/// The payload omits the disease and manufacturer, which follow from the product, and the identity
/// number, which no certificate contains.
pub(crate) fn payload(vaccination: &Vaccination<'_>, vp: &str) -> Value {
    let dose = vaccination.dose;
    let mut person = vec![
        // The DCC's length limit keeps the QR code easy to scan.
        ("n", text(dcc::shorten(dose.name.text()))),
        ("dob", text(dose.birth_date.to_string())),
        // These are the codes of FHIR's administrative gender.
        (
            "s",
            text(match dose.known_sex() {
                Some(Sex::Male) => "male",
                Some(Sex::Female) => "female",
                None => "unknown",
            }),
        ),
    ];
    if let Some(nationality) = dose.nationality() {
        person.push(("nt", text(nationality)));
    }
    person.push((
        "vx",
        map(vec![
            ("vp", text(vp)),
            ("dv", text(dose.vaccination_date.to_string())),
            ("is", text(dcc::shorten(vaccination.issuer))),
            ("bo", text(&*dose.batch)),
        ]),
    ));
    person.push(("v", text(TEMPLATE)));
    map(person)
}

/// Interprets a payload; `None` if it follows none of the three layouts.
pub(crate) fn content(payload: &Json) -> Option<Content> {
    let filled = |object, key| {
        text_of(object, key).filter(|text| !text.trim().is_empty() && !longer_than(text, MAX_LENGTH))
    };
    let name = filled(payload, "n")?.to_owned();
    let birth_date = text_of(payload, "dob").filter(|date| BirthDate::parse(date).is_some())?.to_owned();

    let (entry, day) = if let Some(entry) = payload.get("vx") {
        filled(payload, "v")?;
        // The product, the batch, and either the clinician (`cn`) or the issuer (`is`) are
        // required.
        filled(entry, "vp")?;
        filled(entry, "bo")?;
        filled(entry, "cn").or(filled(entry, "is"))?;
        (entry, filled(entry, "dv")?)
    } else {
        let entry = match payload.get("v")? {
            Json::Array(entries) => match entries.as_slice() {
                [entry] => entry,
                _ => return None,
            },
            entry => entry,
        };
        filled(entry, "vp").or(filled(entry, "mp")).or(filled(entry, "tg"))?;
        (entry, filled(entry, "dt")?)
    };

    let product = filled(entry, "vp").or(filled(entry, "mp"));
    let known = product.and_then(vaccine_of_icvp);
    let own = |text: Option<&str>| text.map(str::to_owned);
    Some(Content {
        kind: Kind::Icvp,
        name,
        birth_date,
        vaccine: known.map(|vaccine| vaccine.name.clone()).or(own(product)),
        disease: product
            .and_then(disease_of_icvp)
            .map(|disease| disease.code.clone())
            .or(own(filled(entry, "tg"))),
        date: date(day)?.to_owned(),
        dose: None,
        batch: own(filled(entry, "bo")),
        country: None,
        issuer: own(filled(entry, "is").or(filled(entry, "cn"))),
        certificate_id: None,
        detected: None,
    })
}
