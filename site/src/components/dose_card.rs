//! A dose, the state of its certificate, and what to do next.

use bukti_domain::NextStep;
use bukti_wire::{Diagnosis, DoseStatus};
use leptos::prelude::*;

use crate::components::{HelpdeskLine, HelpdeskLinks, Icon, Sign};
use crate::describe::{self, Mood};
use crate::language::{Language, tr, tr_with};

/// The class and the icon of a mood.
pub fn look(mood: Mood) -> (&'static str, Sign) {
    match mood {
        Mood::Good => ("good", Sign::Good),
        Mood::Waiting => ("waiting", Sign::Waiting),
        Mood::Wrong => ("wrong", Sign::Wrong),
    }
}

/// A dose as a card: what, when, where, and its diagnosis.
#[component]
pub fn DoseCard(
    /// The dose.
    dose: DoseStatus,
    /// Leads back to the form, where there is one.
    #[prop(optional)]
    on_check_input: Option<Callback<()>>,
) -> impl IntoView {
    view! { <DiagnosisCard diagnosis=dose.diagnosis.clone() dose=dose on_check_input=on_check_input /> }
}

/// A diagnosis as a card: what is the matter, why, who must act, how long it takes, what to do next.
#[component]
pub fn DiagnosisCard(
    /// The diagnosis.
    diagnosis: Diagnosis,
    /// The dose it is about, where it is about one.
    #[prop(optional, into)]
    dose: Option<DoseStatus>,
    /// Leads back to the form, where there is one.
    #[prop(optional_no_strip)]
    on_check_input: Option<Callback<()>>,
) -> impl IntoView {
    let language = Language::current();
    let (class, sign) = look(describe::mood(diagnosis.code));
    let number = dose.as_ref().and_then(|dose| dose.dose_number);
    let facts = dose.clone().map(|dose| view! { <Facts dose=dose /> });
    let both = StoredValue::new((diagnosis.clone(), dose));
    let title =
        move || both.with_value(|(diagnosis, _)| describe::diagnosis_title(language.get(), diagnosis));
    let words = move || {
        both.with_value(|(diagnosis, dose)| {
            describe::diagnosis_text(language.get(), diagnosis, dose.as_ref())
        })
    };
    let actor = diagnosis.actor;
    let who = move || describe::actor(language.get(), actor);
    let usual = diagnosis.usual_days.map(|days| {
        view! {
            <div>
                <dt>{tr("site.card.usually")}</dt>
                <dd>{move || describe::usual_days(language.get(), days)}</dd>
            </div>
        }
    });
    let who_acts = tr("site.card.who_acts");
    let steps = diagnosis.next_steps;
    view! {
        <article class="card">
            <h3 class=format!("state {class}")>
                <Icon sign=sign />
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
                <dl class="facts">
                    {move || who().map(|who| view! { <div><dt>{who_acts}</dt><dd>{who}</dd></div> })} {usual}
                </dl> <h4>{tr("site.card.next")}</h4>
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

/// Disease, vaccine, date and facility, each where it is known.
#[component]
fn Facts(
    /// The dose.
    dose: DoseStatus,
) -> impl IntoView {
    let language = Language::current();
    let row = |key: &'static str, value: AnyView| view! { <div><dt>{tr(key)}</dt><dd>{value}</dd></div> };
    view! {
        <dl class="facts">
            {dose
                .disease
                .map(|disease| {
                    let name = move || disease.name.in_language(language.get().tag()).to_owned();
                    row("site.card.disease", name.into_any())
                })}
            {dose.vaccine.map(|vaccine| row("site.card.vaccine", vaccine.into_any()))}
            {dose
                .vaccination_date
                .map(|date| {
                    row("site.card.date", (move || bukti_locales::date(language.get(), date)).into_any())
                })}
            {dose.facility.map(|facility| row("site.card.facility", facility.into_any()))}
        </dl>
    }
}

/// A next step: a button where something can be done here, else a sentence.
#[component]
fn Step(
    /// Which step.
    step: NextStep,
    /// Whether it is the most useful one.
    first: bool,
    /// Leads back to the form, where there is one.
    #[prop(optional_no_strip)]
    on_check_input: Option<Callback<()>>,
) -> impl IntoView {
    let language = Language::current();
    let words = move || describe::next_step(language.get(), step);
    match (step, on_check_input) {
        (NextStep::LogIn, _) => view! { <a href="/masuk" class="button">{words}</a> }.into_any(),
        (NextStep::CheckInput, Some(back)) => view! {
            <button type="button" class="button" on:click=move |_| back.run(())>
                {words}
            </button>
        }
        .into_any(),
        (NextStep::ContactHelpdesk, _) if first => view! {
            <p>{words}</p>
            <HelpdeskLinks />
        }
        .into_any(),
        (NextStep::ContactHelpdesk, _) => view! { <p>{words} " " <HelpdeskLine /></p> }.into_any(),
        _ => view! { <p>{words}</p> }.into_any(),
    }
}
