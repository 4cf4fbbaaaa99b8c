//! `/helpdesk`: the officers' console.
//!
//! It has a single URL: case numbers and personal data get neither into the URL nor into the
//! browser's history or storage.

mod case;
mod confirmation;
mod decision;
mod dose;
mod queue;
mod search;

use bukti_wire::{HelpdeskRoute, Officer, ProblemCode, SecondFactor};
use leptos::prelude::*;

use self::case::{CaseDesk, CaseRoom};
use self::queue::{Queue, QueueRoom};
use self::search::{Search, SearchRoom};
use crate::account::{Account, Who};
use crate::api::{self, Failure};
use crate::browser;
use crate::components::{
    BusyButton, CodeLogin, ErrorSummary, FailureNotice, Heading, Purpose, RowLink, Sign, TextField,
};
use crate::describe;
use crate::form::{Field, Form, check};
use crate::language::{Language, tr};
use crate::place::Page;

/// The officer at the console, and the state of the log-in.
#[derive(Clone, Copy)]
struct Access {
    account: Account,
    officer: RwSignal<Option<Officer>>,
    /// Whether the second factor is required.
    needs_factor: RwSignal<bool>,
}

impl Access {
    /// Updates the log-in state if a response says that the session has ended or that the second
    /// factor is required.
    fn known<T>(self, answer: Result<T, Failure>) -> Result<T, Failure> {
        match answer.as_ref().err().and_then(Failure::code) {
            Some(ProblemCode::NotLoggedIn) => self.account.left(),
            Some(ProblemCode::SecondFactorNeeded) => {
                self.officer.set(None);
                self.needs_factor.set(true);
            }
            _ => {}
        }
        answer
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// The open cases.
    Queue,
    /// The search for a person.
    Search,
    Case,
}

#[derive(Clone, Copy)]
struct Console {
    access: Access,
    entering: Form,
    room: RwSignal<Room>,
    /// The screen that the case was opened from.
    before: RwSignal<Room>,
    queue: Queue,
    search: Search,
    case: CaseDesk,
}

impl Console {
    fn new() -> Self {
        let access = Access {
            account: Account::current(),
            officer: RwSignal::new(None),
            needs_factor: RwSignal::new(false),
        };
        Self {
            access,
            entering: Form::new(),
            room: RwSignal::new(Room::Queue),
            before: RwSignal::new(Room::Queue),
            queue: Queue::new(access),
            search: Search::new(access),
            case: CaseDesk::new(access),
        }
    }

    /// Loads the officer's name and role.
    fn enter(self) {
        self.entering.send(Vec::new(), async move {
            match self.access.known(api::get(HelpdeskRoute::Officer.path()).await) {
                Ok(officer) => self.welcome(officer),
                // The form for the second factor follows.
                Err(failure) if failure.code() == Some(ProblemCode::SecondFactorNeeded) => {}
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
    }

    fn welcome(self, officer: Officer) {
        self.access.needs_factor.set(false);
        self.access.officer.set(Some(officer));
        self.queue.load();
        browser::focus_soon("page-heading");
    }

    fn go(self, room: Room) {
        if room == Room::Queue {
            self.queue.load();
        }
        self.room.set(room);
        browser::focus_soon("page-heading");
    }

    /// Opens a case, and remembers the current screen for the back button.
    fn open(self, number: String) {
        self.before.set(self.room.get_untracked());
        self.case.open(number);
        self.go(Room::Case);
    }
}

/// The log-in with both factors, then the screens.
#[component]
pub fn Helpdesk() -> impl IntoView {
    let console = Console::new();
    let access = console.access;
    let is_nobody = Memo::new(move |_| access.account.get() == Who::Nobody);
    browser::effect(Box::new(move || {
        access.officer.set(None);
        access.needs_factor.set(false);
        if !is_nobody.get() {
            console.enter();
        }
    }));
    let is_in = Memo::new(move |_| access.officer.read().is_some());
    let key = Signal::derive(move || match console.room.get() {
        _ if !is_nobody.get() && access.needs_factor.get() => "site.console.factor.title",
        _ if !is_in.get() => "site.console.title",
        Room::Queue => "site.console.queue.title",
        Room::Search => "site.console.search.title",
        Room::Case => "site.console.case.title",
    });
    view! {
        <div class="column console">
            <Heading key=key />
            {move || {
                if is_nobody.get() {
                    view! {
                        <p>{tr("site.console.help")}</p>
                        <CodeLogin purpose=Purpose::LogIn stay=true />
                    }
                        .into_any()
                } else if access.needs_factor.get() {
                    view! { <Factor console=console /> }.into_any()
                } else if is_in.get() {
                    view! { <Rooms console=console /> }.into_any()
                } else {
                    view! { <Entrance console=console /> }.into_any()
                }
            }}
        </div>
    }
}

/// Shown until the officer is known, and to visitors who are not officers.
#[component]
fn Entrance(console: Console) -> impl IntoView {
    let form = console.entering;
    let failure = Signal::derive(move || form.failure.get().filter(|failure| !failure.is_not_logged_in()));
    let loading = tr("site.loading");
    let way_out = move || {
        failure.read().is_some().then(|| {
            view! {
                <ul class="rows">
                    <RowLink page=Page::LogOut sign=Sign::Person label="site.nav.log_out" />
                </ul>
            }
        })
    };
    view! {
        <FailureNotice failure=failure busy=form.busy retry=Callback::new(move |()| console.enter()) />
        <p role="status">{move || if form.busy.get() { loading() } else { "" }}</p>
        {way_out}
    }
}

/// The form for the six digits of the authenticator.
#[component]
fn Factor(console: Console) -> impl IntoView {
    let (form, code) = (Form::new(), RwSignal::new(String::new()));
    let send = move || {
        let typed = code.get_untracked();
        let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
        let wrong = check(Field::Authenticator, &typed, (digits.len() == 6).then_some(()));
        form.send(wrong.into_iter().collect(), async move {
            let answer = api::post(HelpdeskRoute::SecondFactor.path(), &SecondFactor { code: digits }).await;
            console.welcome(console.access.known(answer)?);
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

/// The officer, the navigation, and the current screen.
#[component]
fn Rooms(console: Console) -> impl IntoView {
    let language = Language::current();
    let who = move || {
        let officer = console.access.officer.get();
        officer.map(|officer| {
            let role = describe::case_code(language.get(), "role", &officer.role);
            format!("{} · {role}", officer.name)
        })
    };
    let way = move |room: Room, label: &'static str| {
        view! {
            <button
                type="button"
                class="button"
                aria-pressed=move || (console.room.get() == room).to_string()
                on:click=move |_| console.go(room)
            >
                {tr(label)}
            </button>
        }
    };
    view! {
        <p class="hint">{who}</p>
        <div class="buttons" role="group" aria-label=tr("site.console.rooms")>
            {way(Room::Queue, "site.console.queue.title")}
            {way(Room::Search, "site.console.search.title")}
        </div>
        {move || match console.room.get() {
            Room::Queue => view! { <QueueRoom console=console /> }.into_any(),
            Room::Search => view! { <SearchRoom console=console /> }.into_any(),
            Room::Case => view! { <CaseRoom console=console /> }.into_any(),
        }}
    }
}
