//! The heading of a page.

use bukti_locales::text;
use leptos::prelude::*;

use crate::browser;
use crate::language::Language;
use crate::settings::Settings;

/// Whether the current page is the first of the visit. The heading of the first page does not take
/// the focus, because the browser has already placed the focus.
#[derive(Clone, Copy)]
pub struct FirstPage(StoredValue<bool>);

impl FirstPage {
    /// Provides the flag as a context.
    pub fn provide() {
        provide_context(Self(StoredValue::new(true)));
    }
}

/// The document title of a page that is being pre-rendered.
#[derive(Clone, Copy)]
pub struct PageTitle(StoredValue<String>);

#[cfg(not(target_arch = "wasm32"))]
impl PageTitle {
    /// Provides an empty title as a context.
    pub fn provide() -> Self {
        let title = Self(StoredValue::new(String::new()));
        provide_context(title);
        title
    }

    /// Returns the title that the page's heading has set.
    pub fn get(self) -> String {
        self.0.get_value()
    }
}

/// The `h1` of a page. Sets the document's title, and takes the focus after navigation, so that
/// screen readers announce the new page.
#[component]
pub fn Heading(
    /// Text key of the heading.
    #[prop(into)]
    key: Signal<&'static str>,
) -> impl IntoView {
    const ID: &str = "page-heading";
    let settings = Settings::current();
    let language = Language::current();
    let words = move || text(language.get(), key.get());
    let title = move || format!("{} – {}", words(), settings.get(|settings| &settings.service_name));
    match use_context() {
        Some(PageTitle(pre_rendered)) => pre_rendered.set_value(untrack(title)),
        None => browser::effect(Box::new(move || document().set_title(&title()))),
    }
    if let Some(FirstPage(first)) = use_context()
        && !first.try_update_value(|first| std::mem::replace(first, false)).unwrap_or(true)
    {
        browser::focus_after_render(ID);
    }
    view! {
        <h1 id=ID tabindex="-1">
            {words}
        </h1>
    }
}
