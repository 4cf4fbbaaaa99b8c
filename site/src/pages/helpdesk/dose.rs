//! A dose as officers see it: the record, what the citizen sees, and the events in the dose's
//! trail.

use bukti_domain::{PhoneNumber, parse_date};
use bukti_locales::{Locale, text};
use bukti_wire::{ApplicantStatement, OfficerDose, RecordedDose, TrailEntry};
use leptos::prelude::*;

use crate::components::{DiagnosisCard, FactList, Facts};
use crate::describe;
use crate::language::{Language, tr, tr_with};

/// The fields of the record, in the order of the paper form, as pairs of label (text key) and
/// value.
fn facts(locale: Locale, recorded: &RecordedDose) -> Vec<(&'static str, String)> {
    let blank = |fact: &str| {
        if fact.trim().is_empty() {
            text(locale, "site.console.dose.blank").to_owned()
        } else {
            fact.to_owned()
        }
    };
    [
        ("site.console.dose.identity", &recorded.identity),
        ("site.console.dose.name", &recorded.name),
        ("site.console.dose.birth_date", &recorded.birth_date),
        ("site.console.dose.phone", &recorded.phone),
        ("site.console.dose.sex", &recorded.sex),
        ("site.console.dose.number", &recorded.dose_number),
        ("site.card.vaccine", &recorded.vaccine),
        ("site.verify.batch", &recorded.batch),
        ("site.card.date", &recorded.vaccination_date),
        ("site.card.facility", &recorded.facility),
    ]
    .map(|(label, fact)| (label, blank(fact)))
    .into()
}

#[component]
pub fn RecordFacts(recorded: RecordedDose) -> impl IntoView {
    let facts: Facts = Box::new(move |locale| facts(locale, &recorded));
    view! { <FactList facts=facts /> }
}

/// The label of a dose in a list of options.
pub fn dose_title(locale: Locale, dose: &OfficerDose) -> String {
    let recorded = &dose.recorded;
    bukti_locales::fill(
        locale,
        "site.console.dose.title",
        &[("n", &recorded.dose_number), ("vaccine", &recorded.vaccine), ("date", &recorded.vaccination_date)],
    )
}

/// Shows a dose: why it may belong to the person, the record, the certificate, what the citizen
/// sees, and the dose's trail.
#[component]
pub fn DoseView(
    dose: OfficerDose,
    /// The applicant's statement, to be shown next to the record.
    #[prop(optional)]
    said: Option<ApplicantStatement>,
    /// Controls for actions on the dose.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let language = Language::current();
    let named = dose.clone();
    let title = move || dose_title(language.get(), &named);
    let likeness = |code: &'static str| {
        view! { <li>{move || describe::case_text(language.get(), "likeness", code)}</li> }
    };
    let likenesses = (!dose.likenesses.is_empty()).then(|| {
        let lines = dose.likenesses.iter().map(|it| likeness(it.code())).collect_view();
        view! {
            <p class="label">{tr("site.console.dose.likenesses")}</p>
            <ul>{lines}</ul>
        }
    });
    let values = match said {
        Some(said) => view! { <Comparison said=said recorded=dose.recorded.clone() /> }.into_any(),
        None => view! { <RecordFacts recorded=dose.recorded.clone() /> }.into_any(),
    };
    let certificate = dose.certificate.map(|id| {
        view! { <p>{tr_with("site.console.dose.certificate", move |_| vec![("id", id.clone())])}</p> }
    });
    let duplicate =
        dose.duplicate_of.map(|_| view! { <p class="hint">{tr("site.console.dose.duplicate")}</p> });
    view! {
        <article class="card">
            <div class="inside">
                <h3>{title}</h3>
                {duplicate}
                {likenesses}
                {values}
                {certificate}
                <DiagnosisCard diagnosis=dose.status.diagnosis.clone() dose=dose.status />
                <Trail trail=dose.trail />
                {children.map(|children| children())}
            </div>
        </article>
    }
}

/// Lists what happened to a dose, oldest first.
#[component]
fn Trail(trail: Vec<TrailEntry>) -> impl IntoView {
    let language = Language::current();
    let entry = move |TrailEntry { at, what, detail }| {
        let words = move || {
            let locale = language.get();
            let detail = detail.as_ref().map(|detail| describe::case_text(locale, "outcome", detail));
            let what = describe::case_text(locale, "trail", what.code());
            detail.map_or(what.clone(), |detail| format!("{what} ({detail})"))
        };
        view! {
            <li>
                <span class="hint">{move || describe::moment_at(language.get(), at)}</span>
                <span>{words}</span>
            </li>
        }
    };
    view! {
        <details>
            <summary>{tr("site.console.dose.trail")}</summary>
            <ul class="entries">{trail.into_iter().map(entry).collect_view()}</ul>
        </details>
    }
}

/// A field of the applicant's statement, with the same field of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ComparedField {
    label: &'static str,
    said: String,
    recorded: String,
    differs: bool,
}

/// Whether two values have the same meaning despite different spelling. Names are compared more
/// simply than on the server, whose matching tables would triple every visitor's download.
fn is_same_value(label: &str, stated: &str, recorded: &str) -> bool {
    let plain = |text: &str| {
        text.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_uppercase).collect::<String>()
    };
    match label {
        "site.console.dose.phone" => {
            let e164 = |text: &str| PhoneNumber::parse(text).map(|phone| phone.e164().to_owned());
            e164(stated).is_some() && e164(stated) == e164(recorded)
        }
        "site.console.dose.birth_date" | "site.card.date" => {
            parse_date(stated.trim()).is_some() && parse_date(stated.trim()) == parse_date(recorded.trim())
        }
        // Applicants state only the facility's name. The record also contains its code.
        "site.card.facility" => plain(recorded).contains(&plain(stated)),
        _ => plain(stated) == plain(recorded),
    }
}

