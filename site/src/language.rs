//! The language of the page, which the URL determines. The texts of each language are in a separate
//! file, so that a visitor downloads only one language.

use bukti_locales::{Locale, fill, text};
use leptos::prelude::*;

use crate::browser;

/// Holds the language of the page. Available to every component as a Leptos context.
#[derive(Clone, Copy)]
pub struct Language(RwSignal<Locale>);

impl Language {
    /// Provides the language as a context, and keeps the document's `lang` attribute up to date.
    pub fn provide(locale: Locale) -> Self {
        let language = Self(RwSignal::new(locale));
        provide_context(language);
        // Leptos does not render the `html` element, so an effect sets its attribute.
        browser::effect(Box::new(move || browser::set_page_language(language.get().tag())));
        language
    }

    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self(RwSignal::new(Locale::default())))
    }

    /// Returns the language (tracked read).
    pub fn get(self) -> Locale {
        self.0.get()
    }

    /// Returns the language (untracked read).
    pub fn get_untracked(self) -> Locale {
        self.0.get_untracked()
    }

    /// Changes the language. The texts of the new language must be loaded already.
    pub fn set(self, locale: Locale) {
        if self.get_untracked() != locale {
            self.0.set(locale);
        }
    }

    /// Loads the texts of a language if they are not loaded yet. Returns `false` if loading fails.
    #[cfg(target_arch = "wasm32")]
    pub async fn load(self, locale: Locale) -> bool {
        if bukti_locales::is_provided(locale) {
            return true;
        }
        let Some(file) = browser::meta(&format!("bukti-texts-{}", locale.tag())) else { return false };
        match crate::api::get(&file).await {
            Ok(texts) => {
                bukti_locales::provide(locale, texts);
                true
            }
            Err(_) => false,
        }
    }

    /// Does nothing, because the native program embeds all texts.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn load(self, _: Locale) -> bool {
        true
    }
}

/// Returns a reactive closure that looks up a text in the language of the page.
pub fn tr(key: &'static str) -> impl Fn() -> &'static str + Copy + Send + Sync + 'static {
    let language = Language::current();
    move || text(language.get(), key)
}

/// Like [`tr`], but also fills in the placeholders of the text.
pub fn tr_with<V>(key: &'static str, values: V) -> impl Fn() -> String + Clone + Send + Sync + 'static
where
    V: Fn(Locale) -> Vec<(&'static str, String)> + Clone + Send + Sync + 'static,
{
    let language = Language::current();
    move || {
        let values = values(language.get());
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fill(language.get(), key, &values)
    }
}
