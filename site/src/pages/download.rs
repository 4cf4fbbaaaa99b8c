//! `/unduh`: quick download, which sends a new link by SMS without an account.
//!
//! Other people may know the data that this form asks for, so it never opens a certificate. The
//! link is sent to the phone number on record. The response does not reveal whether a matching dose
//! exists, which prevents enumeration.

use bukti_domain::PersonName;
use bukti_wire::{DownloadAnswer, DownloadRequest, StatusRoute, Vaccines};
use leptos::prelude::*;

use crate::api;
use crate::components::{
    BusyButton, Captcha, CaptchaBox, DateField, ErrorSummary, FailureNotice, Heading, HelpdeskLinks,
    IdentityField, RowLink, SelectField, Symbol, TextField, TypedDate, TypedIdentity,
};
use crate::describe;
use crate::form::{Field, Form, check};
use crate::language::{Language, tr, tr_with};
use crate::place::Page;
use crate::settings::Settings;
use crate::steps::Steps;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Person,
    Vaccination,
    /// The request was sent.
    Requested {
        /// Minutes until another request is possible.
        retry_minutes: u32,
    },
}

#[derive(Clone, Copy)]
struct DownloadForm {
    steps: Steps<Step>,
    form: Form,
    name: RwSignal<String>,
    identity: TypedIdentity,
    birth_date: TypedDate,
    vaccination_date: TypedDate,
    vaccine: RwSignal<String>,
    captcha: Captcha,
    /// The vaccines to choose from; `None` until they are loaded.
    vaccines: RwSignal<Option<Vaccines>>,
    loading_vaccines: Form,
}

impl DownloadForm {
    fn new() -> Self {
        let form = Form::new();
        Self {
            steps: Steps::new("download", form, Step::Person),
            form,
            name: RwSignal::new(String::new()),
            identity: TypedIdentity::new(),
            birth_date: TypedDate::new(Field::BirthDate),
            vaccination_date: TypedDate::new(Field::VaccinationDate),
            vaccine: RwSignal::new(String::new()),
            captcha: Captcha::new(),
            vaccines: RwSignal::new(None),
            loading_vaccines: Form::new(),
        }
    }

    fn load_vaccines(self) {
        self.loading_vaccines.send(Vec::new(), async move {
            self.vaccines.set(Some(api::get(StatusRoute::Vaccines.path()).await?));
            Ok(())
        });
    }

    /// Checks the first step, and shows the second if there are no problems.
    fn show_vaccination_step(self) {
        let name = self.name.get_untracked();
        let problems = [
            check(Field::Name, &name, PersonName::parse(&name)),
            self.identity.check(),
            self.identity.birth_date(self.birth_date).err(),
        ];
        let problems: Vec<_> = problems.into_iter().flatten().collect();
        if problems.is_empty() {
            self.steps.show(Step::Vaccination)
        } else {
            self.form.problems.set(problems)
        }
    }

    fn send(self) {
        let vaccine = self.vaccine.get_untracked();
        let is_chosen = (!vaccine.is_empty()).then_some(());
        let birth_date = self.identity.birth_date(self.birth_date);
        let vaccination_date = self.vaccination_date.check();
        let problems =
            [vaccination_date.err(), check(Field::Vaccine, &vaccine, is_chosen), self.captcha.check()];
        let problems = problems.into_iter().flatten().collect();
        let (Ok(birth_date), Ok(vaccination_date)) = (birth_date, vaccination_date) else {
            return self.form.send(problems, async { Ok(()) });
        };
        let (nik, passport) = self.identity.typed();
        let request = DownloadRequest {
            name: self.name.get_untracked(),
            nik,
            passport,
            birth_date: birth_date.to_string(),
            vaccination_date: vaccination_date.to_string(),
            vaccine,
            captcha: String::new(),
        };
        self.form.send(problems, async move {
            let request_with = |captcha| DownloadRequest { captcha, ..request.clone() };
            let response: DownloadAnswer =
                api::parse(&self.captcha.post(StatusRoute::Download.path(), request_with).await?)?;
            self.steps.show(Step::Requested { retry_minutes: response.resend_after.div_ceil(60) });
            Ok(())
        });
    }
}

