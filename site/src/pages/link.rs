//! `/s/:token`: the link of an SMS.

use bukti_wire::{DocumentForm, LinkAnswer, LinkRequest};
use jiff::civil::Date;
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::components::{
    BusyButton, CertificateView, Downloads, ErrorSummary, FailureNotice, Heading, RowLink, Sign,
};
use crate::form::{Field, FieldProblem, Form, Wrong};
use crate::input;
use crate::language::{tr, tr_with};
use crate::place::Page;

/// A document's address that runs out within so many seconds is not opened any more.
const MARGIN: i64 = 5;

#[derive(Clone)]
struct Opened {
    answer: LinkAnswer,
    /// For the document in another form, or at another address, once this one has expired. Kept nowhere else.
    birth_date: Date,
    /// Unix time until which the document's address is good.
    until: i64,
}

#[derive(Clone, Copy)]
struct SmsLink {
    form: Form,
    token: StoredValue<String>,
    day: RwSignal<String>,
    month: RwSignal<String>,
    year: RwSignal<String>,
    opened: RwSignal<Option<Opened>>,
    downloads: Downloads,
}

impl SmsLink {
    /// Opens the link with the birth date.
    fn open(self) {
        let typed = [self.day, self.month, self.year].map(|it| it.get_untracked());
        let date = input::birth_date(&typed[0], &typed[1], &typed[2]);
        let wrong = if typed.iter().all(|it| it.trim().is_empty()) { Wrong::Missing } else { Wrong::Invalid };
        let Some(date) = date else {
            let problem = FieldProblem { field: Field::BirthDate, wrong };
            return self.form.send(vec![problem], async { Ok(()) });
        };
        self.form.send(Vec::new(), async move {
            self.opened.set(Some(self.ask(date, DocumentForm::Complete).await?));
            browser::focus_soon("page-heading");
            Ok(())
        });
    }

    /// Fetches the document that is wanted: the complete one at the address that came with the certificate, as long as
    /// that is good.
    fn download(self) {
        self.downloads.form.send(Vec::new(), async move {
            let Some(mut opened) = self.opened.get_untracked() else { return Ok(()) };
            let (_, form) = self.downloads.wanted();
            let is_complete = form == DocumentForm::Complete;
            if !is_complete || opened.until < browser::unix_time() + MARGIN {
                opened = self.ask(opened.birth_date, form).await?;
                if is_complete {
                    // The picture stays as it is, so nothing on the page is drawn anew.
                    self.opened.update_untracked(|it| *it = Some(opened.clone()));
                }
            }
            browser::open(&opened.answer.document.url);
            Ok(())
        });
    }

    async fn ask(self, birth_date: Date, form: DocumentForm) -> Result<Opened, api::Failure> {
        let request = LinkRequest {
            token: self.token.get_value(),
            birth_date: birth_date.to_string(),
            form: Some(form.code().to_owned()),
        };
        let answer: LinkAnswer = api::post("/api/links", &request).await?;
        let until = browser::unix_time() + i64::from(answer.document.expires_in);
        Ok(Opened { answer, birth_date, until })
    }
}

/// The birth date first, then the certificate.
#[component]
pub fn Link(
    /// The last part of the link's address.
    token: String,
) -> impl IntoView {
    let link = SmsLink {
        form: Form::new(),
        token: StoredValue::new(token),
        day: RwSignal::new(String::new()),
        month: RwSignal::new(String::new()),
        year: RwSignal::new(String::new()),
        opened: RwSignal::new(None),
        downloads: Downloads::new(),
    };
    let key =
        Signal::derive(
            move || if link.opened.read().is_some() { "site.link.opened" } else { "site.link.title" },
        );
    view! {
        <div class="column">
            <Heading key=key />
            {move || match link.opened.get() {
                Some(opened) => view! { <OpenedLink link=link opened=opened /> }.into_any(),
                None => view! { <BirthDateForm link=link /> }.into_any(),
            }}
        </div>
    }
}

/// Day, month and year of birth.
#[component]
fn BirthDateForm(
    /// The link.
    link: SmsLink,
) -> impl IntoView {
    let form = link.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        link.open();
    };
    let message = form.message(Field::BirthDate);
    let wrong = move || message.read().is_some();
    let part =
        move |id: &'static str, label: &'static str, autocomplete: &'static str, value: RwSignal<String>| {
            view! {
                <div>
                    <label for=id>{tr(label)}</label>
                    <input
                        id=id
                        class=if autocomplete == "bday-year" { "four" } else { "two" }
                        type="text"
                        inputmode="numeric"
                        autocomplete=autocomplete
                        aria-invalid=move || wrong().then_some("true")
                        prop:value=value
                        on:input=move |event| value.set(event_target_value(&event))
                    />
                </div>
            }
        };
    view! {
        <p>{tr("site.link.help")}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| link.open()) />
            <fieldset
                class="field"
                class:wrong=wrong
                aria-describedby=move || {
                    let hint = Field::BirthDate.hint_id();
                    if wrong() { format!("{hint} {}", Field::BirthDate.error_id()) } else { hint }
                }
            >
                <legend>{tr("site.field.birth_date.label")}</legend>
                <p class="hint" id=Field::BirthDate.hint_id()>
                    {tr("site.field.birth_date.hint")}
                </p>
                {move || {
                    message
                        .get()
                        .map(|message| view! { <p class="message" id=Field::BirthDate.error_id()>{message}</p> })
                }}
                <div class="parts">
                    {part(Field::BirthDate.id(), "site.field.birth_date.day", "bday-day", link.day)}
                    {part("field-birth-month", "site.field.birth_date.month", "bday-month", link.month)}
                    {part("field-birth-year", "site.field.birth_date.year", "bday-year", link.year)}
                </div>
            </fieldset>
            <BusyButton label="site.link.open" busy_label="site.link.opening" busy=form.busy />
        </form>
        <OtherWays />
    }
}

/// Where to go when the link does not help.
#[component]
fn OtherWays() -> impl IntoView {
    view! {
        <ul class="rows">
            <RowLink page=Page::Home sign=Sign::Home label="site.home.title" />
            <RowLink page=Page::LogIn sign=Sign::Person label="site.link.log_in" />
            <RowLink page=Page::Help sign=Sign::Help label="site.rows.help" />
        </ul>
    }
}

/// The certificate, and how to keep it.
#[component]
fn OpenedLink(
    /// The link.
    link: SmsLink,
    /// What it opened.
    opened: Opened,
) -> impl IntoView {
    let certificate = opened.answer.certificate;
    let (n, total) = (certificate.dose_number, certificate.doses_in_series);
    let (name, disease) = (certificate.name.clone(), certificate.disease.name.clone());
    let fetch = Callback::new(move |()| link.download());
    view! {
        <p>
            {tr_with(
                "site.link.whose",
                move |locale| {
                    vec![
                        ("name", name.clone()),
                        ("disease", disease.in_language(locale.tag()).to_owned()),
                        ("dose", bukti_locales::dose(locale, n, total)),
                    ]
                },
            )}
        </p>
        <FailureNotice failure=link.downloads.form.failure busy=link.downloads.form.busy retry=fetch />
        <CertificateView certificate=certificate downloads=link.downloads fetch=fetch />
        <p>{tr("site.link.print")}</p>
        <OtherWays />
    }
}
