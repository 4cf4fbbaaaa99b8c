//! The switch between the languages.

use bukti_locales::Locale;
use leptos::prelude::*;

use crate::language::{Language, tr};

/// `ID` and `EN`, of which one is on.
#[component]
pub fn LanguageSwitch() -> impl IntoView {
    let language = Language::current();
    let button = move |locale: Locale, name: &'static str| {
        view! {
            <button
                type="button"
                lang=locale.tag()
                aria-label=name
                aria-pressed=move || (language.get() == locale).to_string()
                on:click=move |_| language.set(locale)
            >
                {locale.tag().to_uppercase()}
            </button>
        }
    };
    view! {
        <div class="languages" role="group" aria-label=tr("site.languages")>
            {button(Locale::Id, "ID, Bahasa Indonesia")}
            {button(Locale::En, "EN, English")}
        </div>
    }
}
