//! The values on a certificate, as text in one or two languages.

use std::borrow::Cow;

use bukti_domain::{DiseaseName, Sex};
use bukti_locales::{Locale, birth_date, date, dose, fill, text};

use crate::Certificate;
use crate::display_text::{for_display, spelled_out};

/// A value on a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Identity,
    BirthDate,
    /// The birth date with its label, for a layout without a separate label.
    LabelledBirthDate,
    Sex,
    Nationality,
    Dose,
    Disease,
    Vaccine,
    DiseaseAndVaccine,
    Batch,
    VaccinationDate,
    Facility,
    IssuedOn,
    /// The day from which an international certificate is valid for life; empty if the regulations
    /// define none.
    ValidFrom,
    /// The prescribed statement of an international certificate.
    Statement,
    Id,
    /// One group of the id, counted from 0.
    IdGroup(usize),
    /// One group of the id, spelled out, counted from 0.
    GroupSpelled(usize),
    /// The whole id, spelled out.
    IdSpelled,
}

/// The languages of the PDF, which has room for only two side by side.
pub(crate) const PRINTED_IN: [Locale; 2] = [Locale::Id, Locale::En];

/// One language, or both of [`PRINTED_IN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    One(Locale),
    Both,
}

impl Language {
    pub(crate) fn locales(&self) -> &[Locale] {
        match self {
            Self::One(locale) => std::slice::from_ref(locale),
            Self::Both => &PRINTED_IN,
        }
    }

    /// Renders a text in one language, or in both as `id / en`. If both are equal, the text appears
    /// only once.
    pub(crate) fn render<'t, T: Into<Cow<'t, str>>>(self, text: impl Fn(Locale) -> T) -> Cow<'t, str> {
        match self {
            Self::One(locale) => text(locale).into(),
            Self::Both => {
                let (id, en) = (text(Locale::Id).into(), text(Locale::En).into());
                if id == en { id } else { format!("{id} / {en}").into() }
            }
        }
    }

    /// Looks up a key of `functions/lib/locales` and renders its text.
    pub(crate) fn text(self, key: &'static str) -> Cow<'static, str> {
        self.render(|locale| text(locale, key))
    }
}

impl Field {
    /// Returns the certificate's value of this field; empty if it has none.
    pub(crate) fn text(self, certificate: &Certificate<'_>, language: Language) -> String {
        match self {
            Self::Name => for_display(certificate.name),
            Self::Identity => for_display(&certificate.identity),
            Self::BirthDate => {
                language.render(|locale| birth_date(locale, certificate.birth_date)).into_owned()
            }
            Self::LabelledBirthDate => language
                .render(|locale| {
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
                .render(|locale| dose(locale, certificate.dose_number, certificate.doses_in_series))
                .into_owned(),
            Self::Disease => disease(certificate.disease, language),
            Self::Vaccine => for_display(certificate.vaccine),
            Self::DiseaseAndVaccine => {
                format!("{} · {}", disease(certificate.disease, language), for_display(certificate.vaccine))
            }
            Self::Batch => for_display(certificate.batch),
            Self::VaccinationDate => {
                language.render(|locale| date(locale, certificate.vaccination_date)).into_owned()
            }
            Self::Facility => for_display(certificate.facility),
            Self::IssuedOn => language.render(|locale| date(locale, certificate.issued_on)).into_owned(),
            Self::ValidFrom => match certificate.valid_from {
                Some(from) => language
                    .render(|locale| fill(locale, "document.valid_from", &[("date", &date(locale, from))]))
                    .into_owned(),
                None => String::new(),
            },
            Self::Statement => language
                .render(|locale| {
                    let disease = disease(certificate.disease, Language::One(locale));
                    fill(locale, "document.icvp_statement", &[("disease", &disease)])
                })
                .into_owned(),
            Self::Id => for_display(certificate.id),
            Self::IdGroup(group) => for_display(certificate.id.split('-').nth(group).unwrap_or_default()),
            Self::GroupSpelled(group) => {
                spelled_out(certificate.id.split('-').nth(group).unwrap_or_default())
            }
            Self::IdSpelled => {
                let groups: Vec<String> = certificate.id.split('-').map(spelled_out).collect();
                groups.join(" · ")
            }
        }
    }
}

fn disease(name: &DiseaseName, language: Language) -> String {
    language.render(|locale| for_display(name.in_language(locale.tag()))).into_owned()
}
