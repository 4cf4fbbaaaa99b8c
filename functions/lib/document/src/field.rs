//! What differs from certificate to certificate.

use std::borrow::Cow;

use bukti_domain::{DiseaseName, Sex};
use bukti_locales::{Locale, birth_date, date, dose, fill, text};

use crate::Certificate;
use crate::words::{self, shown};

/// Something that a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Identity,
    BirthDate,
    /// The birth date with the word for it before it.
    Born,
    Sex,
    Nationality,
    Dose,
    Disease,
    Vaccine,
    /// The disease, then the vaccine.
    Given,
    Batch,
    VaccinationDate,
    Facility,
    IssuedOn,
    /// From when the international certificate is valid, where the regulations say so.
    ValidFrom,
    /// The sentence of the international certificate.
    Statement,
    /// The certificate's id.
    Id,
    /// One group of the id, from 0.
    IdGroup(usize),
    /// One group of the id as it is read out.
    GroupSpelled(usize),
    /// The whole id as it is read out.
    IdSpelled,
}

/// The languages of paper. Where two stand side by side there is no room for another.
pub(crate) const PRINTED_IN: [Locale; 2] = [Locale::Id, Locale::En];

/// The language of a text, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    One(Locale),
    Both,
}

impl Language {
    /// The languages, the first one first.
    pub(crate) fn locales(&self) -> &[Locale] {
        match self {
            Self::One(locale) => std::slice::from_ref(locale),
            Self::Both => &PRINTED_IN,
        }
    }

    /// What both languages say, once where they say the same.
    pub(crate) fn say<'t, T: Into<Cow<'t, str>>>(self, words: impl Fn(Locale) -> T) -> Cow<'t, str> {
        match self {
            Self::One(locale) => words(locale).into(),
            Self::Both => {
                let (id, en) = (words(Locale::Id).into(), words(Locale::En).into());
                if id == en { id } else { format!("{id} / {en}").into() }
            }
        }
    }

    /// The words of a key.
    pub(crate) fn text(self, key: &'static str) -> Cow<'static, str> {
        self.say(|locale| text(locale, key))
    }
}

impl Field {
    /// What a certificate says there; empty where it says nothing.
    pub(crate) fn text(self, certificate: &Certificate<'_>, language: Language) -> String {
        match self {
            Self::Name => shown(certificate.name),
            Self::Identity => shown(&certificate.identity),
            Self::BirthDate => language.say(|locale| birth_date(locale, certificate.birth_date)).into_owned(),
            Self::Born => language
                .say(|locale| {
                    let day = birth_date(locale, certificate.birth_date);
                    fill(locale, "document.born", &[("date", &day)])
                })
                .into_owned(),
            Self::Sex => {
                let key = match certificate.sex {
                    Some(Sex::Female) => "document.sex_female",
                    Some(Sex::Male) => "document.sex_male",
                    None => "document.sex_unknown",
                };
                language.text(key).into_owned()
            }
            Self::Nationality => certificate.nationality.unwrap_or("–").to_owned(),
            Self::Dose => language
                .say(|locale| dose(locale, certificate.dose_number, certificate.doses_in_series))
                .into_owned(),
            Self::Disease => disease(certificate.disease, language),
            Self::Vaccine => shown(certificate.vaccine),
            Self::Given => {
                format!("{} · {}", disease(certificate.disease, language), shown(certificate.vaccine))
            }
            Self::Batch => shown(certificate.batch),
            Self::VaccinationDate => {
                language.say(|locale| date(locale, certificate.vaccination_date)).into_owned()
            }
            Self::Facility => shown(certificate.facility),
            Self::IssuedOn => language.say(|locale| date(locale, certificate.issued_on)).into_owned(),
            Self::ValidFrom => match certificate.valid_from {
                Some(from) => language
                    .say(|locale| fill(locale, "document.valid_from", &[("date", &date(locale, from))]))
                    .into_owned(),
                None => String::new(),
            },
            Self::Statement => language
                .say(|locale| {
                    let disease = disease(certificate.disease, Language::One(locale));
                    fill(locale, "document.icvp_statement", &[("disease", &disease)])
                })
                .into_owned(),
            Self::Id => shown(certificate.id),
            Self::IdGroup(group) => shown(certificate.id.split('-').nth(group).unwrap_or_default()),
            Self::GroupSpelled(group) => {
                words::spelled(certificate.id.split('-').nth(group).unwrap_or_default())
            }
            Self::IdSpelled => {
                let groups: Vec<String> = certificate.id.split('-').map(words::spelled).collect();
                groups.join(" · ")
            }
        }
    }
}

fn disease(name: &DiseaseName, language: Language) -> String {
    language.say(|locale| shown(name.in_language(locale.tag()))).into_owned()
}
