//! Which page is shown.
//!
//! The router of this site: nine addresses without nesting need a signal, a match and two listeners. `leptos_router`
//! can do much more, and a phone on a slow net would load all of that.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

/// The addresses of this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/`
    Home,
    /// `/masuk`
    LogIn,
    /// `/daftar`
    Register,
    /// `/akun`
    Account,
    /// `/keluar`
    LogOut,
    /// `/bantuan`
    Help,
    /// `/verify`, which stands on every certificate, and `/verifikasi`.
    Verify,
    /// `/s/…`, the link of an SMS, with its token.
    Link(String),
    /// Any other.
    Unknown,
}

impl Page {
    /// The page at a path.
    fn at(path: &str) -> Self {
        match path.trim_matches('/') {
            "" => Page::Home,
            "masuk" => Page::LogIn,
            "daftar" => Page::Register,
            "akun" => Page::Account,
            "keluar" => Page::LogOut,
            "bantuan" => Page::Help,
            "verify" | "verifikasi" => Page::Verify,
            other => match other.strip_prefix("s/") {
                Some(token) if !token.contains('/') => Page::Link(token.to_owned()),
                _ => Page::Unknown,
            },
        }
    }
}

/// Where the visitor is, a context of the whole site.
#[derive(Clone, Copy)]
pub struct Place(RwSignal<Page>);

impl Place {
    /// Provides it to all below, and follows links and the browser's buttons.
    pub fn provide() -> Self {
        let place = Self(RwSignal::new(here()));
        provide_context(place);
        // Both listeners stay as long as the site.
        window_event_listener(ev::popstate, move |_| place.show(here()));
        window_event_listener(ev::click, move |event| {
            if let Some(path) = followed(&event) {
                event.prevent_default();
                place.go(&path);
            }
        });
        place
    }

    /// Where the visitor is.
    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self(RwSignal::new(Page::Unknown)))
    }

    /// The page, tracked.
    pub fn page(self) -> Page {
        self.0.get()
    }

    /// `page` for `aria-current` where the visitor is on this page, tracked.
    pub fn is_current(self, page: &Page) -> Option<&'static str> {
        (*self.0.read() == *page).then_some("page")
    }

    /// Goes to a path of this site.
    pub fn go(self, path: &str) {
        if let Ok(history) = window().history() {
            let _ = history.push_state_with_url(&JsValue::NULL, "", Some(path));
        }
        window().scroll_to_with_x_and_y(0.0, 0.0);
        self.show(here());
    }

    /// Goes to a path of this site in the stead of where the visitor is, so that the back button leads past it.
    pub fn go_instead(self, path: &str) {
        if let Ok(history) = window().history() {
            let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(path));
        }
        self.show(here());
    }

    /// A page that is shown already stays as it is, with what was typed.
    fn show(self, page: Page) {
        if *self.0.read_untracked() != page {
            self.0.set(page);
        }
    }
}

fn here() -> Page {
    Page::at(&window().location().pathname().unwrap_or_default())
}

/// The path of a link of this site that was followed by a plain click. Anything else is left to the browser: other
/// sites, phone and e-mail addresses, new tabs, files, places on the same page.
fn followed(event: &web_sys::MouseEvent) -> Option<String> {
    let plain = event.button() == 0
        && !(event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key())
        && !event.default_prevented();
    let target: web_sys::Element = event.target()?.dyn_into().ok()?;
    let link: web_sys::HtmlAnchorElement = target.closest("a[href]").ok()??.dyn_into().ok()?;
    let path = link.pathname();
    let ours = link.origin() == window().location().origin().ok()?;
    let page =
        link.target().is_empty() && link.hash().is_empty() && link.search().is_empty() && !path.contains('.');
    (plain && ours && page).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_their_addresses() {
        assert_eq!(Page::at("/"), Page::Home);
        assert_eq!(Page::at("/masuk"), Page::LogIn);
        assert_eq!(Page::at("/bantuan/"), Page::Help);
        assert_eq!(Page::at("/s/abc-_D"), Page::Link("abc-_D".into()));
        assert_eq!(Page::at("/s/a/b"), Page::Unknown);
        assert_eq!(Page::at("/s"), Page::Unknown);
        assert_eq!(Page::at("/verify"), Page::Verify);
        assert_eq!(Page::at("/verifikasi/"), Page::Verify);
        assert_eq!(Page::at("/verify/x"), Page::Unknown);
    }
}
