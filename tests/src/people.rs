//! Two hundred people with all their doses: synthetic people with difficult names, then people from
//! the sample feed, starting with difficult names.

use std::collections::{BTreeMap, HashSet};

use bukti_domain::FeedRow;

use crate::{dose, sample_feed};

/// The number of people in [`doses`].
pub const PEOPLE: usize = 200;

/// The number of people who share a phone.
const FAMILY: usize = 20;

/// Names that are difficult to print or to transliterate. Some of them also occur in the sample
/// feed, which may be missing. Every fourth person gets an ICVP, which contains no transliterated
/// name.
pub const NAMES: [&str; 20] = [
    "Ayu",
    "Dr. H. Ahmad Fauzi, S.Pd., M.M.",
    "Nguyễn Thị Hoa",
    "José Ximenes",
    "Anna-Lena Müller",
    // Letters that ICAO 9303 transliterates to several letters, and decomposed diacritics.
    "Þórður Ægir Åsøy Weiß",
    "Jose\u{301} Mu\u{308}ller",
    "M. ILHAM AKBAR S.",
    "Łukasz Đặng Œuvrard",
    // Names that exceed the schema's limit of 80 characters: as a whole, in the last word, or after
    // transliteration.
    "I Gusti Ayu Agung Putu Ngurah Oka Kartika Dewi Pradnyaswari Laksmi binti Muhammad Abdurrahman Wahid Hasyim",
    "Siti Adolphblainecharlesdavidearlfrederickgeraldhubertirvinjohnkennethlloydmartinnerooliverpaul",
    "O'Brien Simanjuntak",
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwärengewissenhaftschäferswess",
    "Siti ‘Aisyah D’Souza",
    // Names in other scripts.
    "王 小芳",
    "Nur'aini Ma'ruf",
    "محمد الأمين",
    "Иван Петрович",
    "Η Μαρία",
    "I GUSTI AYU AGUNG PUTU NGURAH OKA KARTIKA DEWI PRADNYASWARI LAKSMI",
];

/// The doses of all people. Each phone is shared by twenty people.
pub fn doses() -> Vec<FeedRow> {
    let mut people = with_difficult_names();
    people.extend(from_sample_feed());
    people.truncate(PEOPLE);
    // If the sample feed is missing, add more synthetic people with the same names.
    for at in people.len()..PEOPLE {
        people.push(synthetic((at, &NAMES[at % NAMES.len()])));
    }
    let phone = |at: usize| format!("08123456{:04}", at / FAMILY);
    let rows = people
        .into_iter()
        .enumerate()
        .flat_map(|(at, rows)| rows.into_iter().map(move |row| FeedRow { no_hp: phone(at), ..row }));
    rows.collect()
}

/// The doses of one synthetic person for each name in [`NAMES`], grouped by person.
pub fn with_difficult_names() -> Vec<Vec<FeedRow>> {
    NAMES.iter().enumerate().map(synthetic).collect()
}

/// A foreigner with one to four doses of one vaccine: a COVID-19 vaccine with one, two or three
/// primary doses, or a vaccine for which an ICVP is issued.
fn synthetic((at, name): (usize, &&str)) -> Vec<FeedRow> {
    let (vaccine, year) = [("Janssen", 2021), ("Moderna", 2021), ("Zifivax", 2021), ("bOPV", 2026)][at % 4];
    let doses = (1..=at % 5 % 4 + 1).map(|number| FeedRow {
        nik: String::new(),
        paspor: format!("X{at:06}"),
        nama: (*name).into(),
        tanggal_lahir: format!("{}-0{}-1{}", 1950 + at % 50, at % 9 + 1, at % 10),
        dosis_ke: number.to_string(),
        vaksin: vaccine.into(),
        tanggal_vaksinasi: format!("{year}-0{}-2{}", number * 2, at % 9),
        sent_at: format!("{year}-10-01T08:00:00+07:00"),
        ..dose(&format!("SYNTHETIC-{at}-{number}"))
    });
    doses.collect()
}

/// The people in the sample feed who get a certificate, grouped by person, starting with difficult
/// names.
fn from_sample_feed() -> Vec<Vec<FeedRow>> {
    let Some(folder) = sample_feed() else { return Vec::new() };
    let mut feed = csv::Reader::from_path(folder.join("doses-1.csv")).unwrap();
    let mut expected = csv::Reader::from_path(folder.join("doses-1.expected.csv")).unwrap();
    let mut people: BTreeMap<String, Vec<FeedRow>> = BTreeMap::new();
    for (row, expected) in feed.deserialize::<FeedRow>().zip(expected.records()) {
        let (row, expected) = (row.unwrap(), expected.unwrap());
        if &expected[3] == "issued" {
            people.entry(format!("{}{}", row.nik, row.paspor)).or_default().push(row);
        }
    }
    let is_difficult = |name: &str| {
        let words = name.split(' ').count();
        words == 1 || words > 3 || name.chars().any(|letter| !letter.is_ascii_alphabetic() && letter != ' ')
    };
    let mut people: Vec<_> = people.into_values().collect();
    let mut names = HashSet::new();
    // One person for each difficult name, then all other people in their previous order.
    people.sort_by_cached_key(|rows| {
        let name = rows[0].nama.to_lowercase();
        std::cmp::Reverse(is_difficult(&name) && names.insert(name))
    });
    people
}
