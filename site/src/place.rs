//! The router: the pages, their URLs in each language, and the current page.
//!
//! The language is part of the URL: `/bantuan` is the help page in Indonesian, `/en/help` the same
//! page in English. Each combination of page and language therefore has its own pre-rendered file.
//!
//! The site does not use `leptos_router`, because it would enlarge every visitor's download. Flat
//! URLs need only a signal, a `match` and two event listeners.

use bukti_locales::Locale;
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use crate::browser::{self, TaskScope};
use crate::language::Language;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The status check.
    Home,
    LogIn,
    /// Registration of an account.
    Register,
    /// The certificates of an account.
    Account,
    /// The doses of an account, and tickets for the next ones.
    History,
    /// The sessions of the account's phone number.
    Devices,
    /// Which officers viewed the account's records.
    AccessLog,
    LogOut,
    /// Quick download: a new SMS link without an account.
    Download,
    /// Requests for corrections.
    Correction,
    /// The officers' console.
    Helpdesk,
    /// The causes of a missing certificate, and their solutions.
    Help,
    /// Which data are kept, why, and for how long.
    Privacy,
    /// Verification of a certificate.
    Verify,
    /// The content of a ticket's QR code.
    Ticket,
    /// An SMS link. Contains the link's token.
    Link(String),
    /// The page for unknown URLs.
    Unknown,
}

/// The last path segment of each page, first in Indonesian, then in all other languages. SMS links
/// and the page for unknown URLs are not in the table.
const PATHS: [(Page, [&str; 2]); 15] = [
    (Page::Home, ["", ""]),
    (Page::LogIn, ["masuk", "log-in"]),
    (Page::Register, ["daftar", "register"]),
    (Page::Account, ["akun", "account"]),
    (Page::History, ["riwayat", "history"]),
    (Page::Devices, ["perangkat", "devices"]),
    (Page::AccessLog, ["dilihat", "looks"]),
    (Page::LogOut, ["keluar", "log-out"]),
    (Page::Download, ["unduh", "download"]),
    (Page::Correction, ["koreksi", "correction"]),
    (Page::Helpdesk, ["helpdesk", "helpdesk"]),
    (Page::Help, ["bantuan", "help"]),
    (Page::Privacy, ["privasi", "privacy"]),
    (Page::Verify, ["verifikasi", "verify"]),
    (Page::Ticket, ["tiket", "ticket"]),
];

/// The pages that are pre-rendered, and whether search engines may index them. All SMS links share
/// one file.
#[cfg(not(target_arch = "wasm32"))]
pub const PRERENDERED: [(Page, bool); 17] = [
    (Page::Home, true),
    (Page::LogIn, true),
    (Page::Register, true),
    (Page::Account, false),
    (Page::History, false),
    (Page::Devices, false),
    (Page::AccessLog, false),
    (Page::LogOut, false),
    (Page::Download, true),
    (Page::Correction, true),
    (Page::Helpdesk, false),
    (Page::Help, true),
    (Page::Privacy, true),
    (Page::Verify, true),
    (Page::Ticket, false),
    (Page::Link(String::new()), false),
    (Page::Unknown, false),
];

/// The path in the QR code of every certificate. It opens the Indonesian page.
const PRINTED_PATH: &str = "verify";

