//! Needles: the personal data and secrets of the scenario, searched in every encoding in which they
//! might appear.
//!
//! Rules:
//!
//! - NIKs, passport numbers, phones, codes, tokens and the texts of QR codes are searched
//!   literally. A phone is searched as it was typed and by its national number (`8…`), which is
//!   the common ending of `08…`, `62…` and `+62…`.
//! - Full names, and words of names with at least four letters, are searched in lower case, upper
//!   case and title case. A word matches only if neither a letter nor a digit precedes or follows
//!   it. In binary data (sealed fields, the table's file), words of fewer than seven letters are
//!   not searched, since they would match by chance.
//! - Birth dates are searched in four formats. Dates on or after the first vaccination are not
//!   searched, since they may be vaccination dates.
//! - Values of at least eight bytes, and one-time codes, are also searched in base64 and base64url
//!   (in each alignment to a group of three bytes), in hexadecimal, and percent-encoded.
//! - Needles that appear in public texts (OpenAPI document, locales, vaccines, facilities) are not
//!   searched.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aho_corasick::{AhoCorasick, MatchKind};
use bukti_domain::{FeedRow, PhoneNumber};
use bukti_tests::base64_fragments;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The minimum length of a word of a name that is searched in texts, in letters.
pub const MIN_WORD_IN_TEXT: usize = 4;
/// The minimum length of a word of a name that is searched in binary data, in letters.
pub const MIN_WORD_IN_BINARY: usize = 7;

/// The kind of data in a needle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Nik,
    Passport,
    Name,
    /// A single word of a name.
    Word,
    BirthDate,
    Phone,
    Code,
    LinkToken,
    SessionToken,
    /// The secret of an officer's authenticator.
    OfficerSecret,
    /// The secret of an API key.
    ApiKey,
    QrText,
}

/// The kind of a needle, and its value as in the feed, except that names are in lower case.
pub type Needle = (Kind, String);

/// A condition on the bytes before and after a match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Boundary {
    Anything,
    /// No digit after the match.
    NoDigitAfter,
    /// No digit on either side and no decimal point in front, so that the match is not part of a
    /// number.
    NoNumber,
    /// Neither letter nor digit on either side.
    NoWord,
}

struct Pattern {
    needle: usize,
    form: &'static str,
    boundary: Boundary,
}

/// The needles of a scenario.
#[derive(Default)]
pub struct Needles {
    all: BTreeSet<Needle>,
    /// Spellings in the feed that may differ from the needle's value.
    spellings: BTreeMap<Needle, BTreeSet<String>>,
}

impl Needles {
    pub fn add(&mut self, kind: Kind, value: &str) {
        self.all.insert((kind, value.to_owned()));
    }

    /// The value of the first needle of a kind, in alphabetical order.
    pub fn first(&self, kind: Kind) -> String {
        self.all.iter().find(|needle| needle.0 == kind).unwrap().1.clone()
    }

    /// Adds the identity data of the people in these rows.
    pub fn add_people(&mut self, rows: &[FeedRow]) {
        let first_dose = rows.iter().map(|row| &*row.tanggal_vaksinasi).filter(|day| day.len() == 10);
        // Ignore implausible dates, which some rows contain.
        let first_dose = first_dose.filter(|day| *day > "2020-01-01").min().unwrap_or("2020-01-01");
        for row in rows {
            let long =
                |text: &str, least: usize| Some(text.trim().to_owned()).filter(|text| text.len() >= least);
            let name = row.nama.trim();
            self.all.extend(long(&row.nik, 8).map(|nik| (Kind::Nik, nik)));
            self.all.extend(long(&row.paspor, 6).map(|number| (Kind::Passport, number)));
            self.all.extend(words(name).map(|word| (Kind::Word, word)));
            if name.contains(' ') {
                self.add(Kind::Name, &name.to_lowercase());
            }
            if row.tanggal_lahir.len() == 10 && &*row.tanggal_lahir < first_dose {
                self.add(Kind::BirthDate, &row.tanggal_lahir);
            }
            let phone = PhoneNumber::parse(&row.no_hp);
            let value = phone.as_ref().map(|phone| phone.e164().to_owned()).or_else(|| long(&row.no_hp, 7));
            if let Some(value) = value {
                self.spellings.entry((Kind::Phone, value.clone())).or_default().extend(long(&row.no_hp, 7));
                self.add(Kind::Phone, &value);
            }
        }
    }

