//! The language of the screen. Kept in the browser, and taken from `?lang=en` where an address has it.

use bukti_locales::{Locale, fill, text};
use leptos::prelude::*;

use crate::browser;

const STORED: &str = "bukti.lang";

/// The language of the screen, a context of the whole site.
#[derive(Clone, Copy)]
pub struct Language(RwSignal<Locale>);

impl Language {
    /// Finds out the language and provides it to all below.
    pub fn provide() -> Self {
        let asked = browser::query("lang");
        if let Some(asked) = &asked {
            browser::store(STORED, Some(Locale::from_tag(asked).tag()));
        }
        let asked = asked.or_else(|| browser::stored(STORED)).unwrap_or_default();
        let language = Self(RwSignal::new(Locale::from_tag(&asked)));
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

    /// Changes the language and keeps it for the next visit.
    pub fn set(self, locale: Locale) {
        browser::store(STORED, Some(locale.tag()));
        self.0.set(locale);
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
