//! `/`: the status check.

mod outcome;

use bukti_domain::PersonName;
use bukti_wire::{StatusRequest, StatusRoute};
use leptos::prelude::*;

use crate::browser::{self, Tasks};
use crate::components::{
    BusyButton, Captcha, CaptchaBox, ErrorSummary, FailureNotice, Heading, IdentityField, Later, Loading,
    RowLink, Sign, TextField, TypedIdentity,
};
use crate::form::{Field, Form, check};
use crate::language::tr;
use crate::place::Page;

const RESULT: &str = "result";

#[derive(Clone, Copy)]
struct StatusCheck {
    form: Form,
    name: RwSignal<String>,
    identity: TypedIdentity,
    captcha: Captcha,
    tasks: Tasks,
    /// The response, unparsed: the chunk that parses it is loaded while the visitor types.
    answer: RwSignal<Option<String>>,
}

impl StatusCheck {
    fn new() -> Self {
        Self {
            form: Form::new(),
            name: RwSignal::new(String::new()),
            identity: TypedIdentity::new(),
            captcha: Captcha::new(),
            tasks: Tasks::here(),
            answer: RwSignal::new(None),
        }
    }

    fn send(self) {
        let name = self.name.get_untracked();
        let (nik, passport) = self.identity.typed();
        let wrong = [
            check(Field::Name, &name, PersonName::parse(&name)),
            self.identity.check(),
            self.captcha.check(),
        ];
        let request = StatusRequest { name, nik, passport, captcha: String::new() };
        self.form.send(wrong.into_iter().flatten().collect(), async move {
            let answer = self
                .captcha
                .post(StatusRoute::Status.path(), |captcha| StatusRequest { captcha, ..request.clone() })
                .await?;
            outcome::load().await?;
            self.answer.set(Some(answer));
            browser::focus_soon(RESULT);
            Ok(())
        });
    }
}

/// The form, and beside or below it the result.
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
                <RowLink page=Page::Download sign=Sign::Download label="site.rows.download" />
                <RowLink page=Page::Verify sign=Sign::Scan label="site.rows.verify" />
                <RowLink page=Page::Help sign=Sign::Help label="site.rows.help" />
            </ul>
        </div>
    }
}

/// Name, identity, captcha, button.
#[component]
fn StatusForm(status: StatusCheck) -> impl IntoView {
    let form = status.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        status.send();
    };
    // Solve the captcha and load the chunk while the visitor types.
    let typed = Callback::new(move |()| {
        if status.captcha.is_idle() {
            status.captcha.begin();
            // If this fails, `send` loads the chunk again.
            status.tasks.run(Box::pin(async { outcome::load().await.unwrap_or_default() }));
        }
    });
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
            <IdentityField identity=status.identity form=form on_typed=typed />
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

/// A card for each dose, or why there is none.
#[component]
fn Outcome(status: StatusCheck) -> impl IntoView {
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
