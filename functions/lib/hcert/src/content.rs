//! The displayable content of a payload, in one form for all kinds of certificates.

use serde::{Deserialize, Serialize};

/// The kind of a certificate: what it states, and in which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A vaccination against COVID-19 (DCC, group `v`).
    Vaccination,
    /// A test for COVID-19 (DCC, group `t`).
    Test,
    /// A recovery from COVID-19 (DCC, group `r`).
    Recovery,
    /// A vaccination certified by the WHO's International Certificate of Vaccination or
    /// Prophylaxis.
    Icvp,
}

/// The holder and the vaccination, test or recovery that a certificate states. Personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The kind of certificate, which determines the fields that are present.
    pub kind: Kind,
    /// The holder's name as written, or its transliteration (ICAO 9303) if the payload contains
    /// only the transliteration.
    pub name: String,
    /// The birth date: `YYYY-MM-DD`, `YYYY-MM`, `YYYY`, or empty.
    pub birth_date: String,
    /// The vaccine's name in our catalogue, or the payload's code if the catalogue lacks it; `None`
    /// for tests and recoveries, and if the payload does not name a product.
    pub vaccine: Option<String>,
    /// The disease's code in our catalogue (such as `covid-19`), or the payload's code if the
    /// catalogue lacks it; `None` if the payload does not name the disease.
    pub disease: Option<String>,
    /// The date of the vaccination, of the sample, or of the first positive result, `YYYY-MM-DD`.
    pub date: String,
    /// The dose number and the number of doses in the series; `None` unless the payload is a DCC
    /// for a vaccination.
    pub dose: Option<(u64, u64)>,
    /// The batch number; `None` for a DCC, which does not contain it.
    pub batch: Option<String>,
    /// The country of the vaccination or test, as in the payload; `None` for an ICVP.
    pub country: Option<String>,
    /// The issuer's name. An ICVP without an issuer has the clinician's name here.
    pub issuer: Option<String>,
    /// The certificate's identifier (UVCI); `None` for an ICVP.
    pub certificate_id: Option<String>,
    /// Whether the test detected the disease; `None` unless the certificate is for a test.
    pub detected: Option<bool>,
}
