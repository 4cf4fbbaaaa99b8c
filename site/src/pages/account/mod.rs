//! `/akun`, `/riwayat`, `/perangkat` and `/dilihat`: the certificates, doses and tickets of the
//! people registered with a phone number, the sessions of the phone number, and who viewed the
//! people's records.

mod access_log;
mod devices;
mod history;

use bukti_wire::{Certificates, Document, DocumentRequest, HolderDose, HolderRoute, People, Person};
use leptos::prelude::*;

use self::access_log::AccessLog;
use self::devices::Devices;
use self::history::History;
use crate::account;
use crate::api::{self, Failure};
use crate::browser;
use crate::components::{
    CertificateView, DiagnosisCard, Downloads, FailureNotice, Heading, HelpdeskLinks, Icon, RowLink, Symbol,
};
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr, tr_with};
use crate::place::{Page, Router, path_to};

#[derive(Clone, Copy)]
struct AccountState {
    log_in: account::Account,
    people: RwSignal<Option<Vec<Person>>>,
    /// Whether there are more people than the server returned.
    has_more_people: RwSignal<bool>,
    /// The id of the person whose certificates are shown.
    chosen: RwSignal<Option<String>>,
    certificates: RwSignal<Option<Certificates>>,
    loading: Form,
    downloads: Downloads,
}

impl AccountState {
    /// Loads the people, and the certificates if there is only one person.
    fn load(self) {
        self.loading.send(Vec::new(), async move {
            let People { people, more } = self.check_session(api::get(HolderRoute::People.path()).await)?;
            let only = match people.as_slice() {
                [only] => Some(only.id.clone()),
                _ => None,
            };
            self.has_more_people.set(more);
            self.people.set(Some(people));
            match only {
                Some(id) => self.fetch(id).await,
                None => Ok(()),
            }
        });
    }

    /// Loads the certificates of another person.
    fn choose(self, id: String) {
        self.loading.send(Vec::new(), async move { self.fetch(id).await });
    }

    /// Repeats the failed request.
    fn retry(self) {
        match self.chosen.get_untracked() {
            Some(id) => self.choose(id),
            None => self.load(),
        }
    }

    async fn fetch(self, id: String) -> Result<(), Failure> {
        let path = HolderRoute::Certificates.path_of(&id);
        self.chosen.set(Some(id));
        self.certificates.set(None);
        let certificates = self.check_session(api::get(&path).await)?;
        self.certificates.set(Some(certificates));
        Ok(())
    }

    /// Loads the next page of the person's doses.
    fn load_next_page(self) {
        self.loading.send(Vec::new(), async move {
            let shown = self.certificates.get_untracked();
            let Some((mut shown, next)) = shown.and_then(|shown| shown.next.map(|next| (shown, next))) else {
                return Ok(());
            };
            let path = format!("{}?after={next}", HolderRoute::Certificates.path_of(&shown.person.id));
            let page: Certificates = self.check_session(api::get(&path).await)?;
            // Another person may have been chosen during the request.
            if self.chosen.get_untracked().as_ref() == Some(&page.person.id) {
                shown.doses.extend(page.doses);
                (shown.next, shown.more) = (page.next, page.more);
                self.certificates.set(Some(shown));
            }
            Ok(())
        });
    }

    /// Returns a closure that formats a person's name, with further data if several people with
    /// this phone number have the same name.
    fn heading_of(self, person: Person) -> impl Fn() -> String {
        let language = Language::current();
        move || describe::person(language.get(), &person, self.people.read().as_deref().unwrap_or_default())
    }

    /// Fetches the URL of the requested document and opens it.
    fn download(self) {
        self.downloads.form.send(Vec::new(), async move {
            let (id, form) = self.downloads.requested();
            let request = DocumentRequest { form: Some(form.code().to_owned()) };
            let response = api::post(&HolderRoute::Document.path_of(&id), &request).await;
            let document: Document = self.check_session(response)?;
            browser::open_url(&document.url);
            Ok(())
        });
    }

    /// Updates the log-in state if the session has ended, so that the visitor is sent to the log-in
    /// page.
    fn check_session<T>(self, response: Result<T, Failure>) -> Result<T, Failure> {
        if response.as_ref().is_err_and(Failure::is_not_logged_in) {
            self.log_in.set_logged_out();
        }
        response
    }
}

