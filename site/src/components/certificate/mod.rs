//! Shows a certificate as an image, with the ways to save it.

use bukti_locales::{Locale, fill, text};
use bukti_wire::{Certificate, DocumentForm};
use leptos::html;
use leptos::prelude::*;

use crate::browser;
use crate::components::{BusyButton, FactList, Facts, Icon, Symbol};
use crate::form::Form;
use crate::language::{Language, tr};

/// The document forms other than the complete one, with the text keys of their buttons.
const OTHER_FORMS: [(DocumentForm, &str); 3] = [
    (DocumentForm::A4, "site.certificate.a4"),
    (DocumentForm::Card, "site.certificate.card"),
    (DocumentForm::CardSheet, "site.certificate.card_sheet"),
];

/// The state of document downloads. Only one download runs at a time.
#[derive(Clone, Copy)]
pub struct Downloads {
    /// Tracks the current download and its failure.
    pub form: Form,
    /// Certificate id and document form of the latest request.
    requested: StoredValue<(String, DocumentForm)>,
}

impl Downloads {
    pub fn new() -> Self {
        Self { form: Form::new(), requested: StoredValue::default() }
    }

    pub fn requested(self) -> (String, DocumentForm) {
        self.requested.get_value()
    }
}

/// Shows the image of a certificate, which a tap enlarges, with buttons for its document forms, a
/// warning against sharing it, and its content as text.
#[component]
pub fn CertificateView(
    certificate: Certificate,
    downloads: Downloads,
    /// Called to fetch the requested document.
    fetch: Callback<()>,
) -> impl IntoView {
    let language = Language::current();
    let source = StoredValue::new(browser::svg_data_url(&certificate.picture));
    let certificate = StoredValue::new(certificate);
    // Alternative text for both images.
    let alt_text = Signal::derive(move || {
        let locale = language.get();
        certificate.with_value(|it| {
            fill(
                locale,
                "site.certificate.picture",
                &[
                    ("name", &it.name),
                    ("dose", &bukti_locales::dose(locale, it.dose_number, it.doses_in_series)),
                    ("vaccine", &it.vaccine),
                    ("disease", it.disease.name.in_language(locale.tag())),
                    ("date", &bukti_locales::date(locale, it.vaccination_date)),
                    ("id", &it.id),
                ],
            )
        })
    });
    let dialog = NodeRef::<html::Dialog>::new();
    let enlarge = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            // This fails only if the dialog is already open.
            let _ = dialog.show_modal();
        }
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let button = move |form: DocumentForm,
                       label: &'static str,
                       busy_label: &'static str,
                       class: &'static str| {
        let is_requested = move |(id, requested): &(String, DocumentForm)| {
            *requested == form && certificate.with_value(|it| it.id == *id)
        };
        let tap = move |()| {
            if !downloads.form.busy.get_untracked() {
                downloads.requested.set_value((certificate.with_value(|it| it.id.clone()), form));
                fetch.run(());
            }
        };
        view! {
            <BusyButton
                label=label
                busy_label=busy_label
                busy=Signal::derive(move || downloads.form.busy.get() && downloads.requested.with_value(is_requested))
                class=class
                on_tap=Callback::new(tap)
            />
        }
    };
    let other_buttons =
        OTHER_FORMS.map(|(form, label)| button(form, label, "site.certificate.preparing", "button"));
    let other_buttons = other_buttons.into_iter().collect_view();
    let facts: Facts = Box::new(move |locale| certificate.with_value(|it| facts(locale, it)));
    let copying = Form::new();
    let saving = Form::new();
    let status_key = RwSignal::new(String::new());
    let save = Callback::new(move |()| {
        saving.send(Vec::new(), async move {
            let (svg, name) = certificate.with_value(|it| {
                let name = format!("sertifikat-vaksin-{}-dosis-{}.png", it.disease.code, it.dose_number);
                (it.picture.clone(), name)
            });
            let saved = browser::save_as_wallpaper(&svg, &name).await;
            let key = if saved { "site.certificate.saved" } else { "site.certificate.not_saved" };
            status_key.set(key.to_owned());
            Ok(())
        });
    });
    let copy = Callback::new(move |()| {
        copying.send(Vec::new(), async move {
            let copied = browser::copy_to_clipboard(&certificate.with_value(|it| it.qr_text.clone())).await;
            let key = if copied { "site.certificate.copied" } else { "site.certificate.not_copied" };
            status_key.set(key.to_owned());
            Ok(())
        });
    });
    view! {
        <div class="certificate">
            <button type="button" class="picture" on:click=enlarge>
                <img src=source.get_value() alt=alt_text />
                <span class="enlarge">{tr("site.certificate.enlarge")}</span>
            </button>
            <div class="buttons">
                {button(
                    DocumentForm::Complete,
                    "site.certificate.download",
                    "site.certificate.downloading",
                    "button primary",
                )}
                <p class="hint">{tr("site.certificate.complete")}</p>
            </div>
            <fieldset class="forms">
                <legend>{tr("site.certificate.forms")}</legend>
                <div>
                    {other_buttons}
                    <BusyButton
                        label="site.certificate.wallpaper"
                        busy_label="site.certificate.preparing"
                        busy=saving.busy
                        class="button"
                        on_tap=save
                    />
                    <BusyButton
                        label="site.certificate.copy"
                        busy_label="site.certificate.preparing"
                        busy=copying.busy
                        class="button"
                        on_tap=copy
                    />
                </div>
                <p role="status">{move || text(language.get(), &status_key.read()).to_owned()}</p>
            </fieldset>
            <p class="warning">
                <Icon symbol=Symbol::Wrong />
                <span>{tr("site.certificate.warning")}</span>
            </p>
            <details>
                <summary>{tr("site.certificate.details")}</summary>
                <FactList facts=facts />
            </details>
            <dialog node_ref=dialog class="enlarged" aria-label=tr("site.certificate.enlarged") on:click=close>
                <img src=source.get_value() alt=alt_text />
                <p>{tr("site.certificate.bright")}</p>
                <button type="button" class="button" on:click=close>
                    {tr("site.close")}
                </button>
            </dialog>
        </div>
    }
}

