//! Tickets for next doses: which dose of which vaccine is due from which day, and the text of the
//! QR code that shows this to a facility.
//!
//! Tickets are not stored; [`next_doses`] derives them from the doses that have been received. The
//! text of a ticket ([`TicketText`]) contains no personal data. It contains the opaque id of the
//! previous dose's certificate, which is also printed on the certificate, so that a facility can
//! compare the two. The text is not signed, since a ticket is only a reminder. Because anybody can
//! write such a text, pages show nothing if its vaccine is not in the catalogue
//! ([`TicketText::is_for_one_of`]).

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Span;
use jiff::civil::Date;

use crate::bounds::MOST_DOSES;
use crate::{Vaccine, is_certificate_id};

/// A dose that was received, in any state. A missing or invalid field is `None`.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedDose<'a> {
    /// The dose number, 1 to 9.
    pub dose_number: Option<u8>,
    /// The vaccine's entry in the catalogue.
    pub vaccine: Option<&'static Vaccine>,
    /// The day on which the dose was given.
    pub vaccination_date: Option<Date>,
    /// The id of the dose's certificate (16 characters, no hyphens); `None` if there is no valid
    /// certificate that the viewer may open.
    pub certificate_id: Option<&'a str>,
}

/// The next dose that a person is due to receive against a disease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextDose<'a> {
    /// The id of the previous dose's certificate.
    pub certificate_id: &'a str,
    /// The number of the next dose, 2 or higher.
    pub dose_number: u8,
    /// The vaccine, which is the same as for the previous dose.
    pub vaccine: &'static Vaccine,
    /// The first day on which the dose may be given.
    pub from: Date,
}

/// A person's next doses, derived from all their received doses in any order: at most one per
/// disease, sorted by the first day on which the dose may be given.
///
/// The next dose follows the dose with the highest number among those with a certificate, according
/// to its vaccine's schedule in the catalogue. There is no next dose at the end of the schedule, or
/// if it may already have been given: a received dose may be the next one even if it is incomplete,
/// held, or recorded with another phone number.
pub fn next_doses<'a>(doses: &[ReceivedDose<'a>]) -> Vec<NextDose<'a>> {
    let mut latest: BTreeMap<&str, CertifiedDose<'a>> = BTreeMap::new();
    for dose in doses.iter().filter_map(CertifiedDose::from_received) {
        let kept = latest.entry(&dose.vaccine.disease).or_insert(dose);
        if dose.order() > kept.order() {
            *kept = dose;
        }
    }
    let mut next: Vec<_> = latest
        .values()
        .filter(|latest| !doses.iter().any(|dose| latest.may_precede(dose)))
        .filter_map(CertifiedDose::next)
        .collect();
    next.sort_by_key(|dose| dose.from);
    next
}

/// A received dose with a certificate. None of its fields are missing.
#[derive(Clone, Copy)]
struct CertifiedDose<'a> {
    dose_number: u8,
    vaccine: &'static Vaccine,
    vaccination_date: Date,
    certificate_id: &'a str,
}

impl<'a> CertifiedDose<'a> {
    fn from_received(dose: &ReceivedDose<'a>) -> Option<Self> {
        Some(Self {
            dose_number: dose.dose_number?,
            vaccine: dose.vaccine?,
            vaccination_date: dose.vaccination_date?,
            certificate_id: dose.certificate_id?,
        })
    }

    /// Sorts by dose number. If two facilities reported the dose, the report with the later day
    /// sorts last.
    fn order(&self) -> (u8, Date, &'a str) {
        (self.dose_number, self.vaccination_date, self.certificate_id)
    }

    /// Whether `dose` may be a later dose against the same disease. A missing field does not rule
    /// this out.
    fn may_precede(&self, dose: &ReceivedDose<'_>) -> bool {
        let same_disease = dose.vaccine.is_none_or(|vaccine| vaccine.disease == self.vaccine.disease);
        let higher = dose.dose_number.is_none_or(|number| number > self.dose_number);
        // If the disease and the number are known, the number decides, and the day is ignored.
        let numbered = dose.vaccine.is_some() && dose.dose_number.is_some();
        let not_earlier = dose.vaccination_date.is_none_or(|day| day >= self.vaccination_date);
        same_disease && higher && (numbered || not_earlier)
    }

