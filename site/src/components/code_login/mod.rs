//! Log-in and registration with a one-time code sent by SMS.

use std::time::Duration;

use bukti_domain::{PersonName, PhoneNumber};
use bukti_locales::text;
use bukti_wire::{OtpAnswer, OtpRequest, OtpRoute, ProblemCode, Session, SessionRequest};
use leptos::prelude::*;

use crate::account::{Account, LogInState};
use crate::api;
use crate::browser;
use crate::components::{
    BusyButton, Captcha, ErrorSummary, FailureNotice, Heading, HelpdeskLinks, TextField,
};
use crate::form::{Field, Form, check};
use crate::language::{Language, tr, tr_with};
use crate::place::{Page, Router, path_to};
use crate::settings::Settings;
use crate::steps::Steps;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    LogIn,
    /// Create an account with a name.
    Register,
}

/// A one-time code that was sent by SMS.
#[derive(Clone, Debug)]
struct SentCode {
    /// The phone number as typed.
    phone: String,
    /// Validity of the code in minutes.
    valid_minutes: u32,
    /// Unix time in seconds from which another code can be requested.
    resend_at: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Phone,
    Code,
}

#[derive(Clone, Copy)]
struct LogInForm {
    purpose: Purpose,
    /// Whether the form is embedded in another page, which stays open after the log-in.
    is_embedded: bool,
    account: Account,
    steps: Steps<Step>,
    form: Form,
    /// Solved while the visitor types the phone number. It has no checkbox.
    captcha: Captcha,
    name: RwSignal<String>,
    phone: RwSignal<String>,
    code: RwSignal<String>,
    sent: RwSignal<Option<SentCode>>,
    /// Seconds until another code can be requested.
    seconds_to_resend: RwSignal<i64>,
}

impl LogInForm {
    fn request_code(self) {
        let (name, phone) = (self.name.get_untracked(), self.phone.get_untracked());
        let has_name = self.purpose == Purpose::Register;
        let name_problem = has_name.then(|| check(Field::Name, &name, PersonName::parse(&name))).flatten();
        let phone_problem = check(Field::Phone, &phone, PhoneNumber::parse(&phone));
        self.form.send(name_problem.into_iter().chain(phone_problem).collect(), async move {
            let request =
                |captcha| OtpRequest { phone: phone.clone(), name: has_name.then(|| name.clone()), captcha };
            let response: OtpAnswer = api::parse(&self.captcha.post(OtpRoute::Otp.path(), request).await?)?;
            let resend_at = browser::unix_time() + i64::from(response.resend_after);
            self.code.set(String::new());
            self.seconds_to_resend.set(i64::from(response.resend_after));
            self.sent.set(Some(SentCode {
                phone,
                valid_minutes: response.expires_in.div_ceil(60),
                resend_at,
            }));
            if self.steps.get_untracked() == Step::Phone {
                self.steps.show(Step::Code);
            }
            browser::focus_after_render(Field::Code.id());
            Ok(())
        });
    }

    fn submit_code(self) {
        let Some(sent) = self.sent.get_untracked() else { return };
        let typed = self.code.get_untracked();
        let code: String = typed.chars().filter(char::is_ascii_digit).collect();
        let problems = check(Field::Code, &typed, (code.len() == 6).then_some(()));
        self.form.send(problems.into_iter().collect(), async move {
            let request = SessionRequest { phone: sent.phone, code };
            let session: Session = api::post(OtpRoute::LogIn.path(), &request).await?;
            self.account.set_logged_in(session);
            Ok(())
        });
    }

    /// Repeats the failed request.
    fn retry(self) {
        match self.steps.get_untracked() {
            Step::Phone => self.request_code(),
            Step::Code => self.submit_code(),
        }
    }
}

/// The log-in form. It asks for the phone number, then for the code, in two steps on one page.
#[component]
pub fn CodeLogin(
    purpose: Purpose,
    /// Whether the form is embedded in another page, which stays open after the log-in.
    #[prop(optional)]
    is_embedded: bool,
) -> impl IntoView {
    let form = Form::new();
    let log_in = LogInForm {
        purpose,
        is_embedded,
        account: Account::current(),
        steps: Steps::new("code", form, Step::Phone),
        form,
        captcha: Captcha::new(),
        name: RwSignal::new(String::new()),
        phone: RwSignal::new(String::new()),
        code: RwSignal::new(String::new()),
        sent: RwSignal::new(None),
        seconds_to_resend: RwSignal::new(0),
    };
    let router = Router::current();
    browser::effect(Box::new(move || {
        if let LogInState::LoggedIn(_) = log_in.account.get()
            && !is_embedded
        {
            router.replace(Page::Account);
        }
    }));
    let update_countdown = move || {
        if let Some(sent) = &*log_in.sent.read_untracked() {
            log_in.seconds_to_resend.set((sent.resend_at - browser::unix_time()).max(0));
        }
    };
    if browser::IS_BROWSER
        && let Ok(interval) = set_interval_with_handle(update_countdown, Duration::from_secs(1))
    {
        on_cleanup(move || interval.clear());
    }
    let is_code_sent = Memo::new(move |_| log_in.steps.get() == Step::Code);
    let key = Signal::derive(move || match purpose {
        _ if is_code_sent.get() => "site.code.title",
        Purpose::LogIn => "site.login.title",
        Purpose::Register => "site.register.title",
    });
    let heading = move || {
        let language = Language::current();
        if is_embedded {
            view! { <h2>{move || text(language.get(), key.get())}</h2> }.into_any()
        } else {
            view! { <Heading key=key /> }.into_any()
        }
    };
    view! {
        <div class="column">
            {heading()}
            {move || {
                if is_code_sent.get() {
                    view! { <CodeStep log_in=log_in /> }.into_any()
                } else {
                    view! { <PhoneStep log_in=log_in /> }.into_any()
                }
            }}
        </div>
    }
}

