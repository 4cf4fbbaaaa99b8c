//! A dose feed of people who do not exist, with what must become of each row.
//!
//! The right outcomes are known from how a row was made, not from judging it. A row's place in the file is random within a
//! window, so that corrections come before what they correct, and events lie between others. Memory is that of the window,
//! however many people there are.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bukti_domain::{FeedRow, Outcome, Reason};
use clap::Args;
use csv::Writer;
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Rows among which one's place is random.
const WINDOW: usize = 4096;

#[derive(Args)]
pub(crate) struct Options {
    /// How many people.
    #[arg(long)]
    people: u64,
    /// The same seed makes the same people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the feed is written, as CSV; `-` is the standard output.
    #[arg(long, value_name = "FEED.csv", default_value = "-")]
    feed: PathBuf,
    /// Where the right outcome of each row is written.
    #[arg(long, value_name = "EXPECTED.csv")]
    expected: Option<PathBuf>,
}

/// Writes the feed, and what must become of it.
///
/// # Errors
///
/// Where a file cannot be written.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut feed = Writer::from_writer(create(&options.feed)?);
    let mut expected =
        options.expected.as_deref().map(|path| create(path).map(Writer::from_writer)).transpose()?;
    if let Some(expected) = &mut expected {
        expected.write_record([
            "line",
            "event_id",
            "sent_at",
            "outcome",
            "reasons",
            "first_dose_sms",
            "phone_e164",
        ])?;
    }
    let mut line = 1_u64;
    for made in Sample::new(options.people, options.seed) {
        line += 1;
        feed.serialize(&made.row)?;
        if let Some(expected) = &mut expected {
            let reasons = made.reason.map_or("", Reason::code);
            let sms = if made.has_sms { "1" } else { "0" };
            let (id, sent_at) = (&*made.row.event_id, &*made.row.sent_at);
            expected.write_record([
                &*line.to_string(),
                id,
                sent_at,
                made.outcome.code(),
                reasons,
                sms,
                &made.phone,
            ])?;
        }
    }
    feed.flush()?;
    if let Some(expected) = &mut expected {
        expected.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn create(path: &Path) -> Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// A row, and what must become of it.
#[derive(Clone)]
struct Made {
    row: FeedRow,
    outcome: Outcome,
    reason: Option<Reason>,
    /// Whether its phone gets the SMS of a first dose.
    has_sms: bool,
    /// In E.164, where it is usable.
    phone: String,
    /// The same row comes once more, after it.
    comes_again: bool,
}

/// What is wrong with an event, and of how many in ten thousand. As often as in a feed of 2021.
#[derive(Clone, Copy)]
enum Defect {
    Repeated,
    PhoneMissing,
    PhoneInvalid,
    PhoneCorrected,
    BatchMissing,
    BatchComesLater,
    VaccineMissing,
    FacilityMissing,
    NikMalformed,
    IdentityMissing,
    NameMissing,
    NikOfAnotherBirthDate,
    NikOfTheOtherSex,
    VaccineUnknown,
    DoseNumberInvalid,
    DateInvalid,
    DateInFuture,
    DateBeforeBirth,
}

const DEFECTS: [(Defect, u32); 18] = [
    (Defect::Repeated, 277),
    (Defect::PhoneMissing, 264),
    (Defect::PhoneInvalid, 121),
    (Defect::PhoneCorrected, 139),
    (Defect::BatchMissing, 161),
    (Defect::BatchComesLater, 192),
    (Defect::VaccineMissing, 125),
    (Defect::FacilityMissing, 90),
    (Defect::NikMalformed, 201),
    (Defect::IdentityMissing, 116),
    (Defect::NameMissing, 54),
    (Defect::NikOfAnotherBirthDate, 121),
    (Defect::NikOfTheOtherSex, 27),
    (Defect::VaccineUnknown, 85),
    (Defect::DoseNumberInvalid, 67),
    (Defect::DateInvalid, 157),
    (Defect::DateInFuture, 54),
    (Defect::DateBeforeBirth, 94),
];

/// Names with letters that are rare in Indonesia: one in a hundred.
const RARE_NAMES: [&str; 4] = ["José", "Anna-Lena Müller", "Nguyễn Thị Hoa", "Björn Åkesson"];
const GIVEN_NAMES: [&str; 31] = [
    "Siti",
    "Nur",
    "Budi",
    "Agus",
    "Sri",
    "Dewi",
    "Eko",
    "Rina",
    "Putu",
    "Made",
    "Ketut",
    "I Gusti Ayu",
    "Maria",
    "Yohanes",
    "Joko",
    "Fitri",
    "Hendra",
    "Lestari",
    "Rizki",
    "Ratna",
    "Asep",
    "Euis",
    "Daeng",
    "Tengku",
    "Ucok",
    "Butet",
    "Melati",
    "Slamet",
    "Wati",
    "Yusuf",
    "Nur'aini",
];
const FAMILY_NAMES: [&str; 19] = [
    "",
    "Santoso",
    "Wijaya",
    "Siregar",
    "Nasution",
    "Hutapea",
    "Saputra",
    "Hidayat",
    "Lestari",
    "Kurniawan",
    "Pratama",
    "Tanjung",
    "Halim",
    "Ximenes",
    "Papilaya",
    "Wonda",
    "D'Souza",
    "Rahman",
    "Suryani",
];
const VACCINES: [&str; 8] =
    ["CoronaVac", "Sinovac", "AstraZeneca", "Pfizer", "Moderna", "Sinopharm", "IndoVac", "Novavax"];
const OPERATORS: [&str; 12] = ["11", "12", "13", "21", "22", "52", "57", "58", "77", "78", "81", "95"];
/// Province and regency, as they begin a NIK; the district follows.
const REGENCIES: [&str; 16] = [
    "1101", "1271", "1371", "1671", "1871", "3171", "3173", "3273", "3374", "3471", "3578", "5171", "5301",
    "6371", "7371", "9171",
];
const FACILITIES: [(&str, &str); 8] = [
    ("P3174020101", "Puskesmas Kebayoran Baru"),
    ("P5171010", "Puskesmas I Denpasar Barat"),
    ("P7371020", "Puskesmas Mamajang, Makassar"),
    ("R3578011", "RSUD Dr. Soetomo"),
    ("K3273090", "Klinik Pratama \"Sehat Bersama\", Bandung"),
    ("S3171001", "Sentra Vaksinasi Istora Senayan"),
    ("P9171030", "Puskesmas Abepura"),
    ("P1271040", "Puskesmas Medan Johor"),
];

/// The rows of a feed, in its order.
struct Sample {
    random: StdRng,
    people: u64,
    /// The next person.
    person: u64,
    event: u64,
    window: Vec<Made>,
}

impl Sample {
    fn new(people: u64, seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), people, person: 0, event: 0, window: Vec::new() }
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        // No list here is empty.
        *of.choose(&mut self.random).unwrap_or(&of[0])
    }

    /// Puts the rows of the next person into the window.
    fn add_person(&mut self) {
        let number = self.person;
        self.person += 1;
        let born = date(1935, 1, 1) + days(self.random.random_range(0..27_000));
        let is_woman = self.random.random_bool(0.5);
        let is_rare = self.random.random_bool(0.01);
        let given = if is_rare { self.one_of(&RARE_NAMES) } else { self.one_of(&GIVEN_NAMES) };
        let (second, family) = (self.one_of(&GIVEN_NAMES), self.one_of(&FAMILY_NAMES));
        let second = if self.random.random_bool(0.3) { second } else { "" };
        let mut name =
            [given, second, family].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
        if self.random.random_bool(0.15) {
            name = name.to_uppercase();
        }
        let is_foreign = self.random.random_bool(0.014);
        let (nik, paspor) = if is_foreign {
            (String::new(), format!("X{number:08}"))
        } else {
            (nik(number, born, is_woman, self.one_of(&REGENCIES)), String::new())
        };
        let phone = (self.one_of(&OPERATORS), number);
        let no_hp = self.written(phone);
        let vaccine = self.one_of(&VACCINES);
        let doses = match self.random.random_range(0..10) {
            0 => 3,
            1..=3 => 2,
            _ => 1,
        };
        let mut day = date(2021, 1, 13) + days(self.random.random_range(0..300));
        for dose in 1..=doses {
            let (code, facility) = self.one_of(&FACILITIES);
            let row = FeedRow {
                sent_at: self.sent_on(day),
                nik: nik.clone(),
                paspor: paspor.clone(),
                nama: name.clone(),
                tanggal_lahir: born.to_string(),
                jenis_kelamin: if is_woman { "P" } else { "L" }.to_owned(),
                no_hp: no_hp.clone(),
                dosis_ke: dose.to_string(),
                vaksin: vaccine.to_owned(),
                batch: format!("B{:06}", self.random.random_range(0..1_000_000)),
                tanggal_vaksinasi: day.to_string(),
                kode_faskes: code.to_owned(),
                nama_faskes: facility.to_owned(),
                ..FeedRow::default()
            };
            self.add_event(row, day, phone);
            day = day + days(if dose == 1 { 28 } else { 120 }) + days(self.random.random_range(0..20));
        }
    }

    /// Puts the rows of an event into the window: one, or two where it is said again or corrected.
    fn add_event(&mut self, mut row: FeedRow, day: Date, phone: (&'static str, u64)) {
        self.event += 1;
        row.event_id = format!("SAMPLE-{:010}", self.event);
        let mut drawn = self.random.random_range(0..10_000);
        let defect = DEFECTS.iter().find_map(|(defect, share)| {
            let here = drawn < *share;
            drawn = drawn.saturating_sub(*share);
            here.then_some(*defect)
        });
        let is_foreign = row.nik.is_empty();
        let e164 = e164(phone);
        let is_first = row.dosis_ke == "1";
        let issued = Made {
            row,
            outcome: Outcome::Issued,
            reason: None,
            has_sms: is_first,
            phone: e164,
            comes_again: false,
        };
        let mut made = issued.clone();
        let row = &mut made.row;
        let (outcome, reason) = match defect {
            None => (Outcome::Issued, None),
            Some(Defect::Repeated) => {
                made.comes_again = true;
                (Outcome::Issued, None)
            }
            Some(Defect::PhoneMissing) => {
                row.no_hp.clear();
                (Outcome::Issued, Some(Reason::PhoneMissing))
            }
            Some(Defect::PhoneInvalid) => {
                row.no_hp = self
                    .one_of(&["021-5551234", "0812", "tidak ada", "+6591234567", "08123456789012345"])
                    .to_owned();
                (Outcome::Issued, Some(Reason::PhoneInvalid))
            }
            Some(Defect::PhoneCorrected) => {
                // Somebody else's number, which nobody has.
                let other = (self.one_of(&OPERATORS), phone.1 + self.people);
                made.row.no_hp = self.written(other);
                made.phone = self::e164(other);
                let later = self.sent_on(day + days(3));
                let right = Made {
                    row: FeedRow { sent_at: later, ..issued.row.clone() },
                    reason: Some(Reason::PhoneCorrected),
                    ..issued
                };
                self.window.push(right);
                (Outcome::Superseded, None)
            }
            Some(Defect::BatchMissing) => {
                row.batch.clear();
                (Outcome::Incomplete, Some(Reason::BatchMissing))
            }
            Some(Defect::BatchComesLater) => {
                row.batch.clear();
                let sent_at = self.sent_on(day + days(2));
                self.window.push(Made { row: FeedRow { sent_at, ..issued.row.clone() }, ..issued });
                (Outcome::Superseded, Some(Reason::BatchMissing))
            }
            Some(Defect::VaccineMissing) => {
                row.vaksin.clear();
                (Outcome::Incomplete, Some(Reason::VaccineMissing))
            }
            Some(Defect::FacilityMissing) => {
                (row.kode_faskes, row.nama_faskes) = (String::new(), String::new());
                (Outcome::Incomplete, Some(Reason::FacilityMissing))
            }
            Some(Defect::IdentityMissing) => {
                (row.nik, row.paspor) = (String::new(), String::new());
                (Outcome::Rejected, Some(Reason::IdentityMissing))
            }
            // These are about the number that a foreigner has not.
            Some(Defect::NikMalformed | Defect::NikOfAnotherBirthDate | Defect::NikOfTheOtherSex)
                if is_foreign =>
            {
                (Outcome::Issued, None)
            }
            Some(Defect::NikMalformed) => {
                match self.random.random_range(0..3) {
                    0 => row.nik.truncate(15),
                    1 => row.nik.push('0'),
                    _ => row.nik.replace_range(15..16, "O"),
                }
                (Outcome::Rejected, Some(Reason::NikMalformed))
            }
            Some(Defect::NikOfAnotherBirthDate) => {
                let month: u8 = row.nik[8..10].parse().unwrap_or_default();
                row.nik.replace_range(8..10, &format!("{:02}", month % 12 + 1));
                (Outcome::Held, Some(Reason::NikBirthDateMismatch))
            }
            Some(Defect::NikOfTheOtherSex) => {
                row.jenis_kelamin = if row.jenis_kelamin == "P" { "L" } else { "P" }.to_owned();
                (Outcome::Held, Some(Reason::NikSexMismatch))
            }
            Some(Defect::NameMissing) => {
                row.nama.clear();
                (Outcome::Rejected, Some(Reason::NameMissing))
            }
            Some(Defect::VaccineUnknown) => {
                row.vaksin = self.one_of(&["Vitamin C", "Sinovak2", "???"]).to_owned();
                (Outcome::Rejected, Some(Reason::VaccineUnknown))
            }
            Some(Defect::DoseNumberInvalid) => {
                row.dosis_ke = self.one_of(&["0", "-1", "99", "satu"]).to_owned();
                (Outcome::Rejected, Some(Reason::DoseNumberInvalid))
            }
            Some(Defect::DateInvalid) => {
                row.tanggal_vaksinasi = self.one_of(&["2021-02-30", "31/01/2021", "kemarin", ""]).to_owned();
                (Outcome::Rejected, Some(Reason::VaccinationDateInvalid))
            }
            Some(Defect::DateInFuture) => {
                row.tanggal_vaksinasi = (day + days(400)).to_string();
                (Outcome::Rejected, Some(Reason::VaccinationDateInFuture))
            }
            Some(Defect::DateBeforeBirth) => {
                row.tanggal_vaksinasi = date(1934, 1, day.day().min(28)).to_string();
                (Outcome::Rejected, Some(Reason::VaccinationBeforeBirth))
            }
        };
        let is_told = outcome == Outcome::Issued
            && !matches!(reason, Some(Reason::PhoneMissing | Reason::PhoneInvalid));
        // The number that was corrected may have been told before.
        let was_told = matches!(defect, Some(Defect::PhoneCorrected));
        made.has_sms = is_first && (is_told || was_told);
        if matches!(reason, Some(Reason::PhoneMissing | Reason::PhoneInvalid)) {
            made.phone.clear();
        }
        (made.outcome, made.reason) = (outcome, reason);
        self.window.push(made);
    }

    /// A time of that day, as senders write it.
    fn sent_on(&mut self, day: Date) -> String {
        let (hour, minute, second) = (
            self.random.random_range(8..18),
            self.random.random_range(0..60),
            self.random.random_range(0..60),
        );
        format!("{day}T{hour:02}:{minute:02}:{second:02}+07:00")
    }

    /// A phone number as somebody types it.
    fn written(&mut self, phone: (&'static str, u64)) -> String {
        let e164 = e164(phone);
        let national = &e164[3..];
        let (first, second, third) = (&national[..3], &national[3..7], &national[7..]);
        match self.random.random_range(0..6) {
            0 => e164,
            1 => format!("62{national}"),
            2 => format!("0{first}-{second}-{third}"),
            3 => format!("+62 {first} {second} {third}"),
            4 => national.to_owned(),
            _ => format!("0{national}"),
        }
    }
}

impl Iterator for Sample {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        while self.window.len() < WINDOW && self.person < self.people {
            self.add_person();
        }
        if self.window.is_empty() {
            return None;
        }
        let at = self.random.random_range(0..self.window.len());
        let mut made = self.window.swap_remove(at);
        if std::mem::take(&mut made.comes_again) {
            self.window.push(Made { outcome: Outcome::Duplicate, has_sms: false, ..made.clone() });
        }
        Some(made)
    }
}