    fn next(&self) -> Option<NextDose<'a>> {
        let days = self.vaccine.next_dose_after(self.dose_number)?;
        Some(NextDose {
            certificate_id: self.certificate_id,
            dose_number: self.dose_number + 1,
            vaccine: self.vaccine,
            from: self.vaccination_date.checked_add(Span::new().days(days)).ok()?,
        })
    }
}

impl NextDose<'_> {
    /// The content of the QR code.
    pub fn text(&self) -> TicketText {
        TicketText {
            certificate_id: self.certificate_id.to_owned(),
            dose_number: self.dose_number,
            vaccine: self.vaccine.name.clone(),
            from: self.from,
        }
    }
}

/// The content of a ticket's QR code: a URL of the site. Browsers do not send its fragment to the
/// server.
///
/// ```text
/// https://bukti.example.go.id/tiket#7KQ2M4XD9TRA6HVC.2.bOPV~20~28Bio~20Farma~29.20251226
///                                   │                │ │                        └ the first day, YYYYMMDD
///                                   │                │ └ the vaccine
///                                   │                └ the dose number, 2 to 9
///                                   └ the certificate of the previous dose: 16 characters
/// ```
///
/// In the vaccine's name, ASCII letters, digits and hyphens are literal. Every other UTF-8 byte is
/// written as `~` and two upper-case hexadecimal digits. Percent-encoding is avoided, since
/// messengers and scanners tend to decode it or encode it again. The text of a ticket is canonical;
/// no other form is accepted.
///
/// ```
/// use bukti_domain::TicketText;
/// let ticket = TicketText::parse("https://bukti.example.go.id/tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226").unwrap();
/// assert_eq!((ticket.dose_number, &*ticket.vaccine), (2, "CoronaVac"));
/// assert_eq!(ticket.from, jiff::civil::date(2021, 2, 26));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketText {
    /// The id of the previous dose's certificate, without hyphens.
    pub certificate_id: String,
    /// The number of the next dose, 2 to 9.
    pub dose_number: u8,
    /// The vaccine's name in the deployment's catalogue.
    pub vaccine: String,
    /// The first day on which the dose may be given.
    pub from: Date,
}

impl TicketText {
    /// The path of the page that shows a ticket.
    pub const PATH: &str = "/tiket";

    /// The URL of the ticket on a site; `site_url` is `https://…` without a trailing slash.
    pub fn address(&self, site_url: &str) -> String {
        format!("{site_url}{}#{}", Self::PATH, self.fragment())
    }

    /// Whether the vaccine is one of these names, which the caller takes from the deployment's
    /// catalogue.
    pub fn is_for_one_of<'a>(&self, vaccines: impl IntoIterator<Item = &'a str>) -> bool {
        vaccines.into_iter().any(|name| name == self.vaccine)
    }

    /// The part of the URL after the `#`.
    fn fragment(&self) -> String {
        let (id, dose, vaccine, from) =
            (&self.certificate_id, self.dose_number, encode(&self.vaccine), self.from);
        format!("{id}.{dose}.{vaccine}.{:04}{:02}{:02}", from.year(), from.month(), from.day())
    }

    /// Parses a ticket's URL on any site, or only the fragment with the `#`, as in `location.hash`.
    /// Returns `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, fragment) = text.split_once('#')?;
        if !address.is_empty() {
            let site = address.strip_suffix(Self::PATH)?;
            let host = site.strip_prefix("https://").or_else(|| site.strip_prefix("http://"))?;
            if host.is_empty() {
                return None;
            }
        }
        let mut parts = fragment.split('.');
        let [id, dose, vaccine, from] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let number = |digits: std::ops::Range<usize>| from.get(digits)?.parse().ok();
        let year = from.get(0..4)?.parse().ok()?;
        let ticket = Self {
            certificate_id: is_certificate_id(id).then(|| id.to_owned())?,
            dose_number: dose.parse().ok().filter(|dose| (2..=MOST_DOSES).contains(dose))?,
            vaccine: decode(vaccine)?,
            from: Date::new(year, number(4..6)?, number(6..8)?).ok()?,
        };
        // The parsers above are more lenient: they accept signs, lower-case hexadecimal digits and
        // further parts. Only the canonical form is a ticket.
        (ticket.fragment() == fragment).then_some(ticket)
    }
}

