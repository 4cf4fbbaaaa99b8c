//! The notice about a failed request.

use bukti_wire::ProblemCode;
use leptos::prelude::*;

use crate::api::Failure;
use crate::browser;
use crate::components::{BusyButton, HelpdeskLinks};
use crate::language::Language;

/// What the visitor can do about a failure.
fn remedy(failure: &Failure) -> Remedy {
    match failure.code() {
        None
        | Some(
            ProblemCode::Unavailable
            | ProblemCode::Internal
            | ProblemCode::TooManyRequests
            | ProblemCode::CertificateNotReady,
        ) => Remedy::Retry,
        Some(ProblemCode::CodeDead | ProblemCode::NotLoggedIn | ProblemCode::InvalidInput) => Remedy::None,
        // Only officers, who are the helpdesk's staff, receive these errors.
        Some(
            ProblemCode::NotAnOfficer
            | ProblemCode::SecondFactorNeeded
            | ProblemCode::CaseChanged
            | ProblemCode::RecordContradicts
            | ProblemCode::DoseWithdrawn
            | ProblemCode::NeedsSupervisor
            | ProblemCode::NothingToSend,
        ) => Remedy::None,
        Some(_) => Remedy::Helpdesk,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Remedy {
    Retry,
    Helpdesk,
    None,
}

/// Shows a failure and takes the focus. Offers a retry or the helpdesk's contact details if either
/// can help. The form keeps its input.
#[component]
pub fn FailureNotice(
    /// The failure to show, if any.
    #[prop(into)]
    failure: Signal<Option<Failure>>,
    /// Whether a retry is in progress.
    #[prop(into)]
    busy: Signal<bool>,
    retry: Callback<()>,
) -> impl IntoView {
    const ID: &str = "failure";
    let language = Language::current();
    browser::effect(Box::new(move || {
        if failure.read().is_some() {
            browser::focus_after_render(ID);
        }
    }));
    let notice = move |failure: Failure| {
        let remedy = remedy(&failure);
        let words = StoredValue::new(failure);
        view! {
            <div id=ID class="notice wrong" role="alert" tabindex="-1" aria-labelledby="failure-title">
                <h2 id="failure-title">{move || words.with_value(|failure| failure.title(language.get()))}</h2>
                <p>{move || words.with_value(|failure| failure.detail(language.get()))}</p>
                {match remedy {
                    Remedy::Retry => {
                        view! {
                            <BusyButton
                                label="site.retry"
                                busy_label="site.retrying"
                                busy=busy
                                class="button"
                                on_tap=retry
                            />
                        }
                            .into_any()
                    }
                    Remedy::Helpdesk => view! { <HelpdeskLinks /> }.into_any(),
                    Remedy::None => ().into_any(),
                }}
            </div>
        }
    };
    move || failure.get().map(notice)
}
