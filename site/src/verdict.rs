//! Texts and appearance of a verdict.

use bukti_domain::{BirthDate, Tone, parse_date};
use bukti_hcert::{Content, Kind};
use bukti_locales::{Locale, text, texts};
use bukti_trust::{RevocationState, Verdict};
use serde::Deserialize;

/// The fields of [`bukti_trust::Report`] that the page shows. Times are RFC 3339 strings, which the
/// browser converts to local time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Report {
    pub verdict: Verdict,
    /// The content of the certificate; `None` if it could not be decoded.
    pub content: Option<Content>,
    /// The name of the signer.
    pub signer: Option<String>,
    pub issued_at: Option<String>,
    pub expires_at: Option<String>,
    /// Whether revocation could be checked.
    pub revocation: RevocationState,
    /// The publication time of the oldest revocation list that was checked.
    pub revocation_as_of: Option<String>,
}

/// Maximum age of lists in days. Older lists cause a warning.
pub const MAX_LIST_AGE_DAYS: f64 = 3.0;

/// The verdict that the page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayVerdict {
    Verdict(Verdict),
    /// The certificate is valid, but there are no revocation lists from its issuer.
    NoListsOfIssuer,
    /// No trust list is loaded, so no issuer is known.
    NoTrustList,
}

impl DisplayVerdict {
    #[cfg(test)]
    fn all() -> impl Iterator<Item = Self> {
        let verdicts = Verdict::ALL.iter().copied().map(Self::Verdict);
        verdicts.chain([Self::NoListsOfIssuer, Self::NoTrustList])
    }

    /// `has_signers` is whether the verifier had loaded a trust list.
    pub fn from_report(report: &Report, has_signers: bool) -> Self {
        match (report.verdict, report.revocation) {
            (Verdict::IssuerUnknown, _) if !has_signers => Self::NoTrustList,
            (Verdict::RevocationUnknown, RevocationState::NotCovered) => Self::NoListsOfIssuer,
            (verdict, _) => Self::Verdict(verdict),
        }
    }

    /// The code of the verdict in text keys.
    fn code(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.code(),
            Self::NoListsOfIssuer => "no_lists_of_issuer",
            Self::NoTrustList => "no_trust_list",
        }
    }

    /// The heading of the verdict.
    pub fn title(self, locale: Locale) -> String {
        text(locale, &format!("site.verdict.{}.title", self.code())).to_owned()
    }

    /// The text of the verdict: what it means and what to do.
    pub fn text(self, locale: Locale) -> String {
        text(locale, &format!("site.verdict.{}.text", self.code())).to_owned()
    }

    /// The tone of the verdict: `Good` if the certificate can be accepted, `Waiting` if it is
    /// authentic but not valid now or not fully checked, and `Wrong` if it must be rejected.
    pub fn tone(self) -> Tone {
        match self {
            Self::Verdict(Verdict::Valid) => Tone::Good,
            Self::Verdict(
                Verdict::Expired | Verdict::NotYetValid | Verdict::Superseded | Verdict::RevocationUnknown,
            )
            | Self::NoListsOfIssuer
            | Self::NoTrustList => Tone::Waiting,
            Self::Verdict(
                Verdict::Revoked | Verdict::IssuerUnknown | Verdict::Damaged | Verdict::NotACertificate,
            ) => Tone::Wrong,
        }
    }

    /// Whether a trusted issuer signed the content. If not, the page does not show the content.
    pub fn is_authentic(self) -> bool {
        !matches!(
            self,
            Self::Verdict(Verdict::IssuerUnknown | Verdict::Damaged | Verdict::NotACertificate)
                | Self::NoTrustList
        )
    }
}

/// The content of a certificate, as pairs of label (text key) and value.
pub fn facts(locale: Locale, content: &Content) -> Vec<(&'static str, String)> {
    let kind = match content.kind {
        Kind::Vaccination => None,
        Kind::Test => Some("site.verify.kind_test"),
        Kind::Recovery => Some("site.verify.kind_recovery"),
        Kind::Icvp => Some("site.verify.kind_icvp"),
    };
    let detected = content.detected.map(|detected| {
        text(locale, if detected { "site.verify.detected" } else { "site.verify.not_detected" }).to_owned()
    });
    let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    let dose = content.dose.map(|(n, total)| bukti_locales::dose(locale, small(n), Some(small(total))));
    let rows = [
        ("site.verify.name", Some(content.name.clone())),
        ("site.verify.birth_date", Some(birth_date(locale, &content.birth_date))),
        ("site.verify.kind", kind.map(|key| text(locale, key).to_owned())),
        ("site.card.vaccine", content.vaccine.clone()),
        ("site.verify.disease", content.disease.as_deref().map(|disease| disease_name(locale, disease))),
        ("site.verify.dose", dose),
        ("site.verify.result", detected),
        ("site.card.date", Some(date(locale, &content.date))),
        ("site.verify.batch", content.batch.clone()),
        ("site.verify.issuer", content.issuer.clone()),
    ];
    rows.into_iter().filter_map(|(label, words)| Some((label, words.filter(|it| !it.is_empty())?))).collect()
}

/// Formats a birth date. Returns it unchanged if it cannot be parsed.
fn birth_date(locale: Locale, written: &str) -> String {
    let written_out = BirthDate::parse(written).map(|born| bukti_locales::birth_date(locale, born));
    written_out.unwrap_or_else(|| written.to_owned())
}