fn last_segment(paths: &[&'static str; 2], locale: Locale) -> &'static str {
    paths[usize::from(locale != Locale::Id)]
}

/// The address of a page in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub page: Page,
    pub locale: Locale,
}

impl Page {
    /// Returns the page that contains this section, or the page itself if it is not a section.
    /// Navigation between sections of the same page keeps the loaded data.
    pub fn main_page(self) -> Self {
        match self {
            Page::History | Page::Devices | Page::AccessLog => Page::Account,
            page => page,
        }
    }
}

impl Address {
    /// Parses a path. The page is [`Page::Unknown`] if no page has this path.
    pub fn parse(path: &str) -> Self {
        let path = path.trim_matches('/');
        let (first, after_first) = path.split_once('/').unwrap_or((path, ""));
        let tagged = Locale::ALL.into_iter().find(|it| *it != Locale::default() && it.tag() == first);
        let (locale, rest) = tagged.map_or((Locale::default(), path), |locale| (locale, after_first));
        let known =
            PATHS.iter().find(|(_, paths)| last_segment(paths, locale) == rest).map(|(page, _)| page.clone());
        let page = known.unwrap_or_else(|| match rest.strip_prefix("s/") {
            Some(token) if !token.contains('/') => Page::Link(token.to_owned()),
            _ if rest == PRINTED_PATH => Page::Verify,
            _ => Page::Unknown,
        });
        Self { page, locale }
    }

    /// The path of the page. [`Page::Unknown`] has no path, so the path of the home page is
    /// returned.
    pub fn path(&self) -> String {
        let segment = match &self.page {
            Page::Link(token) => format!("s/{token}"),
            page => {
                let known = PATHS.iter().find(|(known, _)| known == page);
                known.map(|(_, paths)| last_segment(paths, self.locale)).unwrap_or_default().to_owned()
            }
        };
        match (self.locale, segment.as_str()) {
            (Locale::Id, _) => format!("/{segment}"),
            (locale, "") => format!("/{}", locale.tag()),
            (locale, _) => format!("/{}/{segment}", locale.tag()),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn in_language(&self, locale: Locale) -> Self {
        Self { page: self.page.clone(), locale }
    }
}

/// How a navigation changes the browser's history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HistoryUpdate {
    /// Adds an entry, so that the back button returns to the current page.
    Push,
    /// Replaces the current entry, so that the back button skips the current page.
    Replace,
    /// Leaves the history unchanged, because the browser has already updated it.
    Keep,
}

/// Holds the current page and language. Available to every component as a Leptos context.
#[derive(Clone, Copy)]
pub struct Router {
    page: RwSignal<Page>,
    language: Language,
    tasks: TaskScope,
}

impl Router {
    /// Provides the router as a context, and listens for clicks on links and for the browser's back
    /// and forward buttons.
    pub fn provide(page: Page, language: Language) -> Self {
        let router = Self { page: RwSignal::new(page), language, tasks: TaskScope::current() };
        provide_context(router);
        if browser::IS_BROWSER {
            // Both listeners stay installed for as long as the site runs.
            window_event_listener(ev::popstate, move |_| {
                router.navigate(&browser::path(), HistoryUpdate::Keep)
            });
            window_event_listener(ev::click, move |event| {
                if let Some(path) = internal_path(&event) {
                    event.prevent_default();
                    router.navigate(&path, HistoryUpdate::Push);
                }
            });
        }
        router
    }

    #[expect(clippy::expect_used, reason = "App provides it before it renders anything")]
    pub fn current() -> Self {
        use_context().expect("no router in the context: render this component inside App")
    }

    /// Returns the current page (tracked read).
    pub fn page(self) -> Page {
        self.page.get()
    }

    /// The value of `aria-current` for a link to this page: `page` if it is the current page
    /// (tracked read).
    pub fn is_current(self, page: &Page) -> Option<&'static str> {
        (*self.page.read() == *page).then_some("page")
    }

    /// Returns a closure that computes the path of a page in the current language (tracked read).
    pub fn path_to(self, page: Page) -> impl Fn() -> String + Clone + Send + Sync + 'static {
        move || Address { page: page.clone(), locale: self.language.get() }.path()
    }

    /// The path of the current page in another language (tracked read).
    pub fn in_language(self, locale: Locale) -> String {
        Address { page: self.page.get(), locale }.path()
    }

    /// Navigates to a page and replaces the current history entry, so that the back button skips
    /// that entry.
    pub fn replace(self, page: Page) {
        let path = Address { page, locale: self.language.get_untracked() }.path();
        self.navigate(&path, HistoryUpdate::Replace);
    }

    fn navigate(self, path: &str, update: HistoryUpdate) {
        let address = Address::parse(path);
        if address.locale == self.language.get_untracked() {
            return self.show(address, path, update);
        }
        let path = path.to_owned();
        self.tasks.spawn(Box::pin(async move {
            if self.language.load(address.locale).await {
                self.show(address, &path, update);
            } else {
                // The texts could not be loaded. Open the pre-rendered page, which loads its own
                // texts.
                browser::open_url(&path);
            }
        }));
    }

    fn show(self, address: Address, path: &str, update: HistoryUpdate) {
        if let Ok(history) = window().history() {
            // This fails only if the site exceeds the browser's rate limit for history changes.
            let _ = match update {
                HistoryUpdate::Push => history.push_state_with_url(&JsValue::NULL, "", Some(path)),
                HistoryUpdate::Replace => history.replace_state_with_url(&JsValue::NULL, "", Some(path)),
                HistoryUpdate::Keep => Ok(()),
            };
        }
        // Do not render the same page again, so that a change of language preserves the visitor's
        // input.
        let is_current = *self.page.read_untracked() == address.page;
        if update == HistoryUpdate::Push && !is_current {
            window().scroll_to_with_x_and_y(0.0, 0.0);
        }
        self.language.set(address.locale);
        if !is_current {
            self.page.set(address.page);
        }
    }
}

