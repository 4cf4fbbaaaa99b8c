//! `/s/:token`: the link in an SMS, which opens one certificate.

use bukti_domain::BirthDate;
use bukti_wire::{DocumentForm, HolderRoute, LinkAnswer, LinkRefusal, LinkRequest};
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::components::{
    BusyButton, CertificateView, DateField, Downloads, ErrorSummary, FailureNotice, Heading, HelpdeskLinks,
    RowLink, Symbol, TypedDate,
};
use crate::form::{Field, Form};
use crate::language::{tr, tr_with};
use crate::place::Page;

/// A document URL that expires within this many seconds is no longer opened.
const EXPIRY_MARGIN_SECONDS: i64 = 5;

#[derive(Clone)]
struct Opened {
    response: LinkAnswer,
    /// Needed to request the document in another form, or again after its URL has expired. It is
    /// not stored anywhere else.
    birth_date: BirthDate,
    /// Unix time in seconds at which the document's URL expires.
    expires_at: i64,
}

#[derive(Clone, Copy)]
struct SmsLink {
    form: Form,
    token: StoredValue<String>,
    birth_date: TypedDate,
    opened: RwSignal<Option<Opened>>,
    /// Whether the visitor has reported that somebody else requested the link.
    refused: RwSignal<bool>,
    refusal_form: Form,
    downloads: Downloads,
}

impl SmsLink {
    /// Opens the link with the typed birth date.
    fn open(self) {
        let date = match self.birth_date.check_birth_date() {
            Ok(date) => date,
            Err(problem) => return self.form.send(vec![problem], async { Ok(()) }),
        };
        self.form.send(Vec::new(), async move {
            self.opened.set(Some(self.request(date, DocumentForm::Complete).await?));
            browser::focus_after_render("page-heading");
            Ok(())
        });
    }

    /// Opens the requested document. For the complete document, uses the URL that came with the
    /// certificate until that URL expires.
    fn download(self) {
        self.downloads.form.send(Vec::new(), async move {
            let Some(mut opened) = self.opened.get_untracked() else { return Ok(()) };
            let (_, form) = self.downloads.requested();
            let is_complete = form == DocumentForm::Complete;
            if !is_complete || opened.expires_at < browser::unix_time() + EXPIRY_MARGIN_SECONDS {
                opened = self.request(opened.birth_date, form).await?;
                if is_complete {
                    // Do not notify subscribers: the image is unchanged, so nothing needs to be
                    // rendered again.
                    self.opened.update_untracked(|it| *it = Some(opened.clone()));
                }
            }
            browser::open_url(&opened.response.document.url);
            Ok(())
        });
    }

    /// Reports that somebody else requested the link. The report invalidates the link.
    fn refuse(self) {
        self.refusal_form.send(Vec::new(), async move {
            let refusal = LinkRefusal { token: self.token.get_value() };
            api::post_raw(HolderRoute::RefuseLink.path(), &refusal).await?;
            self.refused.set(true);
            browser::focus_after_render("page-heading");
            Ok(())
        });
    }

    async fn request(self, birth_date: BirthDate, form: DocumentForm) -> Result<Opened, api::Failure> {
        let request = LinkRequest {
            token: self.token.get_value(),
            birth_date: birth_date.to_string(),
            form: Some(form.code().to_owned()),
        };
        let response: LinkAnswer = api::post(HolderRoute::Link.path(), &request).await?;
        let expires_at = browser::unix_time() + i64::from(response.document.expires_in);
        Ok(Opened { response, birth_date, expires_at })
    }
}

/// Shows the form for the birth date, then the certificate.
#[component]
pub fn Link(token: String) -> impl IntoView {
    let link = SmsLink {
        form: Form::new(),
        token: StoredValue::new(token),
        birth_date: TypedDate::new(Field::BirthDate),
        opened: RwSignal::new(None),
        refused: RwSignal::new(false),
        refusal_form: Form::new(),
        downloads: Downloads::new(),
    };
    let key = Signal::derive(move || match link.opened.read().is_some() {
        _ if link.refused.get() => "site.link.refused.title",
        true => "site.link.opened",
        false => "site.link.title",
    });
    view! {
        <div class="column">
            <Heading key=key />
            {move || match link.opened.get() {
                _ if link.refused.get() => view! { <Refused /> }.into_any(),
                Some(opened) => view! { <OpenedLink link=link opened=opened /> }.into_any(),
                None => view! { <BirthDateForm link=link /> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn BirthDateForm(link: SmsLink) -> impl IntoView {
    let form = link.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        link.open();
    };
    view! {
        <p>{tr("site.link.help")}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| link.open()) />
            <DateField
                date=link.birth_date
                form=form
                label="site.field.birth_date.label"
                hint="site.field.birth_date.hint"
                is_birthday=true
            />
            <BusyButton label="site.link.open" busy_label="site.link.opening" busy=form.busy />
        </form>
        <Refusal link=link />
        <OtherPages />
    }
}

/// The "This was not me" button, for holders who did not request the link.
#[component]
fn Refusal(link: SmsLink) -> impl IntoView {
    let form = link.refusal_form;
    let refuse = Callback::new(move |()| link.refuse());
    view! {
        <details id="refusal">
            <summary>{tr("site.link.refusal.title")}</summary>
            <p>{tr("site.link.refusal.text")}</p>
            <FailureNotice failure=form.failure busy=form.busy retry=refuse />
            <BusyButton
                label="site.link.refusal.refuse"
                busy_label="site.link.refusal.refusing"
                busy=form.busy
                class="button"
                on_tap=refuse
            />
        </details>
    }
}

/// Confirms that the link no longer works.
#[component]
fn Refused() -> impl IntoView {
    view! {
        <p>{tr("site.link.refused.text")}</p>
        <HelpdeskLinks />
        <OtherPages />
    }
}

/// Links to other pages, for visitors who cannot use the SMS link.
#[component]
fn OtherPages() -> impl IntoView {
    view! {
        <ul class="rows">
            <RowLink page=Page::Home symbol=Symbol::Home label="site.home.title" />
            <RowLink page=Page::LogIn symbol=Symbol::Person label="site.link.log_in" />
            <RowLink page=Page::Correction symbol=Symbol::Pencil label="site.rows.correction" />
            <RowLink page=Page::Help symbol=Symbol::Help label="site.rows.help" />
        </ul>
    }
}

/// Shows the certificate, and the ways to save it.
#[component]
fn OpenedLink(link: SmsLink, opened: Opened) -> impl IntoView {
    let certificate = opened.response.certificate;
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
        <OtherPages />
    }
}
