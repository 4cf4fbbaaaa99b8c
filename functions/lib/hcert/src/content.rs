//! The content of a payload of any kind, for display.

use serde::{Deserialize, Serialize};

/// The kind of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A vaccination against COVID-19 (DCC, group `v`).
    Vaccination,
    /// A test (DCC, group `t`).
    Test,
    /// A recovery (DCC, group `r`).
    Recovery,
    /// A vaccination on the WHO's International Certificate of Vaccination or Prophylaxis.
    Icvp,
}

/// The person and the vaccination, test or recovery. Personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The kind of certificate.
    pub kind: Kind,
    /// The name as written, or its transliteration (ICAO 9303) if the payload has only that.
    pub name: String,
    /// Birth date: `YYYY-MM-DD`, `YYYY-MM`, `YYYY`, or empty.
    pub birth_date: String,
    /// The vaccine's name in our catalogue, or else its code; `None` for tests and recoveries.
    pub vaccine: Option<String>,
    /// The disease's code in our catalogue (`covid-19`), or else the payload's code; `None` if
    /// unknown.
    pub disease: Option<String>,
    /// Date of the vaccination, of the sample, or of the first positive result, `YYYY-MM-DD`.
    pub date: String,
    /// The number of the dose, and the number of doses in the series.
    pub dose: Option<(u64, u64)>,
    /// The batch.
    pub batch: Option<String>,
    /// The country of the vaccination or test, as in the payload.
    pub country: Option<String>,
    /// The name of the issuer.
    pub issuer: Option<String>,
    /// The certificate's identifier (UVCI).
    pub certificate_id: Option<String>,
    /// For tests, whether the disease was detected.
    pub detected: Option<bool>,
}