/// Returns a closure that computes the path of a page in the current language, for use as `href`.
pub fn path_to(page: Page) -> impl Fn() -> String + Clone + Send + Sync + 'static {
    Router::current().path_to(page)
}

/// The target path of a plain click on an internal link. `None` if the browser must handle the
/// click, for example on a link to another site, a phone number or a file.
fn internal_path(event: &web_sys::MouseEvent) -> Option<String> {
    let is_plain_click = event.button() == 0
        && !(event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key())
        && !event.default_prevented();
    let target: web_sys::Element = event.target()?.dyn_into().ok()?;
    let link: web_sys::HtmlAnchorElement = target.closest("a[href]").ok()??.dyn_into().ok()?;
    let path = link.pathname();
    let is_own_site = link.origin() == window().location().origin().ok()?;
    let is_page =
        link.target().is_empty() && link.hash().is_empty() && link.search().is_empty() && !path.contains('.');
    (is_plain_click && is_own_site && is_page).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_paths_in_both_languages() {
        let at = |path: &str| {
            let address = Address::parse(path);
            (address.page, address.locale)
        };
        assert_eq!(at("/"), (Page::Home, Locale::Id));
        assert_eq!(at("/en"), (Page::Home, Locale::En));
        assert_eq!(at("/en/"), (Page::Home, Locale::En));
        assert_eq!(at("/masuk"), (Page::LogIn, Locale::Id));
        assert_eq!(at("/bantuan/"), (Page::Help, Locale::Id));
        assert_eq!(at("/en/help"), (Page::Help, Locale::En));
        assert_eq!(at("/en/helpdesk"), (Page::Helpdesk, Locale::En));
        assert_eq!(at("/koreksi"), (Page::Correction, Locale::Id), "the path in SMS about cases");
        assert_eq!(at("/s/abc-_D"), (Page::Link("abc-_D".into()), Locale::Id));
        assert_eq!(at("/en/s/abc"), (Page::Link("abc".into()), Locale::En));
        assert_eq!(at("/verify"), (Page::Verify, Locale::Id), "the path in certificates");
        assert_eq!(at("/en/verify"), (Page::Verify, Locale::En));
        for unknown in ["/s/a/b", "/s", "/verify/x", "/help", "/en/bantuan", "/english", "/en/en"] {
            assert_eq!(at(unknown).0, Page::Unknown, "{unknown}");
        }
    }

    #[test]
    fn path_of_ticket_qr_opens_ticket_page() {
        assert_eq!(Address::parse(bukti_domain::TicketText::PATH).page, Page::Ticket);
    }

    #[test]
    fn paths_parse_back_to_their_addresses() {
        for (page, _) in PATHS.into_iter().chain([(Page::Link("t0k-_en".into()), ["", ""])]) {
            for locale in Locale::ALL {
                let address = Address { page: page.clone(), locale };
                assert_eq!(Address::parse(&address.path()), address);
            }
        }
        assert_eq!(Address { page: Page::Unknown, locale: Locale::En }.path(), "/en");
    }
}
