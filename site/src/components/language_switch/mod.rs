//! The switch between the languages.

use bukti_locales::Locale;
use leptos::prelude::*;

use crate::language::{Language, tr};
use crate::place::Place;

/// `ID` and `EN`: links to the same page in each language, so they work before any script has run.
#[component]
pub fn LanguageSwitch() -> impl IntoView {
    let language = Language::current();
    let place = Place::current();
    let link = move |locale: Locale, name: &'static str| {
        view! {
            <a
                href=move || place.in_language(locale)
                lang=locale.tag()
                hreflang=locale.tag()
                aria-label=name
                aria-current=move || (language.get() == locale).then_some("true")
            >
                {locale.tag().to_uppercase()}
            </a>
        }
    };
    view! {
        <div class="languages" role="group" aria-label=tr("site.languages")>
            {link(Locale::Id, "ID, Bahasa Indonesia")}
            {link(Locale::En, "EN, English")}
        </div>
    }
}
