//! The confirmation of identity data that were changed by law. It compares the data with what the
//! NIK encodes, and states how many doses the confirmation releases.

use bukti_domain::{DiagnosisCode, IdentityData, Reason, Sex};
use bukti_locales::{Locale, fill, text};
use bukti_wire::{OfficerCase, OfficerDose, RecordedDose};
use leptos::prelude::*;

use super::decision::Decision;
use crate::language::{Language, tr, tr_with};

/// The identity data of a dose, with the given birth date instead of the recorded one. `None` if
/// they cannot be parsed.
fn identity_data(recorded: &RecordedDose, birth_date: &str) -> Option<IdentityData> {
    IdentityData::parse(&recorded.identity, birth_date, &recorded.sex)
}

/// Counts the held doses that get certificates once these data are confirmed.
fn count_released(data: &IdentityData, doses: &[OfficerDose]) -> usize {
    let covered = data.covered();
    let is_held = |dose: &&OfficerDose| dose.status.diagnosis.code == DiagnosisCode::DoseHeld;
    let identity_data = |dose: &OfficerDose| identity_data(&dose.recorded, &dose.recorded.birth_date);
    doses
        .iter()
        .filter(is_held)
        .filter(|dose| identity_data(dose).is_some_and(|it| covered.contains(&it)))
        .count()
}

/// Formats the birth date that a NIK encodes. The year has only two digits.
fn encoded_birth_date(locale: Locale, (day, month, year): (i16, i16, i16)) -> String {
    let key = format!("common.month_{month}");
    // Some NIKs encode a month that does not exist.
    let month = if (1..=12).contains(&month) { text(locale, &key).to_owned() } else { month.to_string() };
    let (day, year) = (day.to_string(), format!("{year:02}"));
    fill(locale, "site.console.confirm.encoded_date", &[("day", &day), ("month", &month), ("year", &year)])
}

fn sex_name(locale: Locale, sex: Sex) -> String {
    let key = match sex {
        Sex::Male => "site.console.confirm.male",
        Sex::Female => "site.console.confirm.female",
    };
    text(locale, key).to_owned()
}

