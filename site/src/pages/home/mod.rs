//! `/`: the status check.

mod outcome;

use bukti_domain::PersonName;
use bukti_wire::{StatusRequest, StatusRoute};
use leptos::prelude::*;

use crate::browser::{self, TaskScope};
use crate::components::{
    BusyButton, Captcha, CaptchaBox, ErrorSummary, FailureNotice, Heading, IdentityField, LazyView, RowLink,
    Symbol, TextField, TypedIdentity, ViewFuture,
};
use crate::form::{Field, Form, check};
use crate::language::tr;
use crate::place::Page;

const RESULT_ID: &str = "result";

#[derive(Clone, Copy)]
struct StatusCheck {
    form: Form,
    name: RwSignal<String>,
    identity: TypedIdentity,
    captcha: Captcha,
    tasks: TaskScope,
    /// The unparsed response. The chunk that parses it is loaded while the visitor types.
    response: RwSignal<Option<String>>,
}

impl StatusCheck {
    fn new() -> Self {
        Self {
            form: Form::new(),
            name: RwSignal::new(String::new()),
            identity: TypedIdentity::new(),
            captcha: Captcha::new(),
            tasks: TaskScope::current(),
            response: RwSignal::new(None),
        }
    }

    fn send(self) {
        let name = self.name.get_untracked();
        let (nik, passport) = self.identity.typed();
        let problems = [
            check(Field::Name, &name, PersonName::parse(&name)),
            self.identity.check(),
            self.captcha.check(),
        ];
        let request = StatusRequest { name, nik, passport, captcha: String::new() };
        self.form.send(problems.into_iter().flatten().collect(), async move {
            let response = self
                .captcha
                .post(StatusRoute::Status.path(), |captcha| StatusRequest { captcha, ..request.clone() })
                .await?;
            outcome::load().await?;
            self.response.set(Some(response));
            browser::focus_after_render(RESULT_ID);
            Ok(())
        });
    }
}

/// Shows the form, and the result next to it or below it.
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
            <StatusResult status=status />
            <ul class="rows">
                <RowLink page=Page::Download symbol=Symbol::Download label="site.rows.download" />
                <RowLink page=Page::Verify symbol=Symbol::Scan label="site.rows.verify" />
                <RowLink page=Page::Help symbol=Symbol::Help label="site.rows.help" />
            </ul>
        </div>
    }
}

/// The form, which asks for name and identity number, and has the captcha.
#[component]
fn StatusForm(status: StatusCheck) -> impl IntoView {
    let form = status.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        status.send();
    };
    // Solve the captcha and load the chunk while the visitor types.
    let on_typed = Callback::new(move |()| {
        if status.captcha.is_idle() {
            status.captcha.begin();
            // If this fails, `send` loads the chunk again.
            status.tasks.spawn(Box::pin(async { outcome::load().await.unwrap_or_default() }));
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
                on_typed=on_typed
            />
            <IdentityField identity=status.identity form=form on_typed=on_typed />
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

/// Shows a card for each dose, or explains why there is none.
#[component]
fn StatusResult(status: StatusCheck) -> impl IntoView {
    let title = tr("site.home.result");
    let cards = move |response: String| {
        let load = move || -> ViewFuture { Box::pin(outcome::cards(response.clone())) };
        view! {
            <section class="outcome" aria-labelledby=RESULT_ID>
                <h2 id=RESULT_ID tabindex="-1">
                    {title}
                </h2>
                <LazyView load=Box::new(load) />
            </section>
        }
    };
    move || status.response.get().map(cards)
}
