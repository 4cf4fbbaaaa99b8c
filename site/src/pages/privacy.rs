//! `/privasi`: which data are kept, why, and for how long.

use leptos::prelude::*;

use crate::components::{Heading, HelpdeskLinks};
use crate::language::{Language, tr};

/// The kinds of data that are kept, as parts of text keys, in the order in which a visitor
/// encounters them.
const KEPT: [&str; 12] = [
    "doses",
    "certificates",
    "log_in",
    "session",
    "link",
    "download",
    "status",
    "cases",
    "audit",
    "limits",
    "device",
    "logs",
];
/// Citizens' rights, and what is never done with their data, as parts of text keys.
const RULES: [&str; 4] = ["sealed", "nobody_else", "qr", "rights"];

#[component]
pub fn Privacy() -> impl IntoView {
    let language = Language::current();
    let words = move |name: &'static str, part: &'static str| {
        move || bukti_locales::text(language.get(), &format!("site.privacy.{name}.{part}")).to_owned()
    };
    let kept = move |name: &'static str| {
        view! {
            <section class="card">
                <div class="inside">
                    <h3>{words(name, "title")}</h3>
                    <dl class="facts">
                        <div>
                            <dt>{tr("site.privacy.why")}</dt>
                            <dd>{words(name, "why")}</dd>
                        </div>
                        <div>
                            <dt>{tr("site.privacy.how_long")}</dt>
                            <dd>{words(name, "how_long")}</dd>
                        </div>
                    </dl>
                </div>
            </section>
        }
    };
    let rule = move |name: &'static str| {
        view! {
            <h3>{words(name, "title")}</h3>
            <p>{words(name, "text")}</p>
        }
    };
    view! {
        <div class="column">
            <Heading key="site.privacy.title" />
            <p>{tr("site.privacy.intro")}</p>
            <h2>{tr("site.privacy.kept")}</h2>
            {KEPT.map(kept).collect_view()}
            <h2>{tr("site.privacy.rules")}</h2>
            {RULES.map(rule).collect_view()}
            <HelpdeskLinks />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use bukti_locales::{Locale, texts};

    use super::*;

    #[test]
    fn every_privacy_entry_has_a_text() {
        for locale in Locale::ALL {
            let kept = KEPT.iter().flat_map(|name| ["title", "why", "how_long"].map(|part| (name, part)));
            let rules = RULES.iter().flat_map(|name| ["title", "text"].map(|part| (name, part)));
            for (name, part) in kept.chain(rules) {
                let key = format!("site.privacy.{name}.{part}");
                assert!(texts(locale).contains_key(&key), "{key}");
            }
        }
    }
}
