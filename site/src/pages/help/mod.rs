//! `/bantuan`: why there is no certificate or no SMS, and what to do.

use bukti_domain::DiagnosisCode;
use leptos::prelude::*;

use crate::components::{Heading, HelpdeskLinks, RowLink, Sign};
use crate::language::{Language, tr};
use crate::place::Page;

/// What people ask beside the diagnoses.
const OTHER_TOPICS: [&str; 6] = ["no_code", "link_dead", "wrong_data", "no_phone", "keep", "verify"];

/// The diagnoses that mean no certificate or no SMS, in the order in which a dose meets them.
const CAUSES: [DiagnosisCode; 12] = [
    DiagnosisCode::DoseNotReceived,
    DiagnosisCode::DoseIncomplete,
    DiagnosisCode::DoseHeld,
    DiagnosisCode::DoseRejected,
    DiagnosisCode::DoseRetracted,
    DiagnosisCode::DoseBeforeIcvp,
    DiagnosisCode::CertificateBeingMade,
    DiagnosisCode::CertificateIssuedPhoneMissing,
    DiagnosisCode::CertificateIssuedPhoneInvalid,
    DiagnosisCode::CertificateIssuedPhoneDifferent,
    DiagnosisCode::CertificateSuperseded,
    DiagnosisCode::CertificateRevoked,
];

/// Every cause with its solution, and the helpdesk.
#[component]
pub fn Help() -> impl IntoView {
    view! {
        <div class="column help">
            <Heading key="site.help.title" />
            <p>{tr("site.help.intro")}</p>
            <h2>{tr("site.help.causes")}</h2>
            {CAUSES.map(|code| view! { <Topic name=code.code() /> }).collect_view()}
            <h2>{tr("site.help.others")}</h2>
            {OTHER_TOPICS.map(|name| view! { <Topic name=name /> }).collect_view()}
            <ul class="rows">
                <RowLink page=Page::Correction sign=Sign::Pencil label="site.rows.correction" />
            </ul>
            <h2>{tr("site.help.contact")}</h2>
            <p>{tr("site.help.contact_text")}</p>
            <HelpdeskLinks />
        </div>
    }
}

/// A question that opens to its answer.
#[component]
fn Topic(
    /// Its name in the locale files.
    name: &'static str,
) -> impl IntoView {
    let language = Language::current();
    let part =
        move |part: &str| bukti_locales::text(language.get(), &format!("site.help.{name}.{part}")).to_owned();
    view! {
        <details id=name>
            <summary>{move || part("title")}</summary>
            <p>{move || part("text")}</p>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use bukti_locales::{Locale, texts};

    use super::*;

    #[test]
    fn every_topic_has_its_texts() {
        for locale in Locale::ALL {
            for name in CAUSES.map(DiagnosisCode::code).into_iter().chain(OTHER_TOPICS) {
                for part in ["title", "text"] {
                    let key = format!("site.help.{name}.{part}");
                    assert!(texts(locale).contains_key(&key), "{key}");
                }
            }
        }
    }

    #[test]
    fn every_cause_is_there() {
        for code in DiagnosisCode::ALL {
            assert!(CAUSES.contains(code) || *code == DiagnosisCode::CertificateIssued, "{}", code.code());
        }
    }
}
