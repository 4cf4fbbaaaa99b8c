//! What a payload says, whichever its kind: for a screen.

use serde::{Deserialize, Serialize};

/// What a certificate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A vaccination against COVID-19 (DCC, group `v`).
    Vaccination,
    /// A test (DCC, group `t`).
    Test,
    /// A recovery (DCC, group `r`).
    Recovery,
    /// A vaccination of the WHO's International Certificate of Vaccination or Prophylaxis.
    Icvp,
}

/// Who and what. Personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What it is about.
    pub kind: Kind,
    /// The name for people to read; the zone's letters where there is no other.
    pub name: String,
    /// Birth date: `YYYY-MM-DD`, `YYYY-MM`, `YYYY`, or empty.
    pub birth_date: String,
    /// The vaccine by the name in our catalogue, else its code; `None` for tests and recoveries.
    pub vaccine: Option<String>,
    /// The disease by its code in our catalogue (`covid-19`), else the code of the payload; `None` where unknown.
    pub disease: Option<String>,
    /// Date of the vaccination, of the sample, or of the first positive result, `YYYY-MM-DD`.
    pub date: String,
    /// Which dose, and of how many.
    pub dose: Option<(u64, u64)>,
    /// The batch.
    pub batch: Option<String>,
    /// Country of the vaccination or test, as the payload has it.
    pub country: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The certificate's identifier (UVCI).
    pub certificate_id: Option<String>,
    /// Of tests: whether the disease was detected.
    pub detected: Option<bool>,
}
