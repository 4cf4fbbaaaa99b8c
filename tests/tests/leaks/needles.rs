//! What must not be found: the personal data of a feed and the secrets of a walk, in every form in which they might stand
//! somewhere.
//!
//! The rules:
//!
//! - Identity numbers, passports, phones, codes, tokens and QR texts as they are. A phone is sought by its national number
//!   (`8…`), which is the end of `08…`, `62…` and `+62…`, and as it was typed.
//! - Full names, and each word of a name that has four letters or more, in lower case, in upper case and with a
//!   capital. A word counts where no letter or digit stands beside it. In bytes that look random (seals, the table's file)
//!   words of less than seven letters are not sought: they would be there by chance.
//! - Birth dates in four forms. Those of the days of vaccinations and later are not sought, since they are other dates, too.
//! - Whatever has eight bytes or more, also in base64 (each of three places in a group), base64url, hexadecimal and
//!   percent-encoded. One-time codes, too.
//! - What stands in public texts anyway (API document, texts, vaccines, facilities) is not sought.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aho_corasick::{AhoCorasick, MatchKind};
use bukti_domain::{FeedRow, PhoneNumber};
use bukti_tests::base64_fragments;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The shortest word that is sought in texts.
pub const IN_TEXT: usize = 4;
/// And in bytes that look random.
pub const IN_NOISE: usize = 7;

/// What a needle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Nik,
    Passport,
    Name,
    /// A word of a name.
    Word,
    BirthDate,
    Phone,
    Code,
    LinkToken,
    SessionToken,
    /// What an officer's authenticator makes codes of.
    OfficerSecret,
    /// The secret of an API key.
    ApiKey,
    QrText,
}

/// A needle: what it is, and its value as in the feed (names in lower case).
pub type Needle = (Kind, String);

/// What must stand beside a find.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Anything,
    /// No digit behind.
    NoDigitBehind,
    /// No digit on either side, no decimal point before: not a part of a number.
    NoNumber,
    /// No letter and no digit on either side.
    NoWord,
}

struct Pattern {
    needle: usize,
    form: &'static str,
    beside: Beside,
}

/// Everything to be found.
#[derive(Default)]
pub struct Needles {
    all: BTreeSet<Needle>,
    /// As they stand in a feed, beside the needle's own value.
    typed: BTreeMap<Needle, BTreeSet<String>>,
}

impl Needles {
    /// Adds a needle.
    pub fn add(&mut self, kind: Kind, value: &str) {
        self.all.insert((kind, value.to_owned()));
    }

    /// One of a kind.
    pub fn first(&self, kind: Kind) -> String {
        self.all.iter().find(|needle| needle.0 == kind).unwrap().1.clone()
    }

    /// Adds who is in these rows.
    pub fn add_people(&mut self, rows: &[FeedRow]) {
        let first_dose = rows.iter().map(|row| &*row.tanggal_vaksinasi).filter(|day| day.len() == 10);
        // A few rows say a wrong day.
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
                self.typed.entry((Kind::Phone, value.clone())).or_default().extend(long(&row.no_hp, 7));
                self.add(Kind::Phone, &value);
            }
        }
    }

    /// Makes ready to search, without what stands in these public texts. Says how many are sought and how many not.
    pub fn searcher(&self, public: &[u8]) -> (Searcher, usize) {
        let all = Searcher::new(self.all.iter().cloned().collect(), &self.typed);
        let known: BTreeSet<Needle> = all.find(public, IN_TEXT).into_iter().map(|find| find.needle).collect();
        let sought = self.all.difference(&known).cloned().collect();
        (Searcher::new(sought, &self.typed), known.len())
    }
}

/// The words of a name that are sought, in lower case.
pub fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(|letter: char| !letter.is_alphabetic())
        .filter(|word| word.chars().count() >= IN_TEXT)
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    pub needle: Needle,
    /// In which form.
    pub form: &'static str,
    /// The byte at which it begins.
    pub at: usize,
}

/// Looks for all needles at once.
pub struct Searcher {
    needles: Vec<Needle>,
    /// Regardless of case, and to the byte.
    folded: (AhoCorasick, Vec<Pattern>),
    exact: (AhoCorasick, Vec<Pattern>),
}