/// The content of the certificate, as pairs of label (text key) and value.
fn facts(locale: Locale, certificate: &Certificate) -> Vec<(&'static str, String)> {
    let it = certificate;
    // Only WHO's international certificate (ICVP) does not state the number of doses in a series.
    let kind = if it.doses_in_series.is_none() { "common.title_icvp" } else { "common.title" };
    let day = |date| bukti_locales::date(locale, date);
    vec![
        ("site.verify.kind", text(locale, kind).to_owned()),
        ("site.verify.name", it.name.clone()),
        ("common.identity", it.identity.clone()),
        ("site.verify.birth_date", bukti_locales::birth_date(locale, it.birth_date)),
        ("site.verify.disease", it.disease.name.in_language(locale.tag()).to_owned()),
        ("site.verify.dose", bukti_locales::dose(locale, it.dose_number, it.doses_in_series)),
        ("site.card.vaccine", it.vaccine.clone()),
        ("site.verify.batch", it.batch.clone()),
        ("site.card.date", day(it.vaccination_date)),
        ("site.card.facility", it.facility.clone()),
        ("site.verify.issuer", it.issuer.clone()),
        ("site.certificate.issued_on", day(it.issued_on)),
        ("common.certificate_id", it.id.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use bukti_domain::disease;
    use bukti_wire::Disease;
    use jiff::civil::date;

    use super::*;

    fn certificate() -> Certificate {
        let name = disease("polio").unwrap().name.clone();
        Certificate {
            id: "7KQ2-M4XD-9TRA-6HVC".into(),
            name: "Siti Rahayu".into(),
            identity: "••••••••••••6246".into(),
            birth_date: date(1987, 3, 14).into(),
            dose_number: 1,
            doses_in_series: None,
            disease: Disease { code: "polio".into(), name },
            vaccine: "bOPV".into(),
            vaccination_date: date(2025, 10, 30),
            batch: "2021011234".into(),
            facility: "Puskesmas Menteng".into(),
            issuer: "Kementerian Kesehatan".into(),
            issued_on: date(2025, 11, 1),
            picture: String::new(),
            qr_text: "HC1:".into(),
        }
    }

    #[test]
    fn every_fact_and_form_has_a_text() {
        for locale in Locale::ALL {
            for (key, fact) in facts(locale, &certificate()) {
                assert_ne!(text(locale, key), key);
                assert!(!fact.is_empty() && !fact.contains("document."), "{key}: {fact}");
            }
            assert!(OTHER_FORMS.iter().all(|(_, label)| text(locale, label) != *label));
        }
        assert_eq!(OTHER_FORMS.len() + 1, DocumentForm::ALL.len(), "a button for each form");
    }
}
