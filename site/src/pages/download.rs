//! `/unduh`: quick download, a new link by SMS without an account.
//!
//! Others can know the data that this form asks for, so it never opens a certificate. The link goes
//! to the phone on record, and the response is the same whether a matching dose exists or not,
//! which prevents enumeration.

use bukti_domain::PersonName;
use bukti_wire::{DownloadAnswer, DownloadRequest, StatusRoute, Vaccines};
use leptos::prelude::*;

use crate::api;
use crate::components::{
    BusyButton, Captcha, CaptchaBox, DateField, ErrorSummary, FailureNotice, Heading, HelpdeskLinks,
    IdentityField, RowLink, SelectField, Sign, TextField, TypedDate, TypedIdentity,
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
    Asked {
        /// Minutes until another request is possible.
        again_in: u32,
    },
}

#[derive(Clone, Copy)]
struct Asking {
    steps: Steps<Step>,
    form: Form,
    name: RwSignal<String>,
    identity: TypedIdentity,
    birth_date: TypedDate,
    vaccination_date: TypedDate,
    vaccine: RwSignal<String>,
    captcha: Captcha,
    /// The vaccines to choose from.
    vaccines: RwSignal<Option<Vaccines>>,
    loading: Form,
}

impl Asking {
    fn new() -> Self {
        let form = Form::new();
        Self {
            steps: Steps::begin("download", form, Step::Person),
            form,
            name: RwSignal::new(String::new()),
            identity: TypedIdentity::new(),
            birth_date: TypedDate::new(Field::BirthDate),
            vaccination_date: TypedDate::new(Field::VaccinationDate),
            vaccine: RwSignal::new(String::new()),
            captcha: Captcha::new(),
            vaccines: RwSignal::new(None),
            loading: Form::new(),
        }
    }

    fn load(self) {
        self.loading.send(Vec::new(), async move {
            self.vaccines.set(Some(api::get(StatusRoute::Vaccines.path()).await?));
            Ok(())
        });
    }

    /// Checks the first step, then shows the second.
    fn next(self) {
        let name = self.name.get_untracked();
        let wrong = [
            check(Field::Name, &name, PersonName::parse(&name)),
            self.identity.check(),
            self.identity.birth_date(self.birth_date).err(),
        ];
        let wrong: Vec<_> = wrong.into_iter().flatten().collect();
        if wrong.is_empty() { self.steps.go(Step::Vaccination) } else { self.form.problems.set(wrong) }
    }

    fn send(self) {
        let vaccine = self.vaccine.get_untracked();
        let chosen = (!vaccine.is_empty()).then_some(());
        let birth = self.identity.birth_date(self.birth_date);
        let vaccination = self.vaccination_date.check();
        let wrong = [vaccination.err(), check(Field::Vaccine, &vaccine, chosen), self.captcha.check()];
        let wrong = wrong.into_iter().flatten().collect();
        let (Ok(birth), Ok(vaccination)) = (birth, vaccination) else {
            return self.form.send(wrong, async { Ok(()) });
        };
        let (nik, passport) = self.identity.typed();
        let request = DownloadRequest {
            name: self.name.get_untracked(),
            nik,
            passport,
            birth_date: birth.to_string(),
            vaccination_date: vaccination.to_string(),
            vaccine,
            captcha: String::new(),
        };
        self.form.send(wrong, async move {
            let with = |captcha| DownloadRequest { captcha, ..request.clone() };
            let answer: DownloadAnswer =
                api::read(&self.captcha.post(StatusRoute::Download.path(), with).await?)?;
            self.steps.go(Step::Asked { again_in: answer.resend_after.div_ceil(60) });
            Ok(())
        });
    }
}