/// Shows a menu on the left, and the selected section on the right.
#[component]
pub fn Account() -> impl IntoView {
    let log_in = account::Account::current();
    let account = AccountState {
        log_in,
        people: RwSignal::new(None),
        has_more_people: RwSignal::new(false),
        chosen: RwSignal::new(None),
        certificates: RwSignal::new(None),
        loading: Form::new(),
        downloads: Downloads::new(),
    };
    account.load();
    // A visitor may have a session even if the browser's local storage does not say so. Redirect to
    // the log-in page only after a 401, or after a log-out on this page.
    let was_logged_in = StoredValue::new(false);
    let router = Router::current();
    browser::effect(Box::new(move || match log_in.get() {
        account::LogInState::LoggedOut => {
            let is_rejected = account.loading.failure.read().as_ref().is_some_and(Failure::is_not_logged_in);
            if is_rejected || was_logged_in.get_value() {
                router.replace(Page::LogIn);
            }
        }
        _ => was_logged_in.set_value(true),
    }));
    // The session exists although the browser's local storage did not say so. Load it, because the
    // header shows the visitor's name.
    browser::effect(Box::new(move || {
        if account.people.read().is_some()
            && log_in.get() == account::LogInState::LoggedOut
            && !was_logged_in.get_value()
        {
            log_in.refresh();
        }
    }));
    let page = Memo::new(move |_| router.page());
    let section = move |page: Page, label: &'static str| {
        let current = page.clone();
        view! {
            <li>
                <a href=path_to(page) aria-current=move || router.is_current(&current)>
                    {tr(label)}
                </a>
            </li>
        }
    };
    view! {
        <div class="account">
            <nav class="side" aria-label=tr("site.account.menu")>
                <ul>
                    {section(Page::Account, "site.nav.certificates")}
                    {section(Page::History, "site.nav.history")}
                    {section(Page::Correction, "site.nav.correction")}
                    {section(Page::Devices, "site.nav.devices")}
                    {section(Page::AccessLog, "site.nav.looks")}
                    {section(Page::LogOut, "site.nav.log_out")}
                </ul>
            </nav>
            <div class="shelf">
                {move || match page.get() {
                    Page::Devices => {
                        view! {
                            <Heading key="site.devices.title" />
                            <Devices account=account />
                        }
                            .into_any()
                    }
                    Page::AccessLog => {
                        view! {
                            <Heading key="site.looks.title" />
                            <AccessLog account=account />
                        }
                            .into_any()
                    }
                    page => {
                        let shows_history = page == Page::History;
                        let key = if shows_history { "site.history.title" } else { "site.account.title" };
                        view! {
                            <Heading key=key />
                            <AccountContent account=account shows_history=shows_history />
                        }
                            .into_any()
                    }
                }}
            </div>
        </div>
    }
}

/// Lets the visitor choose a person, then shows that person's certificates, or doses and tickets.
#[component]
fn AccountContent(
    account: AccountState,
    /// Whether to show doses and tickets instead of certificates.
    shows_history: bool,
) -> impl IntoView {
    let loading_text = tr("site.loading");
    let failure = Signal::derive(move || {
        let failure = account.loading.failure.get();
        // Do not show this failure, because the log-in page replaces this page.
        failure.filter(|failure| !failure.is_not_logged_in())
    });
    view! {
        <FailureNotice failure=failure busy=account.loading.busy retry=Callback::new(move |()| account.retry()) />
        {move || {
            account
                .people
                .get()
                .map(|people| {
                    if people.is_empty() {
                        view! { <NoRecords account=account /> }.into_any()
                    } else {
                        view! { <PersonChoice account=account people=people /> }.into_any()
                    }
                })
        }}
        <p role="status">{move || if account.loading.busy.get() { loading_text() } else { "" }}</p>
        {move || {
            account
                .certificates
                .get()
                .map(|certificates| {
                    let next = certificates
                        .next
                        .map(|_| {
                            view! {
                                <button type="button" class="button" on:click=move |_| account.load_next_page()>
                                    {tr("site.next")}
                                </button>
                            }
                        });
                    let more = certificates.more || account.has_more_people.get();
                    let more = more.then(|| view! { <p>{tr("site.more")}</p> });
                    let shown = if shows_history {
                        view! { <History account=account certificates=certificates /> }.into_any()
                    } else {
                        view! { <Doses account=account certificates=certificates /> }.into_any()
                    };
                    (shown, next, more)
                })
        }}
    }
}

