//! `/`: the status of one's vaccinations.

mod outcome;

use bukti_domain::{Nik, Passport, PersonName};
use bukti_wire::{ProblemCode, StatusRequest};
use leptos::prelude::*;

use crate::api;
use crate::browser::{self, Tasks};
use crate::components::{
    BusyButton, Captcha, CaptchaBox, ErrorSummary, FailureNotice, Heading, Later, Loading, RowLink, Sign,
    TextField,
};
use crate::form::{Field, Form, check};
use crate::language::tr;
use crate::place::Page;

const RESULT: &str = "result";

#[derive(Clone, Copy)]
struct StatusCheck {
    form: Form,
    name: RwSignal<String>,
    nik: RwSignal<String>,
    passport: RwSignal<String>,
    with_passport: RwSignal<bool>,
    captcha: Captcha,
    tasks: Tasks,
    /// As it came: what reads it is loaded while one types.
    answer: RwSignal<Option<String>>,
}

impl StatusCheck {
    fn new() -> Self {
        Self {
            form: Form::new(),
            name: RwSignal::new(String::new()),
            nik: RwSignal::new(String::new()),
            passport: RwSignal::new(String::new()),
            with_passport: RwSignal::new(false),
            captcha: Captcha::new(),
            tasks: Tasks::here(),
            answer: RwSignal::new(None),
        }
    }

    fn send(self) {
        let name = self.name.get_untracked();
        let (nik, passport) = (self.nik.get_untracked(), self.passport.get_untracked());
        let with_passport = self.with_passport.get_untracked();
        let wrong_identity = if with_passport {
            check(Field::Passport, &passport, Passport::parse(&passport))
        } else {
            check(Field::Nik, &nik, Nik::parse(&nik))
        };
        let wrong =
            [check(Field::Name, &name, PersonName::parse(&name)), wrong_identity, self.captcha.check()];
        let request = StatusRequest {
            name,
            nik: (!with_passport).then_some(nik),
            passport: with_passport.then_some(passport),
            captcha: String::new(),
        };
        self.form.send(wrong.into_iter().flatten().collect(), async move {
            let outcome = match self.ask(&request).await {
                // The proof ran out on its way, or the answer to its first use got lost.
                Err(failure) if is_stale(&failure) => self.ask(&request).await,
                outcome => outcome,
            };
            // Ready for the next question, since a proof is good for one.
            self.captcha.begin();
            let answer = outcome?;
            outcome::load().await?;
            self.answer.set(Some(answer));
            browser::focus_soon(RESULT);
            Ok(())
        });
    }

    async fn ask(self, request: &StatusRequest) -> Result<String, api::Failure> {
        let captcha = self.captcha.solution().await?;
        api::post_unread("/api/status", &StatusRequest { captcha, ..request.clone() }).await
    }
}

fn is_stale(failure: &api::Failure) -> bool {
    matches!(failure.code(), Some(ProblemCode::CaptchaExpired | ProblemCode::CaptchaReused))
}

/// The form, and beside or below it what is known of each dose.
#[component]
pub fn Home() -> impl IntoView {
    let status = StatusCheck::new();
    view! {
        <div class="split">
            <div class="column">
                <Heading key="site.home.title" />
                <p>{tr("site.home.help")}</p>
                <StatusForm status=status />
            </div>
            <Outcome status=status />
            <ul class="rows">
                <RowLink page=Page::LogIn sign=Sign::Download label="site.rows.download" />
                <RowLink page=Page::Verify sign=Sign::Scan label="site.rows.verify" />
                <RowLink page=Page::Help sign=Sign::Help label="site.rows.help" />
            </ul>
        </div>
    }
}

/// Name, identity number, captcha, button.
#[component]
fn StatusForm(
    /// The form's state.
    status: StatusCheck,
) -> impl IntoView {
    let form = status.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        status.send();
    };
    // The work is done while one types.
    let typed = Callback::new(move |()| {
        if status.captcha.begin() {
            // Where it cannot be had now, it is asked for again with the answer.
            status.tasks.run(Box::pin(async { outcome::load().await.unwrap_or_default() }));
        }
    });
    let (to_passport, to_nik) = (tr("site.home.use_passport"), tr("site.home.use_nik"));
    let switch = move |_| {
        status.with_passport.update(|it| *it = !*it);
        form.problems.update(|problems| {
            problems.retain(|problem| !matches!(problem.field, Field::Nik | Field::Passport));
        });
    };
    view! {
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| status.send()) />
            <TextField
                field=Field::Name
                form=form
                label="site.field.name.label"
                value=status.name
                autocomplete="name"
                on_typed=typed
            />
            {move || {
                if status.with_passport.get() {
                    view! {
                        <TextField
                            field=Field::Passport
                            form=form
                            label="site.field.passport.label"
                            value=status.passport
                            on_typed=typed
                        />
                    }
                } else {
                    view! {
                        <TextField
                            field=Field::Nik
                            form=form
                            label="site.field.nik.label"
                            value=status.nik
                            inputmode="numeric"
                            on_typed=typed
                        />
                    }
                }
            }}
            <button type="button" class="link" on:click=switch>
                {move || if status.with_passport.get() { to_nik() } else { to_passport() }}
            </button>
            <CaptchaBox captcha=status.captcha form=form />
            <BusyButton
                label="site.check"
                busy_label="site.home.checking"
                busy=form.busy
                class="button primary shout"
            />
        </form>
    }
}

/// What is known of each dose, or why nothing is.
#[component]
fn Outcome(
    /// The form's state.
    status: StatusCheck,
) -> impl IntoView {
    let title = tr("site.home.result");
    let cards = move |answer: String| {
        let load = move || -> Loading { Box::pin(outcome::cards(answer.clone())) };
        view! {
            <section class="outcome" aria-labelledby=RESULT>
                <h2 id=RESULT tabindex="-1">
                    {title}
                </h2>
                <Later load=Box::new(load) />
            </section>
        }
    };
    move || status.answer.get().map(cards)
}