impl Searcher {
    fn new(needles: Vec<Needle>, typed: &BTreeMap<Needle, BTreeSet<String>>) -> Self {
        let (mut folded, mut exact) = (Patterns::default(), Patterns::default());
        for (at, needle) in needles.iter().enumerate() {
            let (kind, value) = needle;
            let mut forms: Vec<(String, Beside)> = match kind {
                Kind::Nik | Kind::Passport | Kind::Name => vec![(value.clone(), Beside::Anything)],
                Kind::Word => vec![(value.clone(), Beside::NoWord)],
                Kind::BirthDate => {
                    let (year, month, day) = (&value[..4], &value[5..7], &value[8..]);
                    vec![
                        (value.clone(), Beside::NoNumber),
                        (format!("{day}-{month}-{year}"), Beside::NoNumber),
                        (format!("{day}/{month}/{year}"), Beside::NoNumber),
                        (format!("{year}{month}{day}"), Beside::NoNumber),
                    ]
                }
                Kind::Phone => {
                    let national = value.strip_prefix("+62").unwrap_or(value);
                    vec![(national.to_owned(), Beside::NoDigitBehind)]
                }
                Kind::Code => vec![(value.clone(), Beside::NoNumber)],
                Kind::LinkToken | Kind::SessionToken | Kind::OfficerSecret | Kind::ApiKey => {
                    vec![(value.clone(), Beside::Anything)]
                }
                // A part of it says as much. What is searched may have broken it off.
                Kind::QrText => vec![(value.chars().skip(40).take(40).collect(), Beside::Anything)],
            };
            let secret = matches!(
                kind,
                Kind::LinkToken | Kind::SessionToken | Kind::OfficerSecret | Kind::ApiKey | Kind::QrText
            );
            for typed in typed.get(needle).into_iter().flatten() {
                forms.push((typed.clone(), Beside::NoDigitBehind));
            }
            let cased = |text: String| match kind {
                Kind::Name | Kind::Word => BTreeSet::from([title(&text), text.to_uppercase(), text]),
                _ => BTreeSet::from([text]),
            };
            let forms = forms
                .into_iter()
                .flat_map(|(text, beside)| cased(text).into_iter().map(move |text| (text, beside)));
            for (text, beside) in forms {
                // Random text has a short word in mixed case now and then.
                let plain = if secret || *kind == Kind::Word { &mut exact } else { &mut folded };
                plain.add(at, "plain", text.as_bytes(), beside);
                if text.len() < 8 && *kind != Kind::Code {
                    continue;
                }
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                folded.add(at, "hexadecimal", hex.as_bytes(), Beside::Anything);
                let percent = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                if percent != text {
                    folded.add(at, "percent", percent.replace("%20", "+").as_bytes(), Beside::Anything);
                    folded.add(at, "percent", percent.as_bytes(), Beside::Anything);
                }
                for encoded in base64_fragments(text.as_bytes()) {
                    exact.add(at, "base64", encoded.as_bytes(), Beside::Anything);
                }
            }
        }
        Self { needles, folded: folded.build(true), exact: exact.build(false) }
    }

    /// How many needles are sought.
    pub fn len(&self) -> usize {
        self.needles.len()
    }

    /// The needles that are in these bytes, each once. Words of a name only from this length on.
    pub fn find(&self, bytes: &[u8], shortest_word: usize) -> Vec<Find> {
        let mut found: HashMap<usize, Find> = HashMap::new();
        for (automaton, patterns) in [&self.folded, &self.exact] {
            for hit in automaton.find_overlapping_iter(bytes) {
                let pattern = &patterns[hit.pattern().as_usize()];
                let needle = &self.needles[pattern.needle];
                let too_short = needle.0 == Kind::Word && needle.1.len() < shortest_word;
                if !too_short && pattern.beside.allows(bytes, hit.start(), hit.end()) {
                    found.entry(pattern.needle).or_insert_with(|| Find {
                        needle: needle.clone(),
                        form: pattern.form,
                        at: hit.start(),
                    });
                }
            }
        }
        let mut found: Vec<Find> = found.into_values().collect();
        found.sort_by_key(|find| find.at);
        found
    }
}

impl Beside {
    fn allows(self, bytes: &[u8], start: usize, end: usize) -> bool {
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        let behind = bytes.get(end);
        match self {
            Beside::Anything => true,
            Beside::NoDigitBehind => behind.is_none_or(|byte| !byte.is_ascii_digit()),
            Beside::NoNumber => {
                before.is_none_or(|byte| !byte.is_ascii_digit() && *byte != b'.')
                    && behind.is_none_or(|byte| !byte.is_ascii_digit())
            }
            Beside::NoWord => {
                [before, behind].into_iter().flatten().all(|byte| !byte.is_ascii_alphanumeric())
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
    fn add(&mut self, needle: usize, form: &'static str, text: &[u8], beside: Beside) {
        self.texts.push(text.to_vec());
        self.patterns.push(Pattern { needle, form, beside });
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

/// Each word with a capital letter.
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
        let mut kinds: Vec<Kind> = searcher().find(text, IN_TEXT).iter().map(|find| find.needle.0).collect();
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
            // Wherever it stands in a group of three bytes.
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
        assert_eq!(searcher().find(b"\xffkuncoro\x00", 8), [], "a short word among noise");
    }

    #[test]
    fn skips_words_of_public_texts() {
        let mut needles = Needles::default();
        needles.add_people(&[FeedRow { nama: "Sehat Kuncoro".into(), ..FeedRow::default() }]);
        let (searcher, known) = needles.searcher(b"Salam sehat!");
        assert_eq!((searcher.len(), known), (2, 1));
        assert!(searcher.find(b"sehat", IN_TEXT).is_empty());
    }
}