    /// Builds a searcher that ignores the needles in these public texts. Also returns the number of
    /// ignored needles.
    pub fn searcher(&self, public: &[u8]) -> (Searcher, usize) {
        let all = Searcher::new(self.all.iter().cloned().collect(), &self.spellings);
        let known: BTreeSet<Needle> =
            all.find(public, MIN_WORD_IN_TEXT).into_iter().map(|found| found.needle).collect();
        let searched = self.all.difference(&known).cloned().collect();
        (Searcher::new(searched, &self.spellings), known.len())
    }
}

/// The words of a name that are long enough to search for, in lower case.
pub fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(|letter: char| !letter.is_alphabetic())
        .filter(|word| word.chars().count() >= MIN_WORD_IN_TEXT)
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .into_iter()
}

/// A needle that the search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub needle: Needle,
    /// The encoding in which the needle was found.
    pub form: &'static str,
    /// The byte offset of the match.
    pub at: usize,
}

/// Searches for all needles in one pass per set of patterns.
pub struct Searcher {
    needles: Vec<Needle>,
    /// Patterns that ignore case.
    folded: (AhoCorasick, Vec<Pattern>),
    /// Patterns that respect case.
    exact: (AhoCorasick, Vec<Pattern>),
}

impl Searcher {
    fn new(needles: Vec<Needle>, spellings: &BTreeMap<Needle, BTreeSet<String>>) -> Self {
        let (mut folded, mut exact) = (Patterns::default(), Patterns::default());
        for (at, needle) in needles.iter().enumerate() {
            let (kind, value) = needle;
            let mut forms: Vec<(String, Boundary)> = match kind {
                Kind::Nik | Kind::Passport | Kind::Name => vec![(value.clone(), Boundary::Anything)],
                Kind::Word => vec![(value.clone(), Boundary::NoWord)],
                Kind::BirthDate => {
                    let (year, month, day) = (&value[..4], &value[5..7], &value[8..]);
                    vec![
                        (value.clone(), Boundary::NoNumber),
                        (format!("{day}-{month}-{year}"), Boundary::NoNumber),
                        (format!("{day}/{month}/{year}"), Boundary::NoNumber),
                        (format!("{year}{month}{day}"), Boundary::NoNumber),
                    ]
                }
                Kind::Phone => {
                    let national = value.strip_prefix("+62").unwrap_or(value);
                    vec![(national.to_owned(), Boundary::NoDigitAfter)]
                }
                Kind::Code => vec![(value.clone(), Boundary::NoNumber)],
                Kind::LinkToken | Kind::SessionToken | Kind::OfficerSecret | Kind::ApiKey => {
                    vec![(value.clone(), Boundary::Anything)]
                }
                // A part of the text is enough, and it is also found if the text was truncated.
                Kind::QrText => vec![(value.chars().skip(40).take(40).collect(), Boundary::Anything)],
            };
            let secret = matches!(
                kind,
                Kind::LinkToken | Kind::SessionToken | Kind::OfficerSecret | Kind::ApiKey | Kind::QrText
            );
            for spellings in spellings.get(needle).into_iter().flatten() {
                forms.push((spellings.clone(), Boundary::NoDigitAfter));
            }
            let cased = |text: String| match kind {
                Kind::Name | Kind::Word => BTreeSet::from([title(&text), text.to_uppercase(), text]),
                _ => BTreeSet::from([text]),
            };
            let forms = forms
                .into_iter()
                .flat_map(|(text, boundary)| cased(text).into_iter().map(move |text| (text, boundary)));
            for (text, boundary) in forms {
                // Words respect case, since random text occasionally contains short words in mixed
                // case.
                let plain = if secret || *kind == Kind::Word { &mut exact } else { &mut folded };
                plain.add(at, "plain", text.as_bytes(), boundary);
                if text.len() < 8 && *kind != Kind::Code {
                    continue;
                }
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                folded.add(at, "hexadecimal", hex.as_bytes(), Boundary::Anything);
                let percent = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                if percent != text {
                    folded.add(at, "percent", percent.replace("%20", "+").as_bytes(), Boundary::Anything);
                    folded.add(at, "percent", percent.as_bytes(), Boundary::Anything);
                }
                for encoded in base64_fragments(text.as_bytes()) {
                    exact.add(at, "base64", encoded.as_bytes(), Boundary::Anything);
                }
            }
        }
        Self { needles, folded: folded.build(true), exact: exact.build(false) }
    }

