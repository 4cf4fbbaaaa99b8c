//! Log-in and registration with a one-time code sent by SMS.

use std::time::Duration;

use bukti_domain::{PersonName, PhoneNumber};
use bukti_locales::text;
use bukti_wire::{OtpAnswer, OtpRequest, OtpRoute, ProblemCode, Session, SessionRequest};
use leptos::prelude::*;

use crate::account::{Account, Who};
use crate::api;
use crate::browser;
use crate::components::{
    BusyButton, Captcha, ErrorSummary, FailureNotice, Heading, HelpdeskLinks, TextField,
};
use crate::form::{Field, Form, check};
use crate::language::{Language, tr, tr_with};
use crate::place::{Page, Place, to};
use crate::settings::Settings;
use crate::steps::Steps;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    LogIn,
    /// Create an account with a name.
    Register,
}

/// A code that was sent.
#[derive(Clone, Debug)]
struct Sent {
    /// The phone number as it was typed.
    phone: String,
    /// Validity of the code in minutes.
    minutes: u32,
    /// Unix time from which another code can be requested.
    next_at: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Phone,
    Code,
}

#[derive(Clone, Copy)]
struct Entrance {
    purpose: Purpose,
    /// Whether the form is part of another page, which stays open after the log-in.
    stay: bool,
    account: Account,
    steps: Steps<Step>,
    form: Form,
    /// Without a tick-box: it is solved while the number is typed.
    captcha: Captcha,
    name: RwSignal<String>,
    phone: RwSignal<String>,
    code: RwSignal<String>,
    sent: RwSignal<Option<Sent>>,
    /// Seconds until another code can be requested.
    wait: RwSignal<i64>,
}

impl Entrance {
    fn ask(self) {
        let (name, phone) = (self.name.get_untracked(), self.phone.get_untracked());
        let with_name = self.purpose == Purpose::Register;
        let wrong_name = with_name.then(|| check(Field::Name, &name, PersonName::parse(&name))).flatten();
        let wrong_phone = check(Field::Phone, &phone, PhoneNumber::parse(&phone));
        self.form.send(wrong_name.into_iter().chain(wrong_phone).collect(), async move {
            let request =
                |captcha| OtpRequest { phone: phone.clone(), name: with_name.then(|| name.clone()), captcha };
            let answer: OtpAnswer = api::read(&self.captcha.post(OtpRoute::Otp.path(), request).await?)?;
            let next_at = browser::unix_time() + i64::from(answer.resend_after);
            self.code.set(String::new());
            self.wait.set(i64::from(answer.resend_after));
            self.sent.set(Some(Sent { phone, minutes: answer.expires_in.div_ceil(60), next_at }));
            if self.steps.get_untracked() == Step::Phone {
                self.steps.go(Step::Code);
            }
            browser::focus_soon(Field::Code.id());
            Ok(())
        });
    }

    fn enter(self) {
        let Some(sent) = self.sent.get_untracked() else { return };
        let typed = self.code.get_untracked();
        let code: String = typed.chars().filter(char::is_ascii_digit).collect();
        let wrong = check(Field::Code, &typed, (code.len() == 6).then_some(()));
        self.form.send(wrong.into_iter().collect(), async move {
            let request = SessionRequest { phone: sent.phone, code };
            let session: Session = api::post(OtpRoute::LogIn.path(), &request).await?;
            self.account.entered(session);
            Ok(())
        });
    }

    /// Repeats the request that failed.
    fn again(self) {
        match self.steps.get_untracked() {
            Step::Phone => self.ask(),
            Step::Code => self.enter(),
        }
    }
}

/// Two steps on one page: phone number, then code.
#[component]
pub fn CodeLogin(
    purpose: Purpose,
    /// Whether the form is part of another page, which stays open after the log-in.
    #[prop(optional)]
    stay: bool,
) -> impl IntoView {
    let form = Form::new();
    let entrance = Entrance {
        purpose,
        stay,
        account: Account::current(),
        steps: Steps::begin("code", form, Step::Phone),
        form,
        captcha: Captcha::new(),
        name: RwSignal::new(String::new()),
        phone: RwSignal::new(String::new()),
        code: RwSignal::new(String::new()),
        sent: RwSignal::new(None),
        wait: RwSignal::new(0),
    };
    let place = Place::current();
    browser::effect(Box::new(move || {
        if let Who::Somebody(_) = entrance.account.get()
            && !stay
        {
            place.go_instead(Page::Account);
        }
    }));
    let tick = move || {
        if let Some(sent) = &*entrance.sent.read_untracked() {
            entrance.wait.set((sent.next_at - browser::unix_time()).max(0));
        }
    };
    if browser::IS_HERE
        && let Ok(interval) = set_interval_with_handle(tick, Duration::from_secs(1))
    {
        on_cleanup(move || interval.clear());
    }
    let code_sent = Memo::new(move |_| entrance.steps.get() == Step::Code);
    let key = Signal::derive(move || match purpose {
        _ if code_sent.get() => "site.code.title",
        Purpose::LogIn => "site.login.title",
        Purpose::Register => "site.register.title",
    });
    let title = move || {
        let language = Language::current();
        if stay {
            view! { <h2>{move || text(language.get(), key.get())}</h2> }.into_any()
        } else {
            view! { <Heading key=key /> }.into_any()
        }
    };
    view! {
        <div class="column">
            {title()}
            {move || {
                if code_sent.get() {
                    view! { <CodeStep entrance=entrance /> }.into_any()
                } else {
                    view! { <PhoneStep entrance=entrance /> }.into_any()
                }
            }}
        </div>
    }
}

