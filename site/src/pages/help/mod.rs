//! `/bantuan`: why there is no certificate or no SMS, and what to do.

use bukti_domain::DiagnosisCode;
use leptos::prelude::*;

use crate::components::{Heading, HelpdeskLinks, RowLink, Symbol};
use crate::language::{Language, tr};
use crate::place::Page;

/// The topics other than the diagnoses, as parts of text keys.
const OTHER_TOPICS: [&str; 6] = ["no_code", "link_dead", "wrong_data", "no_phone", "keep", "verify"];

/// The codes of all diagnoses that explain a missing certificate or SMS.
fn causes() -> impl Iterator<Item = &'static str> {
    let codes = DiagnosisCode::ALL.iter().filter(|code| **code != DiagnosisCode::CertificateIssued);
    codes.map(|code| code.code())
}

/// Shows every cause with its solution, other topics, and the helpdesk's contact details.
#[component]
pub fn Help() -> impl IntoView {
    view! {
        <div class="column help">
            <Heading key="site.help.title" />
            <p>{tr("site.help.intro")}</p>
            <h2>{tr("site.help.causes")}</h2>
            {causes()
                .map(|name| view! { <Topic name title=format!("diagnosis.{name}.help_title") text=format!("diagnosis.{name}.help_text") /> })
                .collect_view()}
            <h2>{tr("site.help.others")}</h2>
            {OTHER_TOPICS
                .map(|name| view! { <Topic name title=format!("site.help.{name}.title") text=format!("site.help.{name}.text") /> })
                .collect_view()}
            <ul class="rows">
                <RowLink page=Page::Correction symbol=Symbol::Pencil label="site.rows.correction" />
            </ul>
            <h2>{tr("site.help.contact")}</h2>
            <p>{tr("site.help.contact_text")}</p>
            <HelpdeskLinks />
        </div>
    }
}

/// A question that expands to show its answer.
#[component]
fn Topic(
    /// The id of the element, for links to the topic.
    name: &'static str,
    /// The text key of the question.
    title: String,
    /// The text key of the answer.
    text: String,
) -> impl IntoView {
    let language = Language::current();
    let translate = move |key: &str| bukti_locales::text(language.get(), key).to_owned();
    view! {
        <details id=name>
            <summary>{move || translate(&title)}</summary>
            <p>{move || translate(&text)}</p>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use bukti_locales::{Locale, texts};

    use super::*;

    #[test]
    fn every_topic_has_a_text() {
        let of_causes =
            causes().flat_map(|name| ["title", "text"].map(|part| format!("diagnosis.{name}.help_{part}")));
        let others = OTHER_TOPICS
            .iter()
            .flat_map(|name| ["title", "text"].map(|part| format!("site.help.{name}.{part}")));
        for key in of_causes.chain(others) {
            for locale in Locale::ALL {
                assert!(texts(locale).contains_key(&key), "{key}");
            }
        }
    }
}
