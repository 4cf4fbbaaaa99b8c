//! The language switch.

use bukti_locales::Locale;
use leptos::prelude::*;

use crate::language::{Language, tr};
use crate::place::Router;

/// Links (`ID`, `EN`) to the current page in each language. They work before any script has run.
#[component]
pub fn LanguageSwitch() -> impl IntoView {
    let language = Language::current();
    let router = Router::current();
    let link = move |locale: Locale| {
        let tag = locale.tag().to_uppercase();
        let label = format!("{tag}, {}", locale.own_name());
        view! {
            <a
                href=move || router.in_language(locale)
                lang=locale.tag()
                hreflang=locale.tag()
                aria-label=label
                aria-current=move || (language.get() == locale).then_some("true")
            >
                {tag}
            </a>
        }
    };
    view! {
        <div class="languages" role="group" aria-label=tr("site.languages")>
            {Locale::ALL.map(link).into_iter().collect_view()}
        </div>
    }
}