/// The first step, which asks for the phone number and, for registration, a name.
#[component]
fn PhoneStep(log_in: LogInForm) -> impl IntoView {
    let form = log_in.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        log_in.request_code();
    };
    let (help, other) = match log_in.purpose {
        Purpose::LogIn => (
            tr("site.login.help"),
            view! { <p>{tr("site.login.no_account")} " " <a href=path_to(Page::Register)>{tr("site.register.title")}</a></p> }.into_any(),
        ),
        Purpose::Register => (
            tr("site.register.help"),
            view! { <p>{tr("site.register.has_account")} " " <a href=path_to(Page::LogIn)>{tr("site.login.title")}</a></p> }.into_any(),
        ),
    };
    let typed = Callback::new(move |()| log_in.captcha.begin());
    let name = (log_in.purpose == Purpose::Register).then(|| {
        view! {
            <TextField
                field=Field::Name
                form=form
                label="site.field.name.label"
                value=log_in.name
                autocomplete="name"
                on_typed=typed
            />
        }
    });
    // An embedding page itself explains why and with which number to log in.
    let intro = (!log_in.is_embedded).then_some((view! { <p>{help}</p> }, other));
    let (help, other) = intro.unzip();
    let cookie_warning = (!browser::accepts_cookies())
        .then(|| view! { <p class="notice waiting" role="alert">{tr("site.login.no_cookies")}</p> });
    view! {
        {help}
        {cookie_warning}
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| log_in.retry()) />
            {name}
            <TextField
                field=Field::Phone
                form=form
                label="site.field.phone.label"
                hint="site.field.phone.hint"
                value=log_in.phone
                inputmode="tel"
                autocomplete="tel"
                on_typed=typed
            />
            <BusyButton label="site.login.send_code" busy_label="site.login.sending_code" busy=form.busy />
        </form>
        {other}
    }
}

/// The second step, which asks for the code. It offers another code, and help if no SMS arrives.
#[component]
fn CodeStep(log_in: LogInForm) -> impl IntoView {
    let form = log_in.form;
    let language = Language::current();
    let settings = Settings::current();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        log_in.submit_code();
    };
    let sent_to = tr_with("site.code.sent", move |_| {
        let sent = log_in.sent.get();
        let (phone, valid_minutes) = sent.map(|sent| (sent.phone, sent.valid_minutes)).unwrap_or_default();
        // Non-breaking spaces keep the number on one line.
        vec![("phone", phone.replace(' ', "\u{a0}")), ("n", valid_minutes.to_string())]
    });
    let must_wait = Memo::new(move |_| log_in.seconds_to_resend.get() > 0);
    // A locked or expired code can no longer be used, so another one can be requested immediately.
    let is_code_dead =
        move || form.failure.read().as_ref().and_then(api::Failure::code) == Some(ProblemCode::CodeDead);
    let resend = move |_| {
        if !must_wait.get_untracked() || is_code_dead() {
            log_in.request_code();
        }
    };
    let (resend_label, resend_in_label) = (
        tr("site.code.resend"),
        tr_with("site.code.resend_in", move |_| vec![("n", log_in.seconds_to_resend.get().to_string())]),
    );
    view! {
        <p role="status">{sent_to}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| log_in.retry()) />
            <TextField
                field=Field::Code
                form=form
                label="site.field.code.label"
                value=log_in.code
                inputmode="numeric"
                autocomplete="one-time-code"
            />
            <BusyButton label="site.code.enter" busy_label="site.code.entering" busy=form.busy />
            <div class="buttons">
                <button
                    type="button"
                    class="button"
                    aria-disabled=move || (must_wait.get() && !is_code_dead()).then_some("true")
                    on:click=resend
                >
                    {move || if must_wait.get() && !is_code_dead() { resend_in_label() } else { resend_label().to_owned() }}
                </button>
                <button type="button" class="button" on:click=move |_| log_in.steps.show(Step::Phone)>
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
