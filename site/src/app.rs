//! The frame around the pages.

use leptos::mount::mount_to;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::account::Account;
use crate::components::{FirstPage, Footer, Header, TabBar};
use crate::language::Language;
use crate::pages;
use crate::place::{Page, Place};
use crate::settings::Settings;

/// Puts the site in the place of what stood on the page for readers without it.
pub fn start() {
    let place = document().get_element_by_id("app").and_then(|place| place.dyn_into().ok());
    let place: Option<web_sys::HtmlElement> = place.or_else(|| document().body());
    if let Some(place) = place {
        place.set_inner_html("");
        mount_to(place, App).forget();
    }
}

/// Header, page, footer, and on phones the tab bar.
#[component]
fn App() -> impl IntoView {
    Language::provide();
    Settings::provide();
    Account::provide();
    FirstPage::provide();
    let place = Place::provide();
    let page = move || match place.page() {
        Page::Home => view! { <pages::Home /> }.into_any(),
        Page::LogIn => view! { <pages::LogIn /> }.into_any(),
        Page::Register => view! { <pages::Register /> }.into_any(),
        Page::Account => view! { <pages::Account /> }.into_any(),
        Page::LogOut => view! { <pages::LogOut /> }.into_any(),
        Page::Help => view! { <pages::Help /> }.into_any(),
        Page::Verify => view! { <pages::Verify /> }.into_any(),
        Page::Link(token) => view! { <pages::Link token=token /> }.into_any(),
        Page::Unknown => view! { <pages::NotFound /> }.into_any(),
    };
    view! {
        <Header />
        <main id="isi" tabindex="-1">
            {page}
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

    /// Every `"site.…"` that stands in the source.
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
        // Put together from codes, each with a test of its own.
        let composed = ["site.help.", "site.field.", "site.failure.", "site.verdict.", "site.disease."];
        let idle: Vec<_> = there
            .keys()
            .filter(|key| key.starts_with("site.") && !composed.iter().any(|begin| key.starts_with(begin)))
            .filter(|key| !keys.contains(key))
            .collect();
        assert!(idle.is_empty(), "not used: {idle:?}");
    }
}
