//! Texts for the codes in API responses.

use bukti_domain::{Actor, CaseState, NextStep, Reason, Tone};
use bukti_locales::{Locale, fill, text};
use bukti_wire::{Diagnosis, DoseStatus, Person, UsualDays, Vaccines};
use jiff::civil::Date;

use crate::browser;

/// Formats a date with hour and minute.
pub fn moment(locale: Locale, (date, hour, minute): (Date, u32, u32)) -> String {
    let (hour, minute) = (format!("{hour:02}"), format!("{minute:02}"));
    let date = bukti_locales::date(locale, date);
    fill(locale, "site.moment", &[("date", &date), ("hour", &hour), ("minute", &minute)])
}

/// Formats a Unix time in seconds, in the browser's time zone. Empty if it is out of range.
pub fn moment_at(locale: Locale, seconds: i64) -> String {
    browser::local_time(seconds as f64 * 1000.0).map(|at| moment(locale, at)).unwrap_or_default()
}

pub fn case_tone(state: CaseState) -> Tone {
    match state {
        CaseState::Open | CaseState::AskedBack | CaseState::AwaitingApproval => Tone::Waiting,
        CaseState::Granted => Tone::Good,
        CaseState::Refused => Tone::Wrong,
    }
}

/// The label of a person among all people with the same phone number. It is the name, followed by
/// the last digits of the identity number and the year of birth if others have the same name.
pub fn person(locale: Locale, person: &Person, all: &[Person]) -> String {
    let is_namesake =
        |other: &Person| other.id != person.id && other.name.to_lowercase() == person.name.to_lowercase();
    if !all.iter().any(is_namesake) {
        return person.name.clone();
    }
    let identity = format!("••••{}", person.identity.trim_start_matches('•'));
    let year = person.birth_year.map_or_else(|| "?".to_owned(), |year| year.to_string());
    let values = [("name", &*person.name), ("identity", &*identity), ("year", &*year)];
    fill(locale, "site.account.namesake", &values)
}

/// The text for a code of the helpdesk. `kind` is the type of code, for example `state` or
/// `action`.
pub fn case_text(locale: Locale, kind: &str, code: &str) -> String {
    text(locale, &format!("site.case.{kind}.{code}")).to_owned()
}

/// Groups the vaccines by disease, in the order of the catalogue.
pub fn vaccines_by_disease(locale: Locale, vaccines: &Vaccines) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for choice in &vaccines.vaccines {
        let disease = choice.disease.name.in_language(locale.tag());
        match groups.iter_mut().find(|(name, _)| name == disease) {
            Some((_, names)) => names.push(choice.name.clone()),
            None => groups.push((disease.to_owned(), vec![choice.name.clone()])),
        }
    }
    groups
}

/// The heading of a diagnosis.
pub fn diagnosis_title(locale: Locale, diagnosis: &Diagnosis) -> String {
    text(locale, &format!("diagnosis.{}.title", diagnosis.code.code())).to_owned()
}

/// The text of a diagnosis: what is wrong, why, and what happens next.
pub fn diagnosis_text(locale: Locale, diagnosis: &Diagnosis, dose: Option<&DoseStatus>) -> String {
    let or = |value: Option<&String>, key| value.map_or_else(|| text(locale, key).to_owned(), String::clone);
    let facility = or(dose.and_then(|dose| dose.facility.as_ref()), "site.unknown.facility");
    let vaccine = or(dose.and_then(|dose| dose.vaccine.as_ref()), "site.unknown.vaccine");
    let hint = or(dose.and_then(|dose| dose.phone_hint.as_ref()), "site.unknown.hint");
    let n = dose.and_then(|dose| dose.dose_number).map(|n| n.to_string()).unwrap_or_default();
    let missing = reasons(locale, &diagnosis.reasons);
    let days = diagnosis.usual_days.unwrap_or(UsualDays { from: 0, to: 0 });
    let (from, to) = (days.from.to_string(), days.to.to_string());
    fill(
        locale,
        &format!("diagnosis.{}.text", diagnosis.code.code()),
        &[
            ("facility", &facility),
            ("missing", &missing),
            ("n", &n),
            ("vaccine", &vaccine),
            ("from", &from),
            ("to", &to),
            ("hint", &hint),
        ],
    )
}

