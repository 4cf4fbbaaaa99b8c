//! The root component, which renders the frame around every page.

use leptos::prelude::*;

use crate::account::Account;
use crate::browser;
use crate::components::{FirstPage, Footer, Header, StartNotice, TabBar};
use crate::language::Language;
use crate::pages;
use crate::place::{Address, Router};
use crate::settings::Settings;

/// Renders the header, the page, the footer, and the tab bar, which only phones show.
#[component]
pub fn App(
    /// The page and language to show first.
    address: Address,
) -> impl IntoView {
    let language = Language::provide(address.locale);
    Settings::provide();
    Account::provide();
    FirstPage::provide();
    let router = Router::provide(address.page, language);
    let page = Memo::new(move |_| router.page().main_page());
    view! {
        <Header />
        <main id="isi" tabindex="-1">
            {(!browser::IS_BROWSER).then(|| view! { <StartNotice /> })}
            {move || pages::render(page.get())}
        </main>
        <Footer />
        <TabBar />
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use bukti_locales::Locale;

    /// Collects every complete `"site.…"` key in the source files of a folder.
    fn collect_keys(folder: &Path, keys: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect_keys(&path, keys);
            } else {
                let source = fs::read_to_string(&path).unwrap();
                let candidates = source.split("\"site.").skip(1);
                let names = candidates.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name);
                let complete = names
                    .filter(|name| !name.is_empty() && !name.ends_with('.') && !name.contains(['{', '…']));
                keys.extend(complete.map(|name| format!("site.{name}")));
            }
        }
    }

    #[test]
    fn every_text_key_exists_and_is_used() {
        let mut keys = Vec::new();
        collect_keys(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut keys);
        assert!(keys.len() > 50);
        let texts = bukti_locales::texts(Locale::Id);
        let missing: Vec<_> = keys.iter().filter(|key| !texts.contains_key(*key)).collect();
        assert!(
            missing.is_empty(),
            "keys without a text: {missing:?}; add them to functions/lib/locales/texts"
        );
        // Keys with these prefixes are built from codes at run time. Each prefix has its own test.
        let composed = [
            "site.help.",
            "site.privacy.",
            "site.field.",
            "site.failure.",
            "site.verdict.",
            "site.disease.",
            "site.case.",
        ];
        let unused: Vec<_> = texts
            .keys()
            .filter(|key| key.starts_with("site.") && !composed.iter().any(|prefix| key.starts_with(prefix)))
            .filter(|key| !keys.contains(key))
            .collect();
        assert!(unused.is_empty(), "texts that the site does not use: {unused:?}; remove them");
    }
}