/// Pairs each field of the statement with the same field of the record.
fn compare_fields(said: &ApplicantStatement, recorded: &RecordedDose) -> Vec<ComparedField> {
    let mut fields = vec![
        ("site.console.dose.identity", said.identity.clone(), &recorded.identity),
        ("site.console.dose.name", said.name.clone(), &recorded.name),
        ("site.console.dose.birth_date", said.birth_date.clone(), &recorded.birth_date),
        ("site.console.dose.phone", said.phone.clone(), &recorded.phone),
    ];
    match &said.dose {
        Some(dose) => fields.extend([
            ("site.console.dose.number", dose.dose_number.to_string(), &recorded.dose_number),
            ("site.card.vaccine", dose.vaccine.clone(), &recorded.vaccine),
            ("site.card.date", dose.vaccination_date.clone(), &recorded.vaccination_date),
            ("site.card.facility", dose.facility.clone(), &recorded.facility),
        ]),
        // A single digit can only be a dose number.
        None if said.right.trim().len() == 1 => {
            fields.push(("site.console.dose.number", said.right.clone(), &recorded.dose_number));
        }
        None => {}
    }
    let pair = |(label, said, recorded): (&'static str, String, &String)| {
        let differs = !is_same_value(label, &said, recorded);
        ComparedField { label, said, recorded: recorded.clone(), differs }
    };
    fields.into_iter().map(pair).collect()
}

/// Shows the statement next to the record, field by field. A badge marks the fields that differ.
#[component]
fn Comparison(said: ApplicantStatement, recorded: RecordedDose) -> impl IntoView {
    let language = Language::current();
    let both = StoredValue::new((said, recorded));
    let row = move |pair: ComparedField, locale: Locale| {
        let words = |key: &str| text(locale, key).to_owned();
        let or_blank =
            |value: String| if value.trim().is_empty() { words("site.console.dose.blank") } else { value };
        let mark = pair.differs.then(|| {
            view! { <span class="badge waiting">{words("site.console.dose.differs")}</span> }
        });
        view! {
            <div class="pair" class:differs=pair.differs>
                <dt>{words(pair.label)} " " {mark}</dt>
                <dd>
                    <span class="hint">{words("site.console.dose.said")}</span>
                    {or_blank(pair.said)}
                </dd>
                <dd>
                    <span class="hint">{words("site.console.dose.recorded")}</span>
                    {or_blank(pair.recorded)}
                </dd>
            </div>
        }
    };
    let rows = move || {
        let locale = language.get();
        let pairs = both.with_value(|(said, recorded)| compare_fields(said, recorded));
        pairs.into_iter().map(|pair| row(pair, locale)).collect_view()
    };
    let others = both.with_value(|(said, recorded)| (said.dose.is_none(), recorded.clone()));
    let (has_rest, recorded) = others;
    let rest: Facts = Box::new(move |locale| {
        let said = ["site.console.dose.identity", "site.console.dose.name", "site.console.dose.birth_date"];
        let mut facts = facts(locale, &recorded);
        facts.retain(|(label, _)| !said.contains(label) && *label != "site.console.dose.phone");
        facts
    });
    let rest = has_rest.then(|| view! { <FactList facts=rest /> });
    view! {
        <dl class="beside">{rows}</dl>
        {rest}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> RecordedDose {
        RecordedDose {
            identity: "3171012401896246".into(),
            name: "Iwan Ibrahim Purnama".into(),
            birth_date: "1989-01-24".into(),
            sex: "L".into(),
            phone: "0812 3456 7890".into(),
            dose_number: "1".into(),
            vaccine: "CoronaVac".into(),
            batch: "AZ56327A".into(),
            vaccination_date: "2021-01-29".into(),
            facility: "P3174020101 Puskesmas Kebayoran Baru".into(),
        }
    }

    fn said() -> ApplicantStatement {
        ApplicantStatement {
            identity: "3171 0124 0189 6246".into(),
            name: "IWAN IBRAHIM PURNOMO".into(),
            birth_date: "1989-01-24".into(),
            phone: "+6281234567890".into(),
            right: "IWAN IBRAHIM PURNOMO".into(),
            dose: None,
            note: String::new(),
        }
    }

    #[test]
    fn marks_only_fields_that_differ() {
        let differing = |said: &ApplicantStatement| -> Vec<_> {
            compare_fields(said, &recorded())
                .into_iter()
                .filter(|pair| pair.differs)
                .map(|pair| pair.label)
                .collect()
        };
        assert_eq!(differing(&said()), ["site.console.dose.name"]);
        let right = ApplicantStatement { name: "Iwan Ibrahim Purnama".into(), right: "2".into(), ..said() };
        assert_eq!(differing(&right), ["site.console.dose.number"]);
        let dose = bukti_wire::StatedDose {
            dose_number: 1,
            vaccine: "CoronaVac".into(),
            vaccination_date: "2021-01-30".into(),
            facility: "puskesmas kebayoran baru".into(),
        };
        let missing = ApplicantStatement {
            name: "Iwan Ibrahim Purnama".into(),
            right: "".into(),
            dose: Some(dose),
            ..said()
        };
        assert_eq!(differing(&missing), ["site.card.date"]);
    }
}
