//! A certificate as a picture.

use bukti_locales::fill;
use bukti_wire::Certificate;
use leptos::html;
use leptos::prelude::*;

use crate::browser;
use crate::components::{BusyButton, Icon, Sign};
use crate::language::{Language, tr};

/// A certificate: its picture, which a tap enlarges, the button for the PDF and the warning beside it.
#[component]
pub fn CertificateView(
    /// The certificate.
    certificate: Certificate,
    /// Whether the PDF is being fetched.
    #[prop(into)]
    busy: Signal<bool>,
    /// Fetches the PDF.
    download: Callback<()>,
) -> impl IntoView {
    let language = Language::current();
    let source = StoredValue::new(browser::picture_address(&certificate.picture));
    let certificate = StoredValue::new(certificate);
    // The same for both pictures: what somebody who does not see it needs from it.
    let described = Signal::derive(move || {
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
            // It fails only where the dialog is open already.
            let _ = dialog.show_modal();
        }
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <div class="certificate">
            <button type="button" class="picture" on:click=enlarge>
                <img src=source.get_value() alt=described />
                <span class="enlarge">{tr("site.certificate.enlarge")}</span>
            </button>
            <div class="buttons">
                <BusyButton
                    label="site.certificate.download"
                    busy_label="site.certificate.downloading"
                    busy=busy
                    on_tap=download
                />
            </div>
            <p class="warning">
                <Icon sign=Sign::Wrong />
                <span>{tr("site.certificate.warning")}</span>
            </p>
            <dialog node_ref=dialog class="enlarged" aria-label=tr("site.certificate.enlarged") on:click=close>
                <img src=source.get_value() alt=described />
                <p>{tr("site.certificate.bright")}</p>
                <button type="button" class="button" on:click=close>
                    {tr("site.close")}
                </button>
            </dialog>
        </div>
    }
}
