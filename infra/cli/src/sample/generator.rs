//! Generates people and their doses, and shuffles the rows.

use bukti_domain::{FeedRow, Outcome, Reason};
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::values::{FACILITIES, FAMILY_NAMES, GIVEN_NAMES, OPERATORS, RARE_NAMES, REGENCIES, VACCINES};

/// The number of buffered rows, from which the next row of the file is drawn at random.
const WINDOW: usize = 4096;

/// A row, and the outcome that the import must give it.
#[derive(Clone)]
pub(super) struct SampleRow {
    pub(super) row: FeedRow,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<Reason>,
    /// Whether the row's phone receives the SMS about a first dose.
    pub(super) has_sms: bool,
    /// The phone number in E.164; empty if it is missing or invalid.
    pub(super) phone: String,
    /// Whether the row is written a second time, as a duplicate.
    pub(super) is_repeated: bool,
}

/// Generates the rows of a feed, in the order in which the file contains them.
pub(super) struct Generator {
    pub(super) random: StdRng,
    pub(super) people: u64,
    /// The number of the next person to generate.
    person: u64,
    /// The number of the latest event.
    pub(super) event: u64,
    /// The buffered rows from which the next row is drawn.
    pub(super) window: Vec<SampleRow>,
}

impl Generator {
    pub(super) fn new(people: u64, seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), people, person: 0, event: 0, window: Vec::new() }
    }

    /// Picks a random value from a non-empty slice.
    pub(super) fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        *values.choose(&mut self.random).unwrap_or(&values[0])
    }

    /// Generates the next person and adds the rows of that person's doses to the window.
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
        let no_hp = self.typed(phone);
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
                sent_at: self.time_on(day),
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

    /// Returns a random time between 08:00 and 18:00 on the given day, in the senders' format.
    pub(super) fn time_on(&mut self, day: Date) -> String {
        let (hour, minute, second) = (
            self.random.random_range(8..18),
            self.random.random_range(0..60),
            self.random.random_range(0..60),
        );
        format!("{day}T{hour:02}:{minute:02}:{second:02}+07:00")
    }

    /// Formats a phone number in one of the ways in which people type it.
    pub(super) fn typed(&mut self, phone: (&'static str, u64)) -> String {
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

impl Iterator for Generator {
    type Item = SampleRow;

    fn next(&mut self) -> Option<SampleRow> {
        while self.window.len() < WINDOW && self.person < self.people {
            self.add_person();
        }
        if self.window.is_empty() {
            return None;
        }
        let at = self.random.random_range(0..self.window.len());
        let mut drawn = self.window.swap_remove(at);
        if std::mem::take(&mut drawn.is_repeated) {
            self.window.push(SampleRow { outcome: Outcome::Duplicate, has_sms: false, ..drawn.clone() });
        }
        Some(drawn)
    }
}

pub(super) fn days(count: i64) -> Span {
    count.days()
}

/// Generates the NIK of a person. The district and the serial number are derived from the person's
/// number, so that the NIK is unique.
fn nik(number: u64, born: Date, is_woman: bool, regency: &str) -> String {
    let day = born.day() + if is_woman { 40 } else { 0 };
    let (district, serial) = (number / 9999 % 99 + 1, number % 9999 + 1);
    format!("{regency}{district:02}{day:02}{:02}{:02}{serial:04}", born.month(), born.year() % 100)
}

/// Formats a mobile number in E.164.
pub(super) fn e164((operator, number): (&str, u64)) -> String {
    format!("+628{operator}{number:08}")
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn same_seed_generates_same_feed_with_every_defect() {
        let rows = |seed| Generator::new(3000, seed).map(|row| row.row).collect::<Vec<_>>();
        assert!(rows(1) == rows(1) && rows(1) != rows(2));
        let all: Vec<SampleRow> = Generator::new(3000, 1).collect();
        let kinds: HashSet<_> = all.iter().map(|row| (row.outcome, row.reason)).collect();
        assert_eq!(kinds.len(), 20, "{kinds:?}");
        assert!((4000..5500).contains(&all.len()), "{}", all.len());
    }

    #[test]
    fn repetitions_follow_and_corrections_come_in_any_order() {
        let mut first: HashMap<String, Outcome> = HashMap::new();
        let mut corrections_first = 0;
        for row in Generator::new(3000, 1) {
            match first.get(&row.row.event_id) {
                None => {
                    assert_ne!(row.outcome, Outcome::Duplicate);
                    first.insert(row.row.event_id, row.outcome);
                }
                Some(Outcome::Issued) if row.outcome == Outcome::Superseded => corrections_first += 1,
                Some(_) => {}
            }
        }
        assert!(corrections_first > 10, "{corrections_first}");
    }
}
