//! The language of the screen. The address says which it is; its texts are a file of their own, so that a phone loads one
//! language and not two.

use bukti_locales::{Locale, fill, text};
use leptos::prelude::*;

use crate::browser;

/// The language of the screen, a context of the whole site.
#[derive(Clone, Copy)]
pub struct Language(RwSignal<Locale>);

impl Language {
    /// Provides it to all below.
    pub fn provide(locale: Locale) -> Self {
        let language = Self(RwSignal::new(locale));
        provide_context(language);
        // The page's language is outside of what is rendered here.
        browser::effect(Box::new(move || browser::set_page_language(language.get().tag())));
        language
    }

    /// The language of the screen.
    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self(RwSignal::new(Locale::default())))
    }

    /// The language, tracked.
    pub fn get(self) -> Locale {
        self.0.get()
    }

    /// The language, not tracked.
    pub fn get_untracked(self) -> Locale {
        self.0.get_untracked()
    }

    /// Changes the language, once its texts are loaded.
    pub fn set(self, locale: Locale) {
        if self.get_untracked() != locale {
            self.0.set(locale);
        }
    }

    /// Loads the texts of a language, unless they are there. `false` where they cannot be had.
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

    /// Natively all texts are within the program.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn load(self, _: Locale) -> bool {
        true
    }
}

/// The text of a key in the language of the screen.
pub fn tr(key: &'static str) -> impl Fn() -> &'static str + Copy + Send + Sync + 'static {
    let language = Language::current();
    move || text(language.get(), key)
}

/// The text of a key with values filled in, in the language of the screen.
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
