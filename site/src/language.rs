//! The language of the page. The URL determines it. Each language's texts are a file, so that a
//! phone loads one language only.

use bukti_locales::{Locale, fill, text};
use leptos::prelude::*;

use crate::browser;

/// The language of the page, a Leptos context of the whole site.
#[derive(Clone, Copy)]
pub struct Language(RwSignal<Locale>);

impl Language {
    /// Provides the language as a context.
    pub fn provide(locale: Locale) -> Self {
        let language = Self(RwSignal::new(locale));
        provide_context(language);
        // The `html` element is outside of what Leptos renders.
        browser::effect(Box::new(move || browser::set_page_language(language.get().tag())));
        language
    }

    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self(RwSignal::new(Locale::default())))
    }

    /// The language, tracked.
    pub fn get(self) -> Locale {
        self.0.get()
    }

    /// The language, untracked.
    pub fn get_untracked(self) -> Locale {
        self.0.get_untracked()
    }

    /// Changes the language. Its texts must be loaded.
    pub fn set(self, locale: Locale) {
        if self.get_untracked() != locale {
            self.0.set(locale);
        }
    }

    /// Loads the texts of a language unless they are loaded. Returns `false` if that fails.
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

    /// The native program embeds all texts.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn load(self, _: Locale) -> bool {
        true
    }
}

/// The text of a key in the language of the page.
pub fn tr(key: &'static str) -> impl Fn() -> &'static str + Copy + Send + Sync + 'static {
    let language = Language::current();
    move || text(language.get(), key)
}

/// The text of a key in the language of the page, with its placeholders filled in.
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
