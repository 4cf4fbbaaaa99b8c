//! The heading of a page.

use bukti_locales::text;
use leptos::prelude::*;

use crate::browser;
use crate::language::Language;
use crate::settings::Settings;

/// Whether the page that is shown is the first of the visit: then the browser has put the focus where it belongs.
#[derive(Clone, Copy)]
pub struct FirstPage(StoredValue<bool>);

impl FirstPage {
    /// Provides it to all below.
    pub fn provide() {
        provide_context(Self(StoredValue::new(true)));
    }
}

/// What the document is called, where a page is rendered ahead.
#[derive(Clone, Copy)]
pub struct PageTitle(StoredValue<String>);

#[cfg(not(target_arch = "wasm32"))]
impl PageTitle {
    /// Provides it to all below.
    pub fn provide() -> Self {
        let title = Self(StoredValue::new(String::new()));
        provide_context(title);
        title
    }

    /// The title that the page's heading has given.
    pub fn get(self) -> String {
        self.0.get_value()
    }
}

/// The `h1` of a page. It names the document and takes the focus when the page comes, so that a screen reader says
/// where one is.
#[component]
pub fn Heading(
    /// Its words, a key of the locale files.
    #[prop(into)]
    key: Signal<&'static str>,
) -> impl IntoView {
    const ID: &str = "page-heading";
    let settings = Settings::current();
    let language = Language::current();
    let words = move || text(language.get(), key.get());
    let title = move || format!("{} – {}", words(), settings.get(|settings| &settings.service_name));
    match use_context() {
        Some(PageTitle(ahead)) => ahead.set_value(untrack(title)),
        None => browser::effect(Box::new(move || document().set_title(&title()))),
    }
    if let Some(FirstPage(first)) = use_context()
        && !first.try_update_value(|first| std::mem::replace(first, false)).unwrap_or(true)
    {
        browser::focus_soon(ID);
    }
    view! {
        <h1 id=ID tabindex="-1">
            {words}
        </h1>
    }
}
