//! The root component: the frame around every page.

use leptos::prelude::*;

use crate::account::Account;
use crate::browser;
use crate::components::{Beginning, FirstPage, Footer, Header, TabBar};
use crate::language::Language;
use crate::pages;
use crate::place::{Address, Place};
use crate::settings::Settings;

/// Header, page, footer, and the tab bar, which only phones show.
#[component]
pub fn App(
    /// Where the visit begins.
    address: Address,
) -> impl IntoView {
    let language = Language::provide(address.locale);
    Settings::provide();
    Account::provide();
    FirstPage::provide();
    let place = Place::provide(address.page, language);
    let page = Memo::new(move |_| place.page().whole());
    view! {
        <Header />
        <main id="isi" tabindex="-1">
            {(!browser::IS_HERE).then(|| view! { <Beginning /> })}
            {move || pages::shown(page.get())}
        </main>
        <Footer />
        <TabBar />
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use bukti_locales::{Locale, texts};

    /// Collects every complete `"site.…"` key in the source files of a folder.
    fn keys_below(folder: &Path, keys: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                keys_below(&path, keys);
            } else {
                let source = fs::read_to_string(&path).unwrap();
                let begins = source.split("\"site.").skip(1);
                let names = begins.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name);
                let whole = names
                    .filter(|name| !name.is_empty() && !name.ends_with('.') && !name.contains(['{', '…']));
                keys.extend(whole.map(|name| format!("site.{name}")));
            }
        }
    }

    #[test]
    fn every_key_in_the_source_has_its_text_and_no_text_is_idle() {
        let mut keys = Vec::new();
        keys_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut keys);
        assert!(keys.len() > 50);
        let there = texts(Locale::Id);
        let missing: Vec<_> = keys.iter().filter(|key| !there.contains_key(*key)).collect();
        assert!(missing.is_empty(), "no text: {missing:?}");
        // Built at run time from a code; each of these prefixes has a test of its own.
        let composed = [
            "site.help.",
            "site.privacy.",
            "site.field.",
            "site.failure.",
            "site.verdict.",
            "site.disease.",
            "site.case.",
        ];
        let idle: Vec<_> = there
            .keys()
            .filter(|key| key.starts_with("site.") && !composed.iter().any(|begin| key.starts_with(begin)))
            .filter(|key| !keys.contains(key))
            .collect();
        assert!(idle.is_empty(), "not used: {idle:?}");
    }
}