/// The form for a quick download, in three steps: person, vaccination, and what happens next.
#[component]
pub fn Download() -> impl IntoView {
    let state = DownloadForm::new();
    state.load_vaccines();
    let step = state.steps;
    let key = Signal::derive(move || match step.get() {
        Step::Person => "site.download.title",
        Step::Vaccination => "site.download.vaccination",
        Step::Requested { .. } => "site.download.asked.title",
    });
    view! {
        <div class="column">
            <Heading key=key />
            {move || match step.get() {
                Step::Person => view! { <PersonStep state=state /> }.into_any(),
                Step::Vaccination => view! { <VaccinationStep state=state /> }.into_any(),
                Step::Requested { retry_minutes } => view! { <Requested retry_minutes=retry_minutes /> }.into_any(),
            }}
        </div>
    }
}

/// The first step, which asks for name, identity number and birth date.
#[component]
fn PersonStep(state: DownloadForm) -> impl IntoView {
    let form = state.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        state.show_vaccination_step();
    };
    let typed = Callback::new(move |()| state.captcha.begin());
    view! {
        <p>{tr("site.download.help")}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <TextField
                field=Field::Name
                form=form
                label="site.field.name.label"
                value=state.name
                autocomplete="name"
                on_typed=typed
            />
            <IdentityField identity=state.identity form=form on_typed=typed />
            <DateField
                date=state.birth_date
                form=form
                label="site.field.birth_date.label"
                hint="site.field.birth_date.hint"
                is_birthday=true
            />
            <BusyButton label="site.download.next" busy_label="site.download.next" busy=form.busy />
        </form>
        <ul class="rows">
            <RowLink page=Page::LogIn symbol=Symbol::Person label="site.download.log_in" />
        </ul>
    }
}

/// The second step, which asks for the date and vaccine of a vaccination, and has the captcha.
#[component]
fn VaccinationStep(state: DownloadForm) -> impl IntoView {
    let form = state.form;
    let language = Language::current();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        state.send();
    };
    let groups = Signal::derive(move || {
        let vaccines = state.vaccines.read();
        vaccines.as_ref().map(|all| describe::vaccines_by_disease(language.get(), all)).unwrap_or_default()
    });
    let retry = Callback::new(move |()| state.load_vaccines());
    view! {
        <p>{tr("site.download.vaccination_help")}</p>
        <FailureNotice failure=state.loading_vaccines.failure busy=state.loading_vaccines.busy retry=retry />
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| state.send()) />
            <DateField
                date=state.vaccination_date
                form=form
                label="site.field.vaccination_date.label"
                hint="site.field.vaccination_date.hint"
            />
            <SelectField
                field=Field::Vaccine
                form=form
                label="site.field.vaccine.label"
                empty_label="site.field.vaccine.nothing"
                groups=groups
                value=state.vaccine
            />
            <CaptchaBox captcha=state.captcha form=form />
            <BusyButton label="site.download.send" busy_label="site.download.sending" busy=form.busy />
            <button type="button" class="button" on:click=move |_| state.steps.show(Step::Person)>
                {tr("site.download.back")}
            </button>
        </form>
    }
}

/// The confirmation. It does not reveal whether the data matched a dose.
#[component]
fn Requested(
    /// Minutes until another request is possible.
    retry_minutes: u32,
) -> impl IntoView {
    let settings = Settings::current();
    let sender = move || settings.get(|settings| &settings.sms_sender);
    view! {
        <p>{tr_with("site.download.asked.text", move |_| vec![("sender", sender())])}</p>
        <h2>{tr("site.download.nothing.title")}</h2>
        <ul>
            <li>{tr("site.download.nothing.facts")}</li>
            <li>{tr("site.download.nothing.phone")}</li>
            <li>{tr_with("site.download.nothing.again", move |_| vec![("n", retry_minutes.to_string())])}</li>
        </ul>
        <HelpdeskLinks />
        <ul class="rows">
            <RowLink page=Page::Correction symbol=Symbol::Pencil label="site.rows.correction" />
            <RowLink page=Page::Home symbol=Symbol::Home label="site.home.title" />
            <RowLink page=Page::Help symbol=Symbol::Help label="site.rows.help" />
        </ul>
    }
}
