//! Parses arbitrary lines as identity numbers, phone numbers, names, dates and vaccines. A parsed
//! value must survive a round trip.
#![no_main]

use bukti_domain::{
    Identity, Nik, Passport, PersonName, PhoneNumber, parse_date, transliterate, vaccine_named,
};

fn check_identity(identity: Identity) {
    let tagged = identity.tagged();
    let (kind, number) = tagged.split_once(':').expect("a tagged identity has a colon");
    let parsed_again = match kind {
        "nik" => Nik::parse(number).map(Identity::Nik),
        _ => Passport::parse(number).map(Identity::Passport),
    };
    assert_eq!(parsed_again.as_ref(), Some(&identity));
    let masked = identity.masked();
    assert_eq!(masked.chars().count(), number.chars().count());
    assert!(masked.chars().filter(|character| *character != '•').count() <= 4);
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut names: Vec<PersonName> = Vec::new();
    for line in text.split('\n') {
        let date = parse_date(line);
        assert!(date.is_none_or(|date| date.to_string() == line));
        if let Some(nik) = Nik::parse(line) {
            nik.sex();
            date.map(|date| nik.agrees_on_birth_date(date));
            check_identity(Identity::Nik(nik));
        }
        if let Some(passport) = Passport::parse(line) {
            check_identity(Identity::Passport(passport));
        }
        if let Some(phone) = PhoneNumber::parse(line) {
            assert_eq!(PhoneNumber::parse(phone.e164()), Some(phone.clone()));
            assert!(phone.e164().ends_with(phone.hint()) && phone.hint().len() == 2);
        }
        if let Some(name) = PersonName::parse(line) {
            assert_eq!(
                PersonName::parse(name.as_written()).as_ref().map(PersonName::as_written),
                Some(name.as_written())
            );
            assert!(name.matches(&name) && !name.certified(None).family().is_empty());
            assert!(names.iter().all(|other| other.matches(&name) == name.matches(other)));
            transliterate(name.certified(None).text());
            names.push(name);
        }
        vaccine_named(line);
    }
});