/// Formats a date. Returns it unchanged if it cannot be parsed.
fn date(locale: Locale, written: &str) -> String {
    parse_date(written).map_or_else(|| written.to_owned(), |date| bukti_locales::date(locale, date))
}

/// The name of a disease, or its code if the disease is unknown.
fn disease_name(locale: Locale, code: &str) -> String {
    texts(locale).get(&format!("site.disease.{code}")).map_or_else(|| code.to_owned(), String::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            kind: Kind::Vaccination,
            name: "Siti Nurhaliza".into(),
            birth_date: "1989-01-24".into(),
            vaccine: Some("CoronaVac".into()),
            disease: Some("covid-19".into()),
            date: "2021-01-29".into(),
            dose: Some((1, 2)),
            batch: None,
            country: Some("ID".into()),
            issuer: Some("Kementerian Kesehatan".into()),
            certificate_id: None,
            detected: None,
        }
    }

    fn report(verdict: Verdict, revocation: RevocationState) -> Report {
        Report {
            verdict,
            content: None,
            signer: None,
            issued_at: None,
            expires_at: None,
            revocation,
            revocation_as_of: None,
        }
    }

    #[test]
    fn every_verdict_and_disease_has_a_text() {
        for locale in Locale::ALL {
            for display in DisplayVerdict::all() {
                for words in [display.title(locale), display.text(locale)] {
                    assert!(!words.starts_with("site."), "{words}");
                }
            }
        }
        for code in ["covid-19", "meningococcal", "polio", "yellow-fever"] {
            let name = &bukti_domain::disease(code).unwrap().name;
            assert_eq!(disease_name(Locale::Id, code), name.id);
            assert_eq!(disease_name(Locale::En, code), name.en);
        }
    }

    #[test]
    fn only_content_of_trusted_issuers_is_authentic() {
        let authentic: Vec<_> =
            DisplayVerdict::all().filter(|it| it.is_authentic()).map(|it| it.code()).collect();
        let genuine = ["valid", "revocation_unknown", "expired", "not_yet_valid", "revoked", "superseded"];
        let expected = [&genuine[..], &["no_lists_of_issuer"]].concat();
        assert_eq!(authentic, expected);
    }

    #[test]
    fn only_valid_verdict_looks_good() {
        let valid = report(Verdict::Valid, RevocationState::Checked);
        assert_eq!(DisplayVerdict::from_report(&valid, true).tone(), Tone::Good);
        let unknown = report(Verdict::RevocationUnknown, RevocationState::Outdated);
        assert_eq!(
            DisplayVerdict::from_report(&unknown, true),
            DisplayVerdict::Verdict(Verdict::RevocationUnknown)
        );
        let foreign = report(Verdict::RevocationUnknown, RevocationState::NotCovered);
        assert_eq!(DisplayVerdict::from_report(&foreign, true), DisplayVerdict::NoListsOfIssuer);
        let good = DisplayVerdict::all().filter(|it| it.tone() == Tone::Good).count();
        assert_eq!(good, 1, "only a valid certificate may look good");
        let nobody = report(Verdict::IssuerUnknown, RevocationState::Unavailable);
        assert_eq!(DisplayVerdict::from_report(&nobody, false), DisplayVerdict::NoTrustList);
        assert_eq!(
            DisplayVerdict::from_report(&nobody, true),
            DisplayVerdict::Verdict(Verdict::IssuerUnknown)
        );
    }

    #[test]
    fn facts_are_written_out() {
        let rows = facts(Locale::Id, &content());
        let row = |key| rows.iter().find(|(label, _)| *label == key).map(|(_, words)| words.as_str());
        assert_eq!(row("site.verify.birth_date"), Some("24 Januari 1989"));
        assert_eq!(row("site.verify.disease"), Some("COVID-19"));
        assert_eq!(row("site.verify.dose"), Some("Dosis 1 dari 2"));
        assert_eq!(row("site.card.date"), Some("29 Januari 2021"));
        assert_eq!(row("site.verify.batch"), None);
        let partial = Content { birth_date: "1989".into(), disease: Some("386661006".into()), ..content() };
        let rows = facts(Locale::En, &partial);
        assert!(rows.contains(&("site.verify.birth_date", "1989".into())));
        assert!(rows.contains(&("site.verify.disease", "386661006".into())));
        let unknown = Content { birth_date: String::new(), ..content() };
        assert!(facts(Locale::En, &unknown).iter().all(|(label, _)| *label != "site.verify.birth_date"));
    }

    #[test]
    fn deserialises_report_of_verifier() {
        let checked = bukti_hcert::check("HC1:", &[], jiff::Timestamp::UNIX_EPOCH);
        let at = jiff::Timestamp::UNIX_EPOCH;
        let none = bukti_trust::Revocations { own: &[], index: None, partitions: &[], newest_seen: None, at };
        let whole = bukti_trust::judge(checked, &[], &none);
        let whole = bukti_trust::Report {
            content: Some(content()),
            expires_at: Some(jiff::Timestamp::UNIX_EPOCH),
            ..whole
        };
        let read: Report = serde_json::from_value(serde_json::to_value(&whole).unwrap()).unwrap();
        assert_eq!((read.verdict, read.content), (whole.verdict, whole.content));
        assert_eq!(read.expires_at.as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