/// Joins the reasons into a list for use in a sentence. Reasons about the phone number are omitted,
/// because they do not prevent a certificate.
fn reasons(locale: Locale, reasons: &[Reason]) -> String {
    let about_phone = [Reason::PhoneMissing, Reason::PhoneInvalid, Reason::PhoneCorrected];
    let mut nouns: Vec<&str> = Vec::new();
    for reason in reasons.iter().filter(|reason| !about_phone.contains(reason)) {
        let key = format!("diagnosis.reason.{}", reason.code());
        if let Some(noun) = bukti_locales::texts(locale).get(&key)
            && !nouns.contains(&noun.as_str())
        {
            nouns.push(noun);
        }
    }
    match nouns.split_last() {
        None => text(locale, "site.unknown.data").to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => {
            let key = if before.len() == 1 { "site.list_two" } else { "site.list_more" };
            fill(locale, key, &[("before", &before.join(", ")), ("last", last)])
        }
    }
}

/// Who has to act. `None` if no action is required.
pub fn actor(locale: Locale, actor: Actor) -> Option<String> {
    (actor != Actor::Nobody).then(|| text(locale, &format!("diagnosis.actor.{}", actor.code())).to_owned())
}

pub fn next_step(locale: Locale, step: NextStep) -> String {
    text(locale, &format!("diagnosis.next.{}", step.code())).to_owned()
}

/// How long the next step usually takes.
pub fn usual_days(locale: Locale, days: UsualDays) -> String {
    let key = match (days.from, days.to) {
        (0, 0 | 1) => "site.usual_days.next_day",
        (0, _) => "site.usual_days.up_to",
        _ => "site.usual_days.between",
    };
    fill(locale, key, &[("from", &days.from.to_string()), ("to", &days.to.to_string())])
}

#[cfg(test)]
mod tests {
    use bukti_domain::{
        Action, CertificateFacts, Correction, DiagnosisCode, Likeness, Outcome, Role, Verdict, diagnose,
    };
    use bukti_locales::texts;
    use bukti_wire::{ProblemCode, TrailStep};

    use super::*;

    #[test]
    fn labels_distinguish_people_of_same_name() {
        let of = |id: &str, name: &str, identity: &str, birth_year| Person {
            id: id.into(),
            name: name.into(),
            identity: identity.into(),
            birth_year,
        };
        let all = [
            of("1", "Siti Aminah", "••••••••••••1234", Some(1989)),
            of("2", "SITI AMINAH", "•••••8765", None),
            of("3", "Budi", "••••••••••••9999", Some(1950)),
        ];
        let labels = all.each_ref().map(|it| person(Locale::Id, it, &all));
        let expected = ["Siti Aminah (••••1234, lahir 1989)", "SITI AMINAH (••••8765, lahir ?)", "Budi"];
        assert_eq!(labels, expected);
    }

    fn diagnosis_of(verdict: Verdict, reasons: &[Reason]) -> Diagnosis {
        diagnose(verdict, reasons, CertificateFacts::None, None).into()
    }