/// The first step: phone number, and a name when registering.
#[component]
fn PhoneStep(entrance: Entrance) -> impl IntoView {
    let form = entrance.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        entrance.ask();
    };
    let (help, other) = match entrance.purpose {
        Purpose::LogIn => (
            tr("site.login.help"),
            view! { <p>{tr("site.login.no_account")} " " <a href=to(Page::Register)>{tr("site.register.title")}</a></p> }.into_any(),
        ),
        Purpose::Register => (
            tr("site.register.help"),
            view! { <p>{tr("site.register.has_account")} " " <a href=to(Page::LogIn)>{tr("site.login.title")}</a></p> }.into_any(),
        ),
    };
    let typed = Callback::new(move |()| entrance.captcha.begin());
    let name = (entrance.purpose == Purpose::Register).then(|| {
        view! {
            <TextField
                field=Field::Name
                form=form
                label="site.field.name.label"
                value=entrance.name
                autocomplete="name"
                on_typed=typed
            />
        }
    });
    // An embedding page explains by itself why to log in and with which number.
    let around = (!entrance.stay).then_some((view! { <p>{help}</p> }, other));
    let (help, other) = around.unzip();
    let no_cookies = (!browser::takes_cookies())
        .then(|| view! { <p class="notice waiting" role="alert">{tr("site.login.no_cookies")}</p> });
    view! {
        {help}
        {no_cookies}
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| entrance.again()) />
            {name}
            <TextField
                field=Field::Phone
                form=form
                label="site.field.phone.label"
                hint="site.field.phone.hint"
                value=entrance.phone
                inputmode="tel"
                autocomplete="tel"
                on_typed=typed
            />
            <BusyButton label="site.login.send_code" busy_label="site.login.sending_code" busy=form.busy />
        </form>
        {other}
    }
}

/// The second step: the code, a button for another one, and help if no SMS arrives.
#[component]
fn CodeStep(entrance: Entrance) -> impl IntoView {
    let form = entrance.form;
    let language = Language::current();
    let settings = Settings::current();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        entrance.enter();
    };
    let sent_to = tr_with("site.code.sent", move |_| {
        let sent = entrance.sent.get();
        let (phone, minutes) = sent.map(|sent| (sent.phone, sent.minutes)).unwrap_or_default();
        // Non-breaking spaces keep the number on one line.
        vec![("phone", phone.replace(' ', "\u{a0}")), ("n", minutes.to_string())]
    });
    let waiting = Memo::new(move |_| entrance.wait.get() > 0);
    // A locked or expired code can only be replaced, so another one may be requested at once.
    let dead =
        move || form.failure.read().as_ref().and_then(api::Failure::code) == Some(ProblemCode::CodeDead);
    let resend = move |_| {
        if !waiting.get_untracked() || dead() {
            entrance.ask();
        }
    };
    let (again, again_in) = (
        tr("site.code.resend"),
        tr_with("site.code.resend_in", move |_| vec![("n", entrance.wait.get().to_string())]),
    );
    view! {
        <p role="status">{sent_to}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| entrance.again()) />
            <TextField
                field=Field::Code
                form=form
                label="site.field.code.label"
                value=entrance.code
                inputmode="numeric"
                autocomplete="one-time-code"
            />
            <BusyButton label="site.code.enter" busy_label="site.code.entering" busy=form.busy />
            <div class="buttons">
                <button
                    type="button"
                    class="button"
                    aria-disabled=move || (waiting.get() && !dead()).then_some("true")
                    on:click=resend
                >
                    {move || if waiting.get() && !dead() { again_in() } else { again().to_owned() }}
                </button>
                <button type="button" class="button" on:click=move |_| entrance.steps.go(Step::Phone)>
                    {tr("site.code.change_phone")}
                </button>
            </div>
        </form>
        <details id="no-sms">
            <summary>{tr("site.code.none.title")}</summary>
            <ul>
                <li>
                    {move || {
                        let sender = settings.get(|settings| &settings.sms_sender);
                        bukti_locales::fill(language.get(), "site.code.none.wait", &[("sender", &sender)])
                    }}
                </li>
                <li>{tr("site.code.none.number")}</li>
                <li>{tr("site.code.none.signal")}</li>
            </ul>
            <p>{tr("site.code.none.helpdesk")}</p>
            <HelpdeskLinks />
        </details>
    }
}