/// Encodes a vaccine's name for the fragment of the URL.
fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "~{byte:02X}");
        }
    }
    text
}

/// Decodes a vaccine's name from the fragment; `None` if it is malformed or empty.
fn decode(text: &str) -> Option<String> {
    let mut pieces = text.split('~');
    let mut name = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (byte, plain) = piece.split_at_checked(2)?;
        name.push(u8::from_str_radix(byte, 16).ok()?);
        name.extend(plain.as_bytes());
    }
    String::from_utf8(name).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::vaccine_named;

    const ID: &str = "7KQ2M4XD9TRA6HVC";
    const OTHER: &str = "0000000000000000";

    fn received(number: u8, vaccine: &str, day: Date) -> ReceivedDose<'static> {
        ReceivedDose {
            dose_number: Some(number),
            vaccine: Some(vaccine_named(vaccine).unwrap()),
            vaccination_date: Some(day),
            certificate_id: None,
        }
    }

    fn certified(number: u8, vaccine: &str, day: Date) -> ReceivedDose<'static> {
        ReceivedDose { certificate_id: Some(ID), ..received(number, vaccine, day) }
    }

    /// The number, vaccine and first day of each next dose.
    fn next(doses: &[ReceivedDose<'static>]) -> Vec<(u8, &'static str, Date)> {
        next_doses(doses).iter().map(|next| (next.dose_number, &*next.vaccine.name, next.from)).collect()
    }

    const DAY: Date = date(2021, 1, 29);

    #[test]
    fn next_dose_follows_schedule_of_last_vaccine() {
        assert_eq!(next(&[]), []);
        assert_eq!(next(&[certified(1, "CoronaVac", DAY)]), [(2, "CoronaVac", date(2021, 2, 26))]);
        let second = certified(2, "AstraZeneca", date(2021, 3, 1));
        assert_eq!(
            next(&[second, certified(1, "CoronaVac", DAY)]),
            [(3, "AstraZeneca", date(2021, 5, 30))],
            "a booster"
        );
        assert_eq!(next(&[certified(1, "Janssen", DAY)]), [(2, "Janssen", date(2021, 4, 29))]);
        for (number, vaccine) in
            [(4, "CoronaVac"), (2, "Sputnik-V"), (1, "Stamaril"), (4, "bOPV"), (9, "Moderna")]
        {
            assert_eq!(next(&[certified(number, vaccine, DAY)]), [], "{number} {vaccine}: the schedule ends");
        }
        assert_eq!(next(&[certified(1, "CoronaVac", Date::MAX)]), [], "the day is out of range");
    }

    #[test]
    fn sorts_next_doses_of_diseases_by_day() {
        let doses = [
            certified(1, "bOPV", date(2025, 10, 30)),
            certified(1, "Pfizer", DAY),
            certified(1, "Menveo", DAY),
        ];
        assert_eq!(
            next(&doses),
            [(2, "Pfizer", date(2021, 2, 19)), (2, "bOPV (Bio Farma)", date(2025, 11, 27))]
        );
    }

    #[test]
    fn no_ticket_if_next_dose_may_have_been_given() {
        let first = certified(1, "CoronaVac", DAY);
        let ticket = [(2, "CoronaVac", date(2021, 2, 26))];
        let later = received(2, "Moderna", date(2021, 2, 26));
        let unknown = ReceivedDose { vaccine: None, ..later };
        let unnumbered = ReceivedDose { dose_number: None, ..later };
        let undated = ReceivedDose { vaccination_date: None, ..later };
        for given in
            [later, unknown, unnumbered, undated, ReceivedDose { vaccination_date: Some(DAY), ..unknown }]
        {
            assert_eq!(next(&[first, given]), [], "{given:?}");
        }
        let earlier = date(2021, 1, 1);
        assert_eq!(next(&[first, received(2, "CoronaVac", earlier)]), [], "the number counts, not the day");
        for other in [
            received(2, "bOPV", date(2025, 11, 1)),
            received(1, "Pfizer", date(2021, 2, 26)),
            ReceivedDose { dose_number: Some(1), ..unknown },
            ReceivedDose { vaccination_date: Some(earlier), ..unknown },
            ReceivedDose { vaccination_date: Some(earlier), ..unnumbered },
        ] {
            assert_eq!(next(&[other, first]), ticket, "{other:?}");
        }
    }

    #[test]
    fn later_day_counts_for_dose_reported_by_two_facilities() {
        let (one, other) = (certified(1, "CoronaVac", DAY), certified(1, "CoronaVac", date(2021, 2, 1)));
        let other = ReceivedDose { certificate_id: Some(OTHER), ..other };
        for doses in [[one, other], [other, one]] {
            assert_eq!(next(&doses), [(2, "CoronaVac", date(2021, 3, 1))]);
            assert_eq!(next_doses(&doses)[0].certificate_id, OTHER);
        }
    }

    #[test]
    fn encodes_special_characters_of_vaccine_names() {
        let text = |vaccine: &str| {
            let next = next_doses(&[certified(1, vaccine, date(2025, 11, 28))])[0];
            let text = next.text();
            let address = text.address("https://bukti.example.go.id");
            assert_eq!(TicketText::parse(&address), Some(text));
            address
        };
        assert_eq!(
            text("bOPV"),
            "https://bukti.example.go.id/tiket#7KQ2M4XD9TRA6HVC.2.bOPV~20~28Bio~20Farma~29.20251226"
        );
        assert!(text("Sputnik V").ends_with("#7KQ2M4XD9TRA6HVC.2.Sputnik-V.20251219"));
    }

    #[test]
    fn ticket_of_unknown_vaccine_is_not_shown() {
        let is_shown = |fragment: &str| {
            let names = crate::vaccines().iter().map(|vaccine| &*vaccine.name);
            TicketText::parse(fragment).unwrap().is_for_one_of(names)
        };
        assert!(is_shown("#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226"));
        assert!(is_shown("#7KQ2M4XD9TRA6HVC.2.bOPV~20~28Bio~20Farma~29.20251226"));
        // Aliases and other spellings do not count.
        for other in ["coronavac", "bOPV", "Hubungi~200811-2345", "CoronaVac~20"] {
            assert!(!is_shown(&format!("#7KQ2M4XD9TRA6HVC.2.{other}.20210226")), "{other}");
        }
    }

    #[test]
    fn rejects_texts_other_than_canonical_tickets() {
        let good = "https://h/tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226";
        assert!(TicketText::parse(good).is_some());
        assert!(TicketText::parse("#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226").is_some(), "location.hash");
        for bad in [
            "",
            "#",
            "HC1:6BFOXN",
            "7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226",
            "ftp://h/tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226",
            "https:///tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226",
            "https://h/s/tiketi#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226",
            "https://h/tiket?7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226",
            "#7KQ2-M4XD-9TRA-6HVC.2.CoronaVac.20210226",
            "#7KQ2M4XD9TRA6HVI.2.CoronaVac.20210226",
            "#3171012401896246.1.CoronaVac.20210226",
            "#7KQ2M4XD9TRA6HVC.10.CoronaVac.20210226",
            "#7KQ2M4XD9TRA6HVC.02.CoronaVac.20210226",
            "#7KQ2M4XD9TRA6HVC.+2.CoronaVac.20210226",
            "#7KQ2M4XD9TRA6HVC.2..20210226",
            "#7KQ2M4XD9TRA6HVC.2.Corona Vac.20210226",
            "#7KQ2M4XD9TRA6HVC.2.Corona~2fVac.20210226",
            "#7KQ2M4XD9TRA6HVC.2.Corona~41Vac.20210226",
            "#7KQ2M4XD9TRA6HVC.2.Corona~FFVac.20210226",
            "#7KQ2M4XD9TRA6HVC.2.Corona~+1Vac.20210226",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac~2.20210226",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac~é.20210226",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210229",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac.2021+2+6",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac.2021022",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac.202102266",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226.",
            "#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226#",
        ] {
            assert_eq!(TicketText::parse(bad), None, "{bad}");
        }
    }

    fn day() -> impl Strategy<Value = Date> {
        (0i32..40_000).prop_map(|days| date(1950, 1, 1).checked_add(Span::new().days(days)).unwrap())
    }

    fn ticket() -> impl Strategy<Value = TicketText> {
        ("[0-9A-HJKMNP-TV-Z]{16}", 2u8..=9, ".{1,40}|[ -~]{1,20}", day()).prop_map(
            |(certificate_id, dose_number, vaccine, from)| TicketText {
                certificate_id,
                dose_number,
                vaccine,
                from,
            },
        )
    }

    fn dose() -> impl Strategy<Value = ReceivedDose<'static>> {
        let vaccine =
            prop::sample::select(vec!["CoronaVac", "Zifivax", "Janssen", "bOPV", "nOPV2", "Stamaril"]);
        let facts = (
            prop::option::weighted(0.9, 1u8..=9),
            prop::option::weighted(0.9, vaccine.prop_map(|name| vaccine_named(name).unwrap())),
            prop::option::weighted(0.9, day()),
            prop::option::of(prop::sample::select(vec![ID, OTHER])),
        );
        facts.prop_map(|(dose_number, vaccine, vaccination_date, certificate_id)| ReceivedDose {
            dose_number,
            vaccine,
            vaccination_date,
            certificate_id,
        })
    }

    proptest! {
        #[test]
        fn text_parses_back_and_needs_no_url_encoding(ticket in ticket()) {
            let address = ticket.address("https://bukti.example.go.id:8443");
            let (_, fragment) = address.split_once('#').unwrap();
            // RFC 3986, section 2.3: characters that need no encoding.
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            prop_assert!(fragment.bytes().all(unreserved), "{}", fragment);
            prop_assert_eq!(TicketText::parse(&format!("#{fragment}")), Some(ticket.clone()));
            prop_assert_eq!(TicketText::parse(&address), Some(ticket));
        }

        #[test]
        fn mutated_text_parses_only_if_canonical(
            ticket in ticket(),
            at in any::<prop::sample::Index>(),
            replacement in "[.~#0-9A-F+ é-]{0,2}",
        ) {
            let mut text: Vec<char> = format!("#{}", ticket.fragment()).chars().collect();
            let at = at.index(text.len());
            text.splice(at..=at, replacement.chars());
            let text: String = text.into_iter().collect();
            if let Some(parsed) = TicketText::parse(&text) {
                prop_assert_eq!(format!("#{}", parsed.fragment()), text);
            }
        }

        #[test]
        fn ticket_follows_last_dose_of_disease_in_any_order(
            doses in prop::collection::vec(dose(), 0..8).prop_shuffle(),
        ) {
            let next = next_doses(&doses);
            let mut reversed = doses.clone();
            reversed.reverse();
            prop_assert_eq!(&next_doses(&reversed), &next);
            for ticket in &next {
                let disease = |vaccine: Option<&'static Vaccine>| vaccine.map(|vaccine| &*vaccine.disease);
                let same = |other: &&ReceivedDose| disease(other.vaccine) == Some(&ticket.vaccine.disease);
                let numbers = doses.iter().filter(same).filter_map(|dose| dose.dose_number);
                prop_assert_eq!(numbers.max(), Some(ticket.dose_number - 1));
                let before = doses.iter().filter(same).any(|dose| {
                    dose.certificate_id == Some(ticket.certificate_id)
                        && dose.vaccination_date.is_some_and(|day| day < ticket.from)
                });
                prop_assert!(before);
                let of_disease = next.iter().filter(|other| other.vaccine.disease == ticket.vaccine.disease);
                prop_assert_eq!(of_disease.count(), 1);
            }
        }
    }
}
