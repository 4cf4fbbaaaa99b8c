//! `/helpdesk`: the officers' console.
//!
//! The console has a single URL. Case numbers and personal data never appear in the URL, the
//! browser's history or its storage.

mod case;
mod confirmation;
mod decision;
mod dose;
mod queue;
mod search;

use bukti_wire::{HelpdeskRoute, Officer, ProblemCode, SecondFactor};
use leptos::prelude::*;

use self::case::{CaseScreen, OpenCase};
use self::queue::{Queue, QueueScreen};
use self::search::{Search, SearchScreen};
use crate::account::{Account, LogInState};
use crate::api::{self, Failure};
use crate::browser;
use crate::components::{
    BusyButton, CodeLogin, ErrorSummary, FailureNotice, Heading, Purpose, RowLink, Symbol, TextField,
};
use crate::describe;
use crate::form::{Field, Form, check};
use crate::language::{Language, tr};
use crate::place::Page;

/// The officer who uses the console, and the state of the log-in.
#[derive(Clone, Copy)]
struct Access {
    account: Account,
    officer: RwSignal<Option<Officer>>,
    /// Whether the second factor is required.
    needs_second_factor: RwSignal<bool>,
}

impl Access {
    /// Updates the log-in state if the response is an error that says that the session has ended or
    /// that the second factor is required.
    fn check<T>(self, response: Result<T, Failure>) -> Result<T, Failure> {
        match response.as_ref().err().and_then(Failure::code) {
            Some(ProblemCode::NotLoggedIn) => self.account.set_logged_out(),
            Some(ProblemCode::SecondFactorNeeded) => {
                self.officer.set(None);
                self.needs_second_factor.set(true);
            }
            _ => {}
        }
        response
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screen {
    /// The open cases.
    Queue,
    /// The search for a person.
    Search,
    Case,
}

#[derive(Clone, Copy)]
struct Console {
    access: Access,
    loading_officer: Form,
    screen: RwSignal<Screen>,
    /// The screen from which the case was opened.
    previous_screen: RwSignal<Screen>,
    queue: Queue,
    search: Search,
    case: OpenCase,
}

impl Console {
    fn new() -> Self {
        let access = Access {
            account: Account::current(),
            officer: RwSignal::new(None),
            needs_second_factor: RwSignal::new(false),
        };
        Self {
            access,
            loading_officer: Form::new(),
            screen: RwSignal::new(Screen::Queue),
            previous_screen: RwSignal::new(Screen::Queue),
            queue: Queue::new(access),
            search: Search::new(access),
            case: OpenCase::new(access),
        }
    }

    /// Loads the officer's name and role.
    fn load_officer(self) {
        self.loading_officer.send(Vec::new(), async move {
            match self.access.check(api::get(HelpdeskRoute::Officer.path()).await) {
                Ok(officer) => self.show_officer(officer),
                // Not a failure: the form for the second factor is shown next.
                Err(failure) if failure.code() == Some(ProblemCode::SecondFactorNeeded) => {}
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
    }

    fn show_officer(self, officer: Officer) {
        self.access.needs_second_factor.set(false);
        self.access.officer.set(Some(officer));
        self.queue.load();
        browser::focus_after_render("page-heading");
    }

    fn show_screen(self, screen: Screen) {
        if screen == Screen::Queue {
            self.queue.load();
        }
        self.screen.set(screen);
        browser::focus_after_render("page-heading");
    }

    /// Opens a case, and remembers the current screen for the back button.
    fn open(self, number: String) {
        self.previous_screen.set(self.screen.get_untracked());
        self.case.open(number);
        self.show_screen(Screen::Case);
    }
}

/// Shows the log-in with both factors, then the screens of the console.
#[component]
pub fn Helpdesk() -> impl IntoView {
    let console = Console::new();
    let access = console.access;
    let is_logged_out = Memo::new(move |_| access.account.get() == LogInState::LoggedOut);
    browser::effect(Box::new(move || {
        access.officer.set(None);
        access.needs_second_factor.set(false);
        if !is_logged_out.get() {
            console.load_officer();
        }
    }));
    let has_access = Memo::new(move |_| access.officer.read().is_some());
    let key = Signal::derive(move || match console.screen.get() {
        _ if !is_logged_out.get() && access.needs_second_factor.get() => "site.console.factor.title",
        _ if !has_access.get() => "site.console.title",
        Screen::Queue => "site.console.queue.title",
        Screen::Search => "site.console.search.title",
        Screen::Case => "site.console.case.title",
    });
    view! {
        <div class="column console">
            <Heading key=key />
            {move || {
                if is_logged_out.get() {
                    view! {
                        <p>{tr("site.console.help")}</p>
                        <CodeLogin purpose=Purpose::LogIn is_embedded=true />
                    }
                        .into_any()
                } else if access.needs_second_factor.get() {
                    view! { <SecondFactorForm console=console /> }.into_any()
                } else if has_access.get() {
                    view! { <Screens console=console /> }.into_any()
                } else {
                    view! { <AccessNotice console=console /> }.into_any()
                }
            }}
        </div>
    }
}

/// The notice that is shown until the officer is known, and to visitors who are not officers.
#[component]
fn AccessNotice(console: Console) -> impl IntoView {
    let form = console.loading_officer;
    let failure = Signal::derive(move || form.failure.get().filter(|failure| !failure.is_not_logged_in()));
    let loading = tr("site.loading");
    let log_out_link = move || {
        failure.read().is_some().then(|| {
            view! {
                <ul class="rows">
                    <RowLink page=Page::LogOut symbol=Symbol::Person label="site.nav.log_out" />
                </ul>
            }
        })
    };
    view! {
        <FailureNotice failure=failure busy=form.busy retry=Callback::new(move |()| console.load_officer()) />
        <p role="status">{move || if form.busy.get() { loading() } else { "" }}</p>
        {log_out_link}
    }
}

/// The form for the six-digit code of the authenticator app.
#[component]
fn SecondFactorForm(console: Console) -> impl IntoView {
    let (form, code) = (Form::new(), RwSignal::new(String::new()));
    let send = move || {
        let typed = code.get_untracked();
        let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
        let problems = check(Field::Authenticator, &typed, (digits.len() == 6).then_some(()));
        form.send(problems.into_iter().collect(), async move {
            let response =
                api::post(HelpdeskRoute::SecondFactor.path(), &SecondFactor { code: digits }).await;
            console.show_officer(console.access.check(response)?);
            Ok(())
        });
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        send();
    };
    let failure = Signal::derive(move || form.failure.get().filter(|failure| !failure.is_not_logged_in()));
    view! {
        <p>{tr("site.console.factor.help")}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=failure busy=form.busy retry=Callback::new(move |()| send()) />
            <TextField
                field=Field::Authenticator
                form=form
                label="site.field.authenticator.label"
                value=code
                inputmode="numeric"
                autocomplete="one-time-code"
            />
            <BusyButton
                label="site.console.factor.send"
                busy_label="site.console.factor.sending"
                busy=form.busy
            />
        </form>
    }
}

/// Shows the officer, the navigation, and the current screen.
#[component]
fn Screens(console: Console) -> impl IntoView {
    let language = Language::current();
    let officer = move || {
        let officer = console.access.officer.get();
        officer.map(|officer| {
            let role = describe::case_text(language.get(), "role", &officer.role);
            format!("{} · {role}", officer.name)
        })
    };
    let screen_button = move |screen: Screen, label: &'static str| {
        view! {
            <button
                type="button"
                class="button"
                aria-pressed=move || (console.screen.get() == screen).to_string()
                on:click=move |_| console.show_screen(screen)
            >
                {tr(label)}
            </button>
        }
    };
    view! {
        <p class="hint">{officer}</p>
        <div class="buttons" role="group" aria-label=tr("site.console.rooms")>
            {screen_button(Screen::Queue, "site.console.queue.title")}
            {screen_button(Screen::Search, "site.console.search.title")}
        </div>
        {move || match console.screen.get() {
            Screen::Queue => view! { <QueueScreen console=console /> }.into_any(),
            Screen::Search => view! { <SearchScreen console=console /> }.into_any(),
            Screen::Case => view! { <CaseScreen console=console /> }.into_any(),
        }}
    }
}