    #[test]
    fn every_code_has_a_text() {
        let mut keys = Vec::new();
        for code in DiagnosisCode::ALL {
            keys.extend(["title", "text"].map(|part| format!("diagnosis.{}.{part}", code.code())));
        }
        keys.extend(Reason::ALL.iter().map(|it| format!("diagnosis.reason.{}", it.code())));
        keys.extend(Actor::ALL.iter().map(|it| format!("diagnosis.actor.{}", it.code())));
        keys.extend(NextStep::ALL.iter().map(|it| format!("diagnosis.next.{}", it.code())));
        for code in ProblemCode::ALL {
            keys.extend(["title", "detail"].map(|part| format!("problems.{}.{part}", code.code())));
        }
        for locale in Locale::ALL {
            let missing: Vec<_> = keys.iter().filter(|key| !texts(locale).contains_key(*key)).collect();
            assert!(missing.is_empty(), "keys without a text in {}: {missing:?}", locale.tag());
        }
    }

    #[test]
    fn every_case_code_has_a_text() {
        let outcomes =
            [Outcome::Issued, Outcome::Incomplete, Outcome::Held, Outcome::Rejected, Outcome::Retracted];
        let codes =
            |kind: &'static str, codes: Vec<&'static str>| codes.into_iter().map(move |it| (kind, it));
        let corrections: Vec<_> = Correction::ALL.iter().map(|it| it.code()).collect();
        let states: Vec<_> = CaseState::ALL.iter().map(|it| it.code()).collect();
        let all = codes("correction", corrections.clone())
            .chain(codes("correction_help", corrections))
            .chain(codes("state", states.clone()))
            .chain(codes("state_text", states))
            .chain(codes("likeness", Likeness::ALL.iter().map(|it| it.code()).collect()))
            .chain(codes("action", Action::ALL.iter().map(|it| it.code()).collect()))
            .chain(codes("trail", TrailStep::ALL.iter().map(|it| it.code()).collect()))
            .chain(codes("outcome", outcomes.map(Outcome::code).to_vec()))
            .chain(codes("role", Role::ALL.iter().map(|it| it.code()).collect()));
        let mut known: Vec<String> = Vec::new();
        for (kind, code) in all {
            for locale in Locale::ALL {
                assert!(!case_text(locale, kind, code).starts_with("site."), "{kind} {code}");
            }
            known.push(format!("site.case.{kind}.{code}"));
        }
        let unused: Vec<_> = texts(Locale::Id).keys().filter(|key| key.starts_with("site.case.")).collect();
        let unused: Vec<_> = unused.into_iter().filter(|key| !known.contains(key)).collect();
        assert!(unused.is_empty(), "texts that no code uses: {unused:?}");
    }

    #[test]
    fn diagnosis_texts_have_no_empty_placeholders() {
        for locale in Locale::ALL {
            for code in DiagnosisCode::ALL {
                let mut diagnosis = diagnosis_of(Verdict::Incomplete, &[]);
                diagnosis.code = *code;
                let text = diagnosis_text(locale, &diagnosis, None);
                assert!(!text.contains(['{', '}']) && !text.contains("site."), "{text}");
                assert!(!diagnosis_title(locale, &diagnosis).contains(['{', '}']));
            }
        }
    }

    #[test]
    fn joins_reasons_to_a_list() {
        let diagnosis = diagnosis_of(Verdict::Incomplete, &[Reason::BatchMissing, Reason::PhoneMissing]);
        assert_eq!(reasons(Locale::Id, &diagnosis.reasons), "nomor batch");
        let three = [Reason::BatchMissing, Reason::VaccineMissing, Reason::FacilityMissing];
        assert_eq!(reasons(Locale::Id, &three), "nomor batch, nama vaksin, dan nama fasilitas kesehatan");
        assert_eq!(reasons(Locale::Id, &three[..2]), "nomor batch dan nama vaksin");
        assert_eq!(reasons(Locale::Id, &[]), text(Locale::Id, "site.unknown.data"));
    }

    #[test]
    fn usual_days_are_put_in_plain_words() {
        let days = |from, to| usual_days(Locale::Id, UsualDays { from, to });
        assert_eq!(days(3, 7), "3–7 hari");
        assert_eq!(days(0, 1), "hari ini atau besok");
        assert_eq!(days(0, 5), "paling lama 5 hari");
    }
}