    /// The number of needles that are searched.
    pub fn len(&self) -> usize {
        self.needles.len()
    }

    /// Finds the needles in these bytes, each at its first match. Ignores words of names that are
    /// shorter than `shortest_word`.
    pub fn find(&self, bytes: &[u8], shortest_word: usize) -> Vec<Match> {
        let mut found: HashMap<usize, Match> = HashMap::new();
        for (automaton, patterns) in [&self.folded, &self.exact] {
            for hit in automaton.find_overlapping_iter(bytes) {
                let pattern = &patterns[hit.pattern().as_usize()];
                let needle = &self.needles[pattern.needle];
                let too_short = needle.0 == Kind::Word && needle.1.len() < shortest_word;
                if !too_short && pattern.boundary.allows(bytes, hit.start(), hit.end()) {
                    found.entry(pattern.needle).or_insert_with(|| Match {
                        needle: needle.clone(),
                        form: pattern.form,
                        at: hit.start(),
                    });
                }
            }
        }
        let mut found: Vec<Match> = found.into_values().collect();
        found.sort_by_key(|found| found.at);
        found
    }
}

impl Boundary {
    fn allows(self, bytes: &[u8], start: usize, end: usize) -> bool {
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(end);
        match self {
            Boundary::Anything => true,
            Boundary::NoDigitAfter => after.is_none_or(|byte| !byte.is_ascii_digit()),
            Boundary::NoNumber => {
                before.is_none_or(|byte| !byte.is_ascii_digit() && *byte != b'.')
                    && after.is_none_or(|byte| !byte.is_ascii_digit())
            }
            Boundary::NoWord => {
                [before, after].into_iter().flatten().all(|byte| !byte.is_ascii_alphanumeric())
            }
        }
    }
}

#[derive(Default)]
struct Patterns {
    texts: Vec<Vec<u8>>,
    patterns: Vec<Pattern>,
}

impl Patterns {
    fn add(&mut self, needle: usize, form: &'static str, text: &[u8], boundary: Boundary) {
        self.texts.push(text.to_vec());
        self.patterns.push(Pattern { needle, form, boundary });
    }

    fn build(self, fold: bool) -> (AhoCorasick, Vec<Pattern>) {
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(fold)
            .build(&self.texts)
            .unwrap();
        (automaton, self.patterns)
    }
}

