//! Renders the pages as HTML when the site is built.

use std::collections::BTreeMap;

use bukti_locales::{Locale, text, texts};
use leptos::prelude::*;
use leptos::tachys::view::RenderHtml;
use serde::Serialize;

use crate::app::App;
use crate::components::PageTitle;
use crate::pages;
use crate::place::{Address, PRERENDERED, Page};

/// Input for the site's build (`cargo xtask site`).
#[derive(Serialize)]
pub struct Prerendered {
    /// The texts that the site loads, by language (BCP 47 tag) and text key.
    pub texts: BTreeMap<&'static str, BTreeMap<String, String>>,
    /// The pre-rendered pages, one for each page and language.
    pub pages: Vec<Rendered>,
}

/// A pre-rendered page in one language.
#[derive(Serialize)]
pub struct Rendered {
    /// The path of the file, relative to the site's root folder.
    pub file: String,
    /// The language, as a BCP 47 tag.
    pub language: &'static str,
    /// The path of the page in each language, by BCP 47 tag. Empty if search engines must not index
    /// the page.
    pub addresses: BTreeMap<&'static str, String>,
    /// The chunk that the page needs in addition to the main module; `None` if it needs none.
    pub part: Option<&'static str>,
    /// The content of the document's `<title>`.
    pub title: String,
    /// The description for search engines.
    pub description: &'static str,
    /// The HTML of the document's body.
    pub body: String,
}

/// Prefixes of the text keys that the site uses. Texts for documents and SMS have other prefixes.
const AREAS: [&str; 4] = ["common", "site", "problems", "diagnosis"];

/// Renders every page in every language, and collects the texts that the site loads.
pub fn prerendered() -> Prerendered {
    let is_site_key = |key: &str| key.split_once('.').is_some_and(|(area, _)| AREAS.contains(&area));
    let texts = Locale::ALL.map(|locale| {
        let all = texts(locale).iter().filter(|(key, _)| is_site_key(key));
        (locale.tag(), all.map(|(key, text)| (key.clone(), text.clone())).collect())
    });
    let pages = Locale::ALL.iter().flat_map(|locale| PRERENDERED.map(|page| rendered(page, *locale)));
    Prerendered { texts: texts.into_iter().collect(), pages: pages.collect() }
}

fn rendered((page, is_public): (Page, bool), locale: Locale) -> Rendered {
    let address = Address { page, locale };
    let below = if locale == Locale::default() { String::new() } else { format!("{}/", locale.tag()) };
    let file = match address.page {
        Page::Unknown => format!("{below}404.html"),
        Page::Link(_) => format!("{below}s/index.html"),
        Page::Home => format!("{below}index.html"),
        _ => format!("{}/index.html", address.path().trim_start_matches('/')),
    };
    let addresses = Locale::ALL.into_iter().filter(|_| is_public);
    let addresses = addresses.map(|locale| (locale.tag(), address.in_language(locale).path())).collect();
    let part = pages::chunk(&address.page);
    let owner = Owner::new();
    let (title, body) = owner.with(|| {
        let title = PageTitle::provide();
        // Remove the markers that only hydration needs.
        let body = view! { <App address=address /> }.to_html().replace("<!>", "");
        (title.get(), body)
    });
    owner.cleanup();
    Rendered {
        file,
        language: locale.tag(),
        addresses,
        part,
        title,
        description: text(locale, "site.description"),
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_rendered_in_their_language() {
        let all = prerendered();
        assert_eq!(all.pages.len(), Locale::ALL.len() * PRERENDERED.len());
        let home = |language| {
            all.pages.iter().find(|page| page.file.ends_with("index.html") && page.language == language)
        };
        let (id, en) = (home("id").unwrap(), home("en").unwrap());
        assert!(id.body.contains("Cek status vaksinasi") && id.title.starts_with("Cek status vaksinasi"));
        assert!(en.body.contains("Check your vaccination status"), "{}", en.body);
        assert!(id.body.contains(r#"href="/en""#) && en.body.contains(r#"href="/en/help""#), "{}", en.body);
        for page in &all.pages {
            assert!(page.body.contains("<h1") && page.body.contains("</footer>"), "{}", page.file);
            assert!(
                !page.body.contains("site."),
                "{} shows a text key instead of a text: {}",
                page.file,
                page.body
            );
        }
    }

    #[test]
    fn forms_send_nothing_without_script() {
        for page in prerendered().pages {
            let forms = page.body.matches("<form").count();
            assert_eq!(page.body.matches(r#"method="dialog""#).count(), forms, "{}", page.file);
        }
    }

    #[test]
    fn leaves_out_texts_of_documents_and_sms() {
        let texts = prerendered().texts;
        assert_eq!(texts["id"].len(), texts["en"].len());
        assert!(texts["id"].keys().all(|key| !key.starts_with("sms.") && !key.starts_with("document.")));
    }
}