/// Lets the visitor choose a person. Renders nothing if there is only one.
#[component]
fn PersonChoice(
    account: AccountState,
    people: Vec<Person>,
    /// Text key of the heading.
    #[prop(default = "site.account.choose")]
    question: &'static str,
) -> impl IntoView {
    if people.len() < 2 {
        return ().into_any();
    }
    let language = Language::current();
    let buttons = people
        .iter()
        .map(|person| {
            let (all, shown) = (people.clone(), person.clone());
            let label = move || describe::person(language.get(), &shown, &all);
            let id = StoredValue::new(person.id.clone());
            let pressed = move || id.with_value(|id| account.chosen.read().as_ref() == Some(id)).to_string();
            view! {
                <button
                    type="button"
                    class="button"
                    aria-pressed=pressed
                    on:click=move |_| account.choose(id.get_value())
                >
                    {label}
                </button>
            }
        })
        .collect_view();
    view! {
        <div class="choice" role="group" aria-labelledby="choose">
            <h2 id="choose">{tr(question)}</h2>
            <div class="buttons">{buttons}</div>
        </div>
    }
    .into_any()
}

/// Explains why no vaccination is found for this phone number, and what to do.
#[component]
fn NoRecords(account: AccountState) -> impl IntoView {
    let hint = move || match account.log_in.get() {
        account::LogInState::LoggedIn(session) => session.phone_hint,
        _ => "…".to_owned(),
    };
    view! {
        <div class="card">
            <div class="inside">
                <h2>{tr("site.account.empty.title")}</h2>
                <p>{tr_with("site.account.empty.text", move |_| vec![("hint", hint())])}</p>
                <ul>
                    <li>{tr("site.account.empty.other_phone")}</li>
                    <li>{tr("site.account.empty.facility")}</li>
                    <li>{tr("site.account.empty.status")}</li>
                </ul>
                <ul class="rows">
                    <RowLink page=Page::Home symbol=Symbol::Home label="site.home.title" />
                    <RowLink page=Page::Correction symbol=Symbol::Pencil label="site.rows.correction" />
                </ul>
                <HelpdeskLinks />
            </div>
        </div>
    }
}

#[component]
fn Doses(account: AccountState, certificates: Certificates) -> impl IntoView {
    let failure = Signal::derive(move || {
        let failure = account.downloads.form.failure.get();
        failure.filter(|failure| !failure.is_not_logged_in())
    });
    let retry = Callback::new(move |()| account.download());
    let doses = certificates
        .doses
        .into_iter()
        .map(|dose| view! { <Dose account=account dose=dose /> })
        .collect_view();
    view! {
        <h2>{account.heading_of(certificates.person)}</h2>
        <FailureNotice failure=failure busy=account.downloads.form.busy retry=retry />
        {doses}
    }
}

/// Shows the certificate of a dose, or the diagnosis that explains why there is none.
#[component]
fn Dose(account: AccountState, dose: HolderDose) -> impl IntoView {
    let language = Language::current();
    let Some(certificate) = dose.certificate else {
        return view! { <DiagnosisCard diagnosis=dose.status.diagnosis.clone() dose=dose.status /> }
            .into_any();
    };
    let diagnosis = StoredValue::new(dose.status.diagnosis);
    let title = move || diagnosis.with_value(|it| describe::diagnosis_title(language.get(), it));
    let n = certificate.dose_number;
    let total = certificate.doses_in_series;
    let date = certificate.vaccination_date;
    let disease = certificate.disease.name.clone();
    let disease = move || disease.in_language(language.get().tag()).to_owned();
    let facts = format!(" · {} · ", certificate.vaccine);
    let facility = dose.status.facility.map(|facility| format!(" · {facility}"));
    view! {
            <article class="card">
                <h3 class="state good">
                    <Icon symbol=Symbol::Good />
                    <span>
    <span class="dose">{move || bukti_locales::dose(language.get(), n, total)}</span>
    {title}
    </span>
                </h3>
                <div class="inside">
                    <p>{disease} {facts} {move || bukti_locales::date(language.get(), date)} {facility}</p>
                    <CertificateView
                        certificate=certificate
                        downloads=account.downloads
                        fetch=Callback::new(move |()| account.download())
                    />
                </div>
            </article>
        }
    .into_any()
}