/// The rows for birth date and sex. Each has the text key of its label, the value that the NIK
/// encodes, the value to confirm, and whether the two differ.
fn comparison_rows(locale: Locale, data: &IdentityData) -> [(&'static str, String, String, bool); 2] {
    let differs = data.contradictions();
    let sex = data.sex.map(|sex| sex_name(locale, sex));
    [
        (
            "site.console.dose.birth_date",
            encoded_birth_date(locale, data.nik.encoded_birth_date()),
            bukti_locales::date(locale, data.birth_date),
            differs.contains(&Reason::NikBirthDateMismatch),
        ),
        (
            "site.console.dose.sex",
            sex_name(locale, data.nik.sex()),
            sex.unwrap_or_else(|| text(locale, "site.console.dose.blank").to_owned()),
            differs.contains(&Reason::NikSexMismatch),
        ),
    ]
}

/// Shows the values of the NIK and the data to confirm side by side, and how many doses the grant
/// releases.
#[component]
pub fn Confirmation(decision: Decision, case: OfficerCase) -> impl IntoView {
    let language = Language::current();
    let case = StoredValue::new(case);
    let data = Memo::new(move |_| {
        case.with_value(|case| match &case.proposal {
            Some(proposal) if decision.approves_proposal() => {
                identity_data(&proposal.row, &proposal.row.birth_date)
            }
            _ => {
                let dose = case.doses.iter().find(|dose| dose.id == *decision.dose.read())?;
                identity_data(&dose.recorded, &decision.correct_value.read())
            }
        })
    });
    let row = move |(label, encoded, correct_value, differs): (&str, String, String, bool),
                    locale: Locale| {
        let words = |key: &str| text(locale, key).to_owned();
        let mark = differs.then(|| {
            view! { <span class="badge waiting">{words("site.console.dose.differs")}</span> }
        });
        view! {
            <div class="pair" class:differs=differs>
                <dt>{words(label)} " " {mark}</dt>
                <dd>
                    <span class="hint">{words("site.console.confirm.nik")}</span>
                    {encoded}
                </dd>
                <dd>
                    <span class="hint">{words("site.console.confirm.right")}</span>
                    {correct_value}
                </dd>
            </div>
        }
    };
    let comparison = move || {
        let Some(data) = data.get() else {
            return view! { <p>{tr("site.console.confirm.choose")}</p> }.into_any();
        };
        let has_contradiction = !data.contradictions().is_empty();
        let count = case.with_value(|case| count_released(&data, &case.doses)).to_string();
        let effect_text = move || match has_contradiction {
            true => fill(language.get(), "site.console.confirm.releases", &[("n", &count)]),
            false => text(language.get(), "site.console.confirm.agrees").to_owned(),
        };
        let rows = move || {
            let locale = language.get();
            comparison_rows(locale, &data).into_iter().map(|it| row(it, locale)).collect_view()
        };
        view! {
            <dl class="beside">{rows}</dl>
            <p role="status">{effect_text}</p>
        }
        .into_any()
    };
    view! {
        <h3>{tr("site.console.confirm.title")}</h3>
        {comparison}
    }
}

/// Shows who confirmed the value that an officer proposes.
#[component]
pub fn ConfirmedBy(who: String) -> impl IntoView {
    view! { <p>{tr_with("site.console.case.confirmed_by", move |_| vec![("who", who.clone())])}</p> }
}

#[cfg(test)]
mod tests {
    use bukti_wire::{Diagnosis, DoseStatus};

    use super::*;

    fn dose(birth_date: &str, sex: &str, code: DiagnosisCode) -> OfficerDose {
        let mut diagnosis = Diagnosis::from(bukti_domain::diagnosis::not_received());
        diagnosis.code = code;
        OfficerDose {
            id: String::new(),
            duplicate_of: None,
            recorded: RecordedDose {
                identity: "3171012401896246".into(),
                name: "Iwan".into(),
                birth_date: birth_date.into(),
                sex: sex.into(),
                phone: String::new(),
                dose_number: "1".into(),
                vaccine: String::new(),
                batch: String::new(),
                vaccination_date: String::new(),
                facility: String::new(),
            },
            status: DoseStatus {
                dose_number: Some(1),
                disease: None,
                vaccine: None,
                vaccination_date: None,
                facility: None,
                diagnosis,
                issued_on: None,
                phone_hint: None,
            },
            certificate: None,
            trail: Vec::new(),
            likenesses: Vec::new(),
        }
    }

    #[test]
    fn counts_held_doses_with_the_same_data() {
        let held = DiagnosisCode::DoseHeld;
        let doses = [
            dose("1990-01-24", "L", held),
            dose("1990-01-24", "", held),
            dose("1990-01-24", "P", held),
            dose("1990-01-25", "L", held),
            dose("1989-01-24", "L", DiagnosisCode::CertificateIssued),
        ];
        let count_released =
            |right: &str| count_released(&identity_data(&doses[0].recorded, right).unwrap(), &doses);
        assert_eq!(count_released("1990-01-24"), 2);
        assert_eq!(count_released(" 1990-01-25 "), 1);
        assert_eq!(count_released("1991-01-24"), 0);
        assert!(identity_data(&doses[0].recorded, "1990").is_none());
    }

    #[test]
    fn shows_what_the_nik_encodes() {
        let data =
            identity_data(&dose("1990-01-24", "P", DiagnosisCode::DoseHeld).recorded, "1990-01-24").unwrap();
        let [born, sex] = comparison_rows(Locale::En, &data);
        assert_eq!(born.1, "24 January, year ending in 89");
        assert_eq!((&*born.2, born.3), ("24 January 1990", true));
        assert_eq!((&*sex.1, &*sex.2, sex.3), ("male (L)", "female (P)", true));
        assert_eq!(encoded_birth_date(Locale::En, (1, 13, 5)), "1 13, year ending in 05");
    }
}