/// Three steps: person, vaccination, and what happens next.
#[component]
pub fn Download() -> impl IntoView {
    let asking = Asking::new();
    asking.load();
    let step = asking.steps;
    let key = Signal::derive(move || match step.get() {
        Step::Person => "site.download.title",
        Step::Vaccination => "site.download.vaccination",
        Step::Asked { .. } => "site.download.asked.title",
    });
    view! {
        <div class="column">
            <Heading key=key />
            {move || match step.get() {
                Step::Person => view! { <PersonStep asking=asking /> }.into_any(),
                Step::Vaccination => view! { <VaccinationStep asking=asking /> }.into_any(),
                Step::Asked { again_in } => view! { <Asked again_in=again_in /> }.into_any(),
            }}
        </div>
    }
}

/// Name, identity, birth date.
#[component]
fn PersonStep(asking: Asking) -> impl IntoView {
    let form = asking.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        asking.next();
    };
    let typed = Callback::new(move |()| asking.captcha.begin());
    view! {
        <p>{tr("site.download.help")}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <TextField
                field=Field::Name
                form=form
                label="site.field.name.label"
                value=asking.name
                autocomplete="name"
                on_typed=typed
            />
            <IdentityField identity=asking.identity form=form on_typed=typed />
            <DateField
                date=asking.birth_date
                form=form
                label="site.field.birth_date.label"
                hint="site.field.birth_date.hint"
                is_birthday=true
            />
            <BusyButton label="site.download.next" busy_label="site.download.next" busy=form.busy />
        </form>
        <ul class="rows">
            <RowLink page=Page::LogIn sign=Sign::Person label="site.download.log_in" />
        </ul>
    }
}

/// Date and vaccine of a vaccination, and the captcha.
#[component]
fn VaccinationStep(asking: Asking) -> impl IntoView {
    let form = asking.form;
    let language = Language::current();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        asking.send();
    };
    let groups = Signal::derive(move || {
        let vaccines = asking.vaccines.read();
        vaccines.as_ref().map(|all| describe::vaccines_by_disease(language.get(), all)).unwrap_or_default()
    });
    let retry = Callback::new(move |()| asking.load());
    view! {
        <p>{tr("site.download.vaccination_help")}</p>
        <FailureNotice failure=asking.loading.failure busy=asking.loading.busy retry=retry />
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| asking.send()) />
            <DateField
                date=asking.vaccination_date
                form=form
                label="site.field.vaccination_date.label"
                hint="site.field.vaccination_date.hint"
            />
            <SelectField
                field=Field::Vaccine
                form=form
                label="site.field.vaccine.label"
                nothing="site.field.vaccine.nothing"
                groups=groups
                value=asking.vaccine
            />
            <CaptchaBox captcha=asking.captcha form=form />
            <BusyButton label="site.download.send" busy_label="site.download.sending" busy=form.busy />
            <button type="button" class="button" on:click=move |_| asking.steps.go(Step::Person)>
                {tr("site.download.back")}
            </button>
        </form>
    }
}

/// The confirmation, which is the same whether the data matched or not.
#[component]
fn Asked(
    /// Minutes until another request is possible.
    again_in: u32,
) -> impl IntoView {
    let settings = Settings::current();
    let sender = move || settings.get(|settings| &settings.sms_sender);
    view! {
        <p>{tr_with("site.download.asked.text", move |_| vec![("sender", sender())])}</p>
        <h2>{tr("site.download.nothing.title")}</h2>
        <ul>
            <li>{tr("site.download.nothing.facts")}</li>
            <li>{tr("site.download.nothing.phone")}</li>
            <li>{tr_with("site.download.nothing.again", move |_| vec![("n", again_in.to_string())])}</li>
        </ul>
        <HelpdeskLinks />
        <ul class="rows">
            <RowLink page=Page::Correction sign=Sign::Pencil label="site.rows.correction" />
            <RowLink page=Page::Home sign=Sign::Home label="site.home.title" />
            <RowLink page=Page::Help sign=Sign::Help label="site.rows.help" />
        </ul>
    }
}
