//! Cards that show a dose, the state of its certificate, and what to do next.

use bukti_domain::{NextStep, Tone};
use bukti_locales::Locale;
use bukti_wire::{Diagnosis, DoseStatus};
use leptos::prelude::*;

use crate::components::{FactList, Facts, HelpdeskLine, HelpdeskLinks, Icon, Symbol};
use crate::describe;
use crate::language::{Language, tr, tr_with};
use crate::place::{Page, path_to};

/// The CSS class and the icon for a tone.
pub fn tone_style(tone: Tone) -> (&'static str, Symbol) {
    match tone {
        Tone::Good => ("good", Symbol::Good),
        Tone::Waiting => ("waiting", Symbol::Waiting),
        Tone::Wrong => ("wrong", Symbol::Wrong),
    }
}

/// Shows a dose with its diagnosis.
#[component]
pub fn DoseCard(
    dose: DoseStatus,
    /// Called to return to the form; `None` if the page has no form.
    #[prop(optional)]
    on_check_input: Option<Callback<()>>,
) -> impl IntoView {
    view! { <DiagnosisCard diagnosis=dose.diagnosis.clone() dose=dose on_check_input=on_check_input /> }
}

/// Shows a diagnosis: what is wrong and why, who has to act, how long the next step usually takes,
/// and what to do.
#[component]
pub fn DiagnosisCard(
    diagnosis: Diagnosis,
    /// The dose that the diagnosis is about; `None` if it is not about a single dose.
    #[prop(optional, into)]
    dose: Option<DoseStatus>,
    /// Called to return to the form; `None` if the page has no form.
    #[prop(optional_no_strip)]
    on_check_input: Option<Callback<()>>,
) -> impl IntoView {
    let language = Language::current();
    let (class, symbol) = tone_style(diagnosis.code.tone());
    let number = dose.as_ref().and_then(|dose| dose.dose_number);
    let facts =
        dose.clone().map(|dose| view! { <FactList facts=Box::new(move |locale| facts(locale, &dose)) /> });
    let both = StoredValue::new((diagnosis.clone(), dose));
    let title =
        move || both.with_value(|(diagnosis, _)| describe::diagnosis_title(language.get(), diagnosis));
    let words = move || {
        both.with_value(|(diagnosis, dose)| {
            describe::diagnosis_text(language.get(), diagnosis, dose.as_ref())
        })
    };
    let (actor, usual) = (diagnosis.actor, diagnosis.usual_days);
    let waiting: Facts = Box::new(move |locale| {
        let who = describe::actor(locale, actor).map(|who| ("site.card.who_acts", who));
        let usual = usual.map(|days| ("site.card.usually", describe::usual_days(locale, days)));
        who.into_iter().chain(usual).collect()
    });
    let steps = diagnosis.next_steps;
    view! {
        <article class="card">
            <h3 class=format!("state {class}")>
                <Icon symbol=symbol />
                <span>
                    {number
                        .map(|n| {
                            view! {
                                <span class="dose">
                                    {tr_with("site.card.dose", move |_| vec![("n", n.to_string())])}
                                </span>
                            }
                        })} {title}
                </span>
            </h3>
            <div class="inside">
                {facts} <p>{words}</p>
                <FactList facts=waiting /> <h4>{tr("site.card.next")}</h4>
                <ul class="steps">
                    {steps
                        .into_iter()
                        .enumerate()
                        .map(|(at, step)| {
                            view! { <li><Step step=step first=at == 0 on_check_input=on_check_input /></li> }
                        })
                        .collect_view()}
                </ul>
            </div>
        </article>
    }
}

/// The known facts about a dose, as pairs of label (text key) and value.
fn facts(locale: Locale, dose: &DoseStatus) -> Vec<(&'static str, String)> {
    let disease = dose.disease.as_ref().map(|disease| disease.name.in_language(locale.tag()).to_owned());
    let facts = [
        ("site.card.disease", disease),
        ("site.card.vaccine", dose.vaccine.clone()),
        ("site.card.date", dose.vaccination_date.map(|date| bukti_locales::date(locale, date))),
        ("site.card.facility", dose.facility.clone()),
    ];
    facts.into_iter().filter_map(|(label, fact)| Some((label, fact?))).collect()
}

/// A next step. It is a button if the step can be done on the site, otherwise a sentence.
#[component]
fn Step(
    step: NextStep,
    /// Whether this is the first step, which is the most useful one.
    first: bool,
    /// Called to return to the form; `None` if the page has no form.
    #[prop(optional_no_strip)]
    on_check_input: Option<Callback<()>>,
) -> impl IntoView {
    let language = Language::current();
    let words = move || describe::next_step(language.get(), step);
    match (step, on_check_input) {
        (NextStep::LogIn, _) => view! { <a href=path_to(Page::LogIn) class="button">{words}</a> }.into_any(),
        (NextStep::CheckInput, Some(back)) => view! {
            <button type="button" class="button" on:click=move |_| back.run(())>
                {words}
            </button>
        }
        .into_any(),
        (NextStep::ContactHelpdesk, _) if first => view! {
            <p>{words}</p>
            <CorrectionLink />
            <HelpdeskLinks />
        }
        .into_any(),
        (NextStep::ContactHelpdesk, _) => view! {
            <p>{words} " " <HelpdeskLine /></p>
            <CorrectionLink />
        }
        .into_any(),
        _ => view! { <p>{words}</p> }.into_any(),
    }
}

/// A link to the corrections page.
#[component]
fn CorrectionLink() -> impl IntoView {
    view! {
        <a href=path_to(Page::Correction) class="button">
            {tr("site.rows.correction")}
        </a>
    }
}