fn days(count: i64) -> Span {
    count.days()
}

/// The number of a person, who shares it with nobody: the serial and the district count them.
fn nik(number: u64, born: Date, is_woman: bool, regency: &str) -> String {
    let day = born.day() + if is_woman { 40 } else { 0 };
    let (district, serial) = (number / 9999 % 99 + 1, number % 9999 + 1);
    format!("{regency}{district:02}{day:02}{:02}{:02}{serial:04}", born.month(), born.year() % 100)
}

fn e164((operator, number): (&str, u64)) -> String {
    format!("+628{operator}{number:08}")
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_feed_and_every_defect_is_in_it() {
        let read = |seed| Sample::new(3000, seed).map(|made| made.row).collect::<Vec<_>>();
        assert!(read(1) == read(1) && read(1) != read(2));
        let all: Vec<Made> = Sample::new(3000, 1).collect();
        let kinds: HashSet<_> = all.iter().map(|made| (made.outcome, made.reason)).collect();
        assert_eq!(kinds.len(), 20, "{kinds:?}");
        assert!((4000..5500).contains(&all.len()), "{}", all.len());
    }

    #[test]
    fn what_is_said_again_comes_after_and_corrections_in_any_order() {
        let mut first: HashMap<String, Outcome> = HashMap::new();
        let mut corrected_before = 0;
        for made in Sample::new(3000, 1) {
            match first.get(&made.row.event_id) {
                None => {
                    assert_ne!(made.outcome, Outcome::Duplicate);
                    first.insert(made.row.event_id, made.outcome);
                }
                Some(Outcome::Issued) if made.outcome == Outcome::Superseded => corrected_before += 1,
                Some(_) => {}
            }
        }
        assert!(corrected_before > 10, "{corrected_before}");
    }
}