/// Changes the first letter of each word to upper case. The text must be in lower case.
fn title(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    use super::*;

    fn searcher() -> Searcher {
        let mut needles = Needles::default();
        needles.add_people(&[FeedRow {
            nik: "3171041403718300".into(),
            paspor: "ZX8401177".into(),
            nama: "Kuncoro Wiradinata".into(),
            tanggal_lahir: "1971-03-14".into(),
            no_hp: "0821-0669-9000".into(),
            ..FeedRow::default()
        }]);
        needles.add(Kind::Code, "402913");
        needles.add(Kind::LinkToken, "6sFvCkGdJw2NqTzRbXy0Lm");
        needles.searcher(b"").0
    }

    fn kinds(text: &[u8]) -> Vec<Kind> {
        let mut kinds: Vec<Kind> =
            searcher().find(text, MIN_WORD_IN_TEXT).iter().map(|found| found.needle.0).collect();
        kinds.sort();
        kinds
    }

    #[test]
    fn finds_every_encoding() {
        for (text, kind) in [
            ("id 3171041403718300.", Kind::Nik),
            ("zx8401177", Kind::Passport),
            ("KUNCORO", Kind::Word),
            ("Kuncoro", Kind::Word),
            ("x-wiradinata_", Kind::Word),
            ("1971-03-14", Kind::BirthDate),
            ("14-03-1971", Kind::BirthDate),
            ("14/03/1971", Kind::BirthDate),
            ("of19710314", Kind::BirthDate),
            ("082106699000", Kind::Phone),
            ("+6282106699000", Kind::Phone),
            ("6282106699000,", Kind::Phone),
            ("82106699000", Kind::Phone),
            ("0821-0669-9000", Kind::Phone),
            ("%2B6282106699000", Kind::Phone),
            ("code: 402913", Kind::Code),
            ("/s/6sFvCkGdJw2NqTzRbXy0Lm", Kind::LinkToken),
        ] {
            assert_eq!(kinds(text.as_bytes()), [kind], "{text}");
        }
        assert_eq!(kinds(b"kuncoro wiradinata"), [Kind::Name, Kind::Word, Kind::Word]);
        for written in ["Kuncoro%20Wiradinata", "kuncoro+wiradinata"] {
            assert!(kinds(written.as_bytes()).contains(&Kind::Name), "{written}");
        }
        for (text, kind) in [
            ("3171041403718300", Kind::Nik),
            ("ZX8401177", Kind::Passport),
            ("Kuncoro Wiradinata", Kind::Name),
            ("KUNCORO WIRADINATA", Kind::Name),
            ("1971-03-14", Kind::BirthDate),
            ("82106699000", Kind::Phone),
            ("402913", Kind::Code),
            ("6sFvCkGdJw2NqTzRbXy0Lm", Kind::LinkToken),
        ] {
            // Test each alignment to the groups of three bytes in base64.
            for before in ["", "\u{1}", "ab", "abc"] {
                let whole = format!("{before}{text}?>~");
                assert!(kinds(STANDARD_NO_PAD.encode(&whole).as_bytes()).contains(&kind), "{text} in base64");
                assert!(
                    kinds(URL_SAFE_NO_PAD.encode(&whole).as_bytes()).contains(&kind),
                    "{text} in base64url"
                );
            }
            let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
            assert!(kinds(hex.as_bytes()).contains(&kind), "{text} in hexadecimal");
        }
    }

    #[test]
    fn ignores_lookalikes() {
        for text in [
            "kuncoros",
            "kuNcoRo",
            "1402913",
            "0.402913",
            "402913000",
            "821066990001",
            "119710314",
            "1971-03-145",
        ] {
            assert_eq!(kinds(text.as_bytes()), [], "{text}");
        }
        assert_eq!(searcher().find(b"\xffkuncoro\x00", 8), [], "a short word in binary data");
    }

    #[test]
    fn skips_words_of_public_texts() {
        let mut needles = Needles::default();
        needles.add_people(&[FeedRow { nama: "Sehat Kuncoro".into(), ..FeedRow::default() }]);
        let (searcher, known) = needles.searcher(b"Salam sehat!");
        assert_eq!((searcher.len(), known), (2, 1));
        assert!(searcher.find(b"sehat", MIN_WORD_IN_TEXT).is_empty());
    }
}
