//! Synthetic people and their doses, identical in each run.

use anyhow::{Context, Result};
use bukti_domain::FeedRow;
use bukti_domain::feed::CompleteDose;

/// The number of people: enough to cover all lengths of names and QR codes, but few enough that
/// each person is measured many times.
const PEOPLE: usize = 300;

const GIVEN: [&str; 24] = [
    "Siti",
    "Budi",
    "Dewi",
    "Agus",
    "Rina",
    "Wayan",
    "Putri",
    "Eko",
    "Nurul",
    "Yusuf",
    "Maria",
    "Hendra",
    "Ayu",
    "Fransiskus",
    "Lestari",
    "Bambang",
    "Kartika",
    "Rizky",
    "Sulistyowati",
    "Joko",
    "Intan",
    "Abdurrahman",
    "Melati",
    "Ucok",
];
const MIDDLE: [&str; 12] = [
    "Nur",
    "Tri",
    "Adi",
    "Kusuma",
    "Cahaya",
    "Gusti Ngurah",
    "Permata",
    "Ibrahim",
    "Puspita",
    "Maulana",
    "Agung",
    "Wulan",
];
const FAMILY: [&str; 20] = [
    "Rahayu",
    "Santoso",
    "Wijaya",
    "Siregar",
    "Nasution",
    "Hidayat",
    "Simanjuntak",
    "Kusumawardhani",
    "Pratama",
    "Lubis",
    "Purnomo",
    "Tanjung",
    "Halim",
    "Mangunsarkoro",
    "Setiawan",
    "Putra",
    "Anggraini",
    "Latuconsina",
    "Wardana",
    "Sitompul",
];
const FACILITIES: [&str; 10] = [
    "Puskesmas",
    "Puskesmas Kecamatan",
    "Klinik Pratama",
    "RSUD",
    "Rumah Sakit Umum Daerah",
    "Balai Kesehatan",
    "Rumah Sakit Islam",
    "Pos Vaksinasi Kelurahan",
    "Klinik Utama Bhakti Husada",
    "Kantor Kesehatan Pelabuhan",
];
const PLACES: [&str; 14] = [
    "Menteng",
    "Kebayoran Baru",
    "Cilandak",
    "Ubud",
    "Wamena",
    "Tanah Abang",
    "Pontianak Selatan",
    "Sleman",
    "Kupang",
    "Bandung Wetan",
    "Palu",
    "Banda Aceh",
    "Sungai Raya",
    "Tebet",
];
/// Mostly vaccines against COVID-19, as in the feeds. The last vaccine gets an international
/// certificate.
const VACCINES: [&str; 8] = [
    "CoronaVac",
    "AstraZeneca",
    "Pfizer",
    "CoronaVac",
    "Moderna",
    "Sinopharm",
    "IndoVac",
    "bOPV (Bio Farma)",
];
/// Names with at least one letter that ISO 8859-1 lacks.
const NAMES_BEYOND_LATIN_1: [&str; 6] = [
    "Nguyễn Thị Hoa",
    "Trần Văn Đức",
    "Łukasz Wiśniewski",
    "Phạm Quỳnh Như",
    "Ayşe Yıldırım",
    "Đặng Thuỳ Trâm",
];

/// A person's dose and the id of its certificate.
pub struct Person {
    /// The certificate's id, which has 16 characters.
    pub id: String,
    /// The complete dose that the certificate states.
    pub dose: CompleteDose,
}

/// Generates [`PEOPLE`] people whose names are in ASCII.
pub fn people() -> Result<Vec<Person>> {
    let mut random = Random(1);
    (0..PEOPLE)
        .map(|_| {
            let name = random.name();
            person(&mut random, &name)
        })
        .collect()
}

/// Generates [`PEOPLE`] people whose names contain letters that ISO 8859-1 lacks.
pub fn people_beyond_latin_1() -> Result<Vec<Person>> {
    let mut random = Random(1);
    (0..PEOPLE).map(|at| person(&mut random, NAMES_BEYOND_LATIN_1[at % NAMES_BEYOND_LATIN_1.len()])).collect()
}

fn person(random: &mut Random, name: &str) -> Result<Person> {
    let (year, month, day) = (1940 + random.below(70), 1 + random.below(12), 1 + random.below(28));
    let woman = random.below(2) == 1;
    let nik = format!(
        "{:06}{:02}{month:02}{:02}{:04}",
        317_101 + random.below(9),
        if woman { day + 40 } else { day },
        year % 100,
        1 + random.below(9_998)
    );
    let vaccine = random.of(&VACCINES);
    // International certificates have been digital since September 2025.
    let year_given = if vaccine.starts_with("bOPV") { 2026 } else { 2021 + random.below(2) };
    let given = format!("{year_given}-{:02}-{:02}", 1 + random.below(9), 1 + random.below(28));
    let facility = format!("{} {}", random.of(&FACILITIES), random.of(&PLACES));
    let id = random.letters("ABCDEFGHJKMNPQRSTVWXYZ23456789", 16);
    let row = FeedRow::from_fields([
        &format!("BENCH-{id}"),
        "2026-10-01T08:00:00+07:00",
        &nik,
        "",
        name,
        &format!("{year}-{month:02}-{day:02}"),
        if woman { "P" } else { "L" },
        "",
        &(1 + random.below(3)).to_string(),
        vaccine,
        &batch(random),
        &given,
        &format!("P{:010}", 3_171_000_000_u64 + random.below(999_999) as u64),
        &facility,
        "",
    ]);
    Ok(Person { id, dose: row.dose().complete().context("a synthetic row is not complete")? })
}

/// Generates a batch number in one of the formats that manufacturers use.
fn batch(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("{}{}", random.letters("ABCDEFGHKLMNPRSTUVWXYZ", 2), 1_000 + random.below(9_000)),
        1 => format!("20210{}{:04}", 1 + random.below(9), random.below(10_000)),
        _ => format!("{}-{}", random.letters("ABCFJKSTUV", 5), random.letters("0123456789", 3)),
    }
}

/// A SplitMix64 generator with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as usize % end
    }

    fn of<'a>(&mut self, choice: &[&'a str]) -> &'a str {
        choice[self.below(choice.len())]
    }

    fn letters(&mut self, alphabet: &str, count: usize) -> String {
        (0..count).map(|_| char::from(alphabet.as_bytes()[self.below(alphabet.len())])).collect()
    }

    /// Generates a name of one to four words. Names of one word are common in Indonesia.
    fn name(&mut self) -> String {
        let mut words = vec![self.of(&GIVEN)];
        let more = [0, 1, 1, 1, 2, 2, 3];
        for place in (0..more[self.below(more.len())]).rev() {
            words.push(if place == 0 { self.of(&FAMILY) } else { self.of(&MIDDLE) });
        }
        words.join(" ")
    }
}
