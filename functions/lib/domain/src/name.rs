//! Names: as written, as a certificate signs them, and when two writings mean the same name.
//!
//! Two rules that must not be mixed up:
//!
//! - What is *signed* ([`PersonName::certified`]) is strict: the words of the identity document in their order. A border
//!   officer compares it with a passport, so a word too few is worse than a title too many.
//! - What is *compared* ([`PersonName::matches`]) is lenient: people type their names without titles and diacritics.

use std::fmt;

use crate::{Identity, hygiene};

/// A person's name as on the identity card: any Unicode, at least one letter, white space tidied.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// A name as a certificate shows and signs it. Personal.
///
/// Indonesian names have no family name: the last word stands in its place, as in Indonesian passports, and the only word of
/// a one-word name too.
#[derive(Clone, PartialEq, Eq)]
pub struct CertifiedName {
    text: String,
    family: String,
    given: String,
}

impl CertifiedName {
    /// The whole name, for people to read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The family name, or what stands in its place. Never empty.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The given names; empty for a name of one word.
    pub fn given(&self) -> &str {
        &self.given
    }
}

/// Titles that stand before a name (academic, religious, noble), without punctuation.
const BEFORE: &[&str] = &[
    "PROF", "DR", "DRA", "DRS", "DRG", "DRH", "IR", "H", "HJ", "KH", "KYAI", "USTADZ", "USTAZ", "HAJI",
    "HAJJAH", "APT", "NS", "BPK", "BAPAK", "IBU", "SDR", "SDRI", "TN", "NY", "NN", "AN", "R", "RA", "RR",
    "RM", "RADEN",
];

/// Degrees that stand behind a name, without punctuation. Those of specialists (`Sp.PD`) are [`SPECIALTIES`].
const BEHIND: &[&str] = &[
    "SPD", "SPDI", "SE", "SEI", "SH", "SHI", "ST", "STP", "SKOM", "SSI", "SSOS", "SIP", "SIKOM", "SKM",
    "SKED", "SKEP", "SKG", "SKH", "SFARM", "SFIL", "SHUM", "SPSI", "SPT", "SAG", "SSN", "SS", "STHI", "SAP",
    "SAB", "SIK", "SST", "STR", "MM", "MSI", "MSC", "MT", "MH", "MHUM", "MPD", "MPDI", "MKOM", "MKES", "MKM",
    "MKED", "MAG", "MA", "MBA", "MAP", "ME", "MEI", "MIKOM", "MIP", "MFARM", "MPSI", "MPH", "PHD", "AMD",
    "AMK", "AMKEB", "NERS", "APT", "BSC", "BA", "LC", "CA", "CPA", "AK", "NS", "SKEB", "SGZ", "SFT", "SDS",
    "SPI", "SHUT", "SIAN", "SARS", "SSTP", "SPDSD", "SMAT", "SSTAT", "STRKEB", "STRKEP", "STRKES", "STRGZ",
    "STRAK", "STRT", "STRFT", "AMDKEB", "AMDKEP", "AMDKES", "AMDAK", "AMDGZ", "AMDFARM", "AMDKOM", "AMDKG",
    "AMDRAD", "AMDFT", "AMDRMIK", "MARS", "MKEB", "MKEP", "MTRKEB", "MTRKEP", "MGIZI", "MBIOMED", "MHKES",
    "MKN", "MSOS", "MSTAT", "MTI", "MCS", "MENG", "MSN", "LLM", "DBA", "MBBS", "FINASIM", "FIHA", "FICS",
    "CFP", "CFA", "QIA", "PSIKOLOG", "KGEH", "KGH", "KHOM", "KEMD", "KPTI", "KGER", "KIC", "KKV", "BD",
    "IPM", "IPU",
];

/// Specialties of doctors and nurses as they stand behind `Sp` (`SpPD`, `Sp.OG(K)`), without punctuation.
const SPECIALTIES: &[&str] = &[
    "A", "AK", "AN", "AND", "AKP", "B", "BA", "BM", "BMM", "BP", "BPRE", "BS", "BTKV", "DLP", "DV", "DVE",
    "EM", "F", "FK", "GK", "JP", "KEPAN", "KEPJ", "KEPKOM", "KEPMAT", "KEPMB", "KFR", "KG", "KGA", "KJ",
    "KK", "KKLP", "KL", "KN", "KO", "KP", "M", "MK", "N", "OG", "OK", "ONKRAD", "ORT", "OT", "P", "PA",
    "PARK", "PD", "PERIO", "PK", "PM", "PROS", "RAD", "RKG", "RM", "S", "THT", "THTBKL", "THTKL", "U",
];

/// What stands behind a name and is signed with the family name, without punctuation. Of a passport holder only what no
/// given name is spelt like: `TAN, MA` and `WANG, S.H.` are whole names.
const SUFFIXES: &[&str] = &["JR", "SR", "II", "III", "IV", "MBA", "MPH", "MSC", "BSC", "PHD"];

/// The most words that one degree is written in (`Sp. OG (K)`, `A. Md. Keb.`).
const LONGEST_DEGREE: usize = 3;

/// The writings of Muhammad; the short ones are what clinics type when a form is narrow.
const MUHAMMAD: &[&str] = &[
    "MUH",
    "MOH",
    "MOCH",
    "MHD",
    "MHMD",
    "MOHD",
    "MUHD",
    "MUHAMAD",
    "MUHAMMED",
    "MOHAMAD",
    "MOHAMMAD",
    "MOHAMED",
    "MOHAMMED",
    "MOCHAMAD",
    "MOCHAMMAD",
    "MUCHAMAD",
    "MUCHAMMAD",
    "MUCH",
    "MUHAMED",
    "MOKHAMAD",
    "MOKHAMMAD",
    "MUKHAMAD",
    "MUKHAMMAD",
];

impl PersonName {
    /// Reads a name. `None` where it has no letter, or is a placeholder that no name is spelt like (`#N/A`, `tidak ada`):
    /// one of letters alone is somebody's name (`Nan`, `Null`).
    pub fn parse(text: &str) -> Option<Self> {
        let tidy = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_placeholder =
            !tidy.chars().all(char::is_alphabetic) && hygiene::is_placeholder(&tidy).is_some();
        (has_letter(&tidy) && !is_placeholder).then_some(Self(tidy))
    }

    /// The name as it was written. Personal: for documents and sealed fields only.
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// The name as a certificate of the person with this number signs it.
    ///
    /// Of a NIK holder, titles in front of the name and degrees behind it are left out, only where it is certain that they
    /// are such: they are in the lists, and have a dot or are separated by a comma. A name of two words never becomes one
    /// of one word, and of a passport holder's name nothing is left out but words without a letter. `SMITH, JOHN`, with
    /// nothing behind the comma that can be a degree, has the family name first.
    ///
    /// ```
    /// use bukti_domain::{Identity, PersonName};
    /// let holder = Identity::parse("3171012401896246").unwrap();
    /// let name = PersonName::parse("Dr. H. Ahmad Fauzi, S.Pd., M.M.").unwrap().certified(Some(&holder));
    /// assert_eq!((name.text(), name.family(), name.given()), ("Ahmad Fauzi", "Fauzi", "Ahmad"));
    /// ```
    pub fn certified(&self, identity: Option<&Identity>) -> CertifiedName {
        let is_nik = matches!(identity, Some(Identity::Nik(_)));
        let Parts { mut names, degrees } = self.parts(|front, behind| {
            let is_one_word = front.iter().filter(|word| !(has_dot(word) && is_title(word))).count() < 2;
            match (is_nik, is_one_word) {
                (true, true) => is_degree_segment(behind),
                (true, false) => is_degree_segment(behind) || behind.iter().all(|word| can_be_degree(word)),
                (false, true) => false,
                // No passport has a name with dots in it: what is written so was added.
                (false, false) => {
                    behind.iter().all(|word| is_suffix(word) || has_dot(word) && are_degrees(&[word]))
                }
            }
        });
        let kept_degrees: Vec<Vec<&str>> =
            degrees.into_iter().filter(|words| !(is_nik && are_degrees(words))).collect();
        if let [words] = names.as_mut_slice()
            && is_nik
        {
            while words.len() > 2 && words.last().is_some_and(|word| has_dot(word) && is_degree(word)) {
                words.pop();
            }
            while let [first, _, ..] = words[..] {
                let rest = without_attached_titles(first);
                if words.len() > 2 && has_dot(first) && is_title(first) {
                    words.remove(0);
                } else if rest == first {
                    break;
                } else {
                    words[0] = rest;
                }
            }
        }
        let join = |words: &[&str]| words.join(" ");
        let (given, mut family) = match names.as_slice() {
            [family, given @ ..] if !given.is_empty() => (join(&given.concat()), family.clone()),
            _ => {
                let words = names.concat();
                // A suffix, or a degree that had to stay, is not a family name by itself.
                let is_behind = |word: &str| is_suffix(word) || is_nik && has_dot(word) && is_degree(word);
                let last = words.iter().rposition(|word| !is_behind(word)).unwrap_or(0);
                (join(&words[..last]), words[last..].to_vec())
            }
        };
        let text = names.iter().chain(&kept_degrees).map(|words| join(words)).collect::<Vec<_>>().join(", ");
        family.extend(kept_degrees.concat());
        CertifiedName { text, family: join(&family), given }
    }

    /// The parts of the name between commas. Words without a letter are none of a name. What is behind a degree is one too;
    /// whether a segment is one is judged by the words in front of the first comma and its own.
    fn parts(&self, is_degree: impl Fn(&[&str], &[&str]) -> bool) -> Parts<'_> {
        let mut names: Vec<Vec<&str>> = self
            .0
            .split(',')
            .map(|part| part.split_whitespace().filter(|word| has_letter(word)).collect::<Vec<_>>())
            .filter(|words| !words.is_empty())
            .collect();
        let end = match names.as_slice() {
            [front, first, ..] if is_degree(front, first) => 1,
            [front, behind @ ..] => {
                behind.iter().rposition(|words| !is_degree(front, words)).map_or(1, |last| last + 2)
            }
            [] => 0,
        };
        let degrees = names.split_off(end);
        Parts { names, degrees }
    }

    /// Whether two writings mean the same name: without regard to case, spaces, punctuation, diacritics, titles and the
    /// usual short forms of Muhammad.
    ///
    /// ```
    /// use bukti_domain::PersonName;
    /// let name = |text| PersonName::parse(text).unwrap();
    /// assert!(name("M. Nur'aini S.Pd.").matches(&name("MUHAMMAD NURAINI")));
    /// assert!(!name("Ahmad Fauzi").matches(&name("Ahmad Fauzan")));
    /// ```
    pub fn matches(&self, other: &PersonName) -> bool {
        self.match_key() == other.match_key()
    }

    /// What is the same for all writings that mean the same name. Personal: for keyed hashes only.
    pub fn match_key(&self) -> String {
        let parts = self.parts(|front, behind| {
            is_degree_segment(behind) || front.len() > 1 && behind.iter().all(|word| is_suffix(word))
        });
        let mut names = parts.names;
        // The family name before a comma goes behind the given names.
        if names.len() > 1 {
            names.rotate_left(1);
        }
        let mut words = names.concat();
        let start = words.iter().position(|word| !is_title(word)).unwrap_or(0);
        if let Some(first) = words.get_mut(start) {
            *first = without_attached_titles(first);
        }
        let is_behind = |word: &&str| is_degree(word) || is_suffix(word);
        let end = words.iter().rposition(|word| !is_behind(word)).map_or(words.len(), |last| last + 1);
        let words = if start < end { &words[start..end] } else { &words[..] };
        let mut key = String::with_capacity(self.0.len());
        for (at, word) in words.iter().enumerate() {
            let plain: String = deunicode::deunicode(word)
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|character| character.to_ascii_uppercase())
                .collect();
            // A lone M is Muhammad only in front: behind, it is an initial of anything.
            if (at == 0 && plain == "M") || MUHAMMAD.contains(&plain.as_str()) {
                key.push_str("MUHAMMAD");
            } else {
                key.push_str(&without_expansions(&plain));
            }
        }
        key
    }
}

/// A name's parts between commas, each as its words.
struct Parts<'a> {
    /// The name itself; more than one where the family name is before a comma. Never empty.
    names: Vec<Vec<&'a str>>,
    /// Degrees behind it.
    degrees: Vec<Vec<&'a str>>,
}

fn bare(word: &str) -> String {
    word.chars().filter(|character| character.is_alphanumeric()).collect::<String>().to_uppercase()
}

fn has_dot(word: &str) -> bool {
    word.contains('.')
}

fn is_title(word: &str) -> bool {
    BEFORE.contains(&bare(word).as_str())
}

fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&bare(word).as_str())
}

fn has_letter(word: &str) -> bool {
    word.contains(char::is_alphabetic)
}

/// A word without the titles that are written in front of it without a space (`Dr.Budi`, `dr.H.Ahmad`). An initial stays:
/// a letter is a title only where a whole word follows (`H.Ahmad`, and not `H.B.Jassin`).
fn without_attached_titles(mut word: &str) -> &str {
    let is_word = |text: &str| text.chars().filter(|it| it.is_alphabetic()).count() > 1;
    let rest = |word| {
        let dots = str::match_indices(word, '.').take(2);
        dots.map(|(at, _)| (&word[..at], &word[at + 1..])).find_map(|(title, rest)| {
            let is_alone = is_word(rest) && !rest.trim_end_matches('.').contains('.');
            let is_followed =
                is_alone || is_word(title) && !title.contains('.') && rest.split('.').any(is_word);
            (is_title(title) && is_followed).then_some(rest)
        })
    };
    // More than a few are no titles.
    for _ in 0..6 {
        let Some(rest) = rest(word) else { break };
        word = rest;
    }
    word
}

/// Whether a word is a degree.
fn is_degree(word: &str) -> bool {
    let plain = bare(word);
    let is_of_specialist = |specialty: &str| {
        SPECIALTIES.contains(&specialty)
            // A consultant's field: `Sp.OG(K)`, `Sp.PD-KGEH`.
            || specialty.len() < 8
                && specialty
                    .match_indices('K')
                    .any(|(at, _)| SPECIALTIES.contains(&&specialty[..at]))
    };
    BEHIND.contains(&&*plain)
        || word.to_uppercase().starts_with("SP.")
        || plain.strip_prefix("SP").is_some_and(is_of_specialist)
}

/// Whether words behind a comma are degrees, each written in one word or several (`S. Pd`, `S.Kep Ns`). A title counts
/// there where it has a dot (`…, dr., Sp.A`).
fn are_degrees(words: &[&str]) -> bool {
    // Whether the words from here on are degrees, from the last one back.
    let mut rest_is = vec![false; words.len()];
    rest_is.push(true);
    for start in (0..words.len()).rev() {
        let longest = LONGEST_DEGREE.min(words.len() - start);
        rest_is[start] = (1..=longest).any(|length| {
            let words = &words[start..start + length];
            let is_dotted_title = length == 1 && has_dot(words[0]) && is_title(words[0]);
            rest_is[start + length] && (is_degree(&words.concat()) || is_dotted_title)
        });
    }
    rest_is[0]
}

/// Whether words behind a comma are degrees, or look like one that is not in the list (`S.Xyz`).
fn is_degree_segment(words: &[&str]) -> bool {
    are_degrees(words) || words.iter().all(|word| are_degrees(&[word]) || is_like_a_degree(word))
}

/// Whether a word behind a comma, with two words or more in front of it, can be a degree: it is in a list, has a dot, or
/// is short and written like an abbreviation (`CHt`, `CRMP`, but not `Ana`).
fn can_be_degree(word: &str) -> bool {
    let is_vowel = |letter: char| "AEIOUYaeiouy".contains(letter);
    let is_abbreviation = word.chars().skip(1).any(char::is_uppercase) || !word.contains(is_vowel);
    let is_short = word.len() <= 4 && word.is_ascii();
    has_dot(word) || are_degrees(&[word]) || is_suffix(word) || is_short && is_abbreviation
}

/// Whether a word looks like a degree that is not in the list (`S.Xyz`), and not like initials (`J.`, `J.R.`).
fn is_like_a_degree(word: &str) -> bool {
    let mut pieces = word.split('.').filter(|piece| !piece.is_empty());
    word.trim_end_matches('.').contains('.') && pieces.any(|piece| piece.chars().count() > 1)
}

/// A word without what diacritics are written out as, so that `Müller`, `Mueller` and `Muller` are the same.
fn without_expansions(word: &str) -> String {
    word.replace("AE", "A").replace("OE", "O").replace("UE", "U").replace("AA", "A")
}

impl fmt::Debug for CertifiedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CertifiedName(…)")
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PersonName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        PersonName::parse(one).unwrap().matches(&PersonName::parse(other).unwrap())
    }

    #[test]
    fn writings_of_one_name() {
        for (one, other) in [
            ("Dr. H. Ahmad Fauzi, S.Pd., M.M.", "AHMAD FAUZI"),
            ("Dr. H. Ahmad Fauzi, S.Pd., M.M.", "ahmad fauzi spd mm"),
            ("dr. Tirta Kusuma Sp.OG", "Tirta Kusuma"),
            ("Ir. Hj. R.A. Kartini Djojohadikusumo, M.Sc., Ph.D.", "kartini djojohadikusumo"),
            ("Muh. Al-Ghifari", "Muhammad Alghifari"),
            ("M. ILHAM AKBAR S.", "Moh Ilham Akbar S"),
            ("Nguyễn Thị Hoa", "NGUYEN THI HOA"),
            ("José Ximenes", "jose  ximenes"),
            ("O'Brien Simanjuntak", "O’brien simanjuntak"),
            ("Anna-Lena Müller", "ANNA LENA MULLER"),
            ("Anna-Lena Müller", "Anna Lena Mueller"),
            ("Bjørn Ångström", "Bjoern Aangstroem"),
            ("SMITH, JOHN", "John Smith"),
            ("Prof Dr Budi Santoso, dr., Sp.A", "Budi Santoso"),
            ("Budi Santoso, S.Xyz", "budi santoso"),
            ("Nur'aini Ma'ruf", "Nuraini Maruf"),
            ("Ayu", " ayu "),
            ("H.", "h"),
            ("Siti Aminah H.", "Siti Aminah H"),
            ("dr.H.Ahmad Fauzi,Sp.B", "Ahmad Fauzi"),
            ("Siti Aminah, A. Md. Keb.", "siti aminah"),
            ("Budi Santoso, Jr.", "Budi Santoso Jr"),
            ("Suharto -", "Suharto"),
        ] {
            assert!(same(one, other), "{one} / {other}");
        }
    }

    #[test]
    fn names_of_different_people() {
        for (one, other) in [
            ("Ahmad Fauzi", "Ahmad Fauzan"),
            ("Siti", "Sitti Aminah"),
            ("Budi M", "Budi Muhammad"),
            ("Maria Halim", "Halim Maria"),
            ("Siti Aminah H.", "Siti Aminah"),
        ] {
            assert!(!same(one, other), "{one} / {other}");
        }
    }

    fn certified(text: &str, number: &str) -> (String, String, String) {
        let identity = Identity::parse(number).unwrap();
        let name = PersonName::parse(text).unwrap().certified(Some(&identity));
        (name.text, name.family, name.given)
    }

    #[test]
    fn signs_the_words_of_an_identity_card_without_certain_titles() {
        for (written, text, family, given) in [
            ("Iwan Purnomo", "Iwan Purnomo", "Purnomo", "Iwan"),
            ("Ayu", "Ayu", "Ayu", ""),
            ("dr. Budi Santoso, Sp.PD", "Budi Santoso", "Santoso", "Budi"),
            ("Dr. H. Ahmad Fauzi, S.Pd., M.M.", "Ahmad Fauzi", "Fauzi", "Ahmad"),
            (
                "Ir. Hj. R.A. Kartini Djojohadikusumo, M.Sc., Ph.D.",
                "Kartini Djojohadikusumo",
                "Djojohadikusumo",
                "Kartini",
            ),
            ("dr. Tirta Kusuma Sp.OG", "Tirta Kusuma", "Kusuma", "Tirta"),
            ("Budi Santoso, dr., Sp.A", "Budi Santoso", "Santoso", "Budi"),
            ("Budi Santoso, SE", "Budi Santoso", "Santoso", "Budi"),
            ("Budi, S.H.", "Budi", "Budi", ""),
            // Not dotted, not behind a comma: words of the name.
            ("An Nisa Putri", "An Nisa Putri", "Putri", "An Nisa"),
            ("Sri Se", "Sri Se", "Se", "Sri"),
            ("Raden Ajeng Kartini", "Raden Ajeng Kartini", "Kartini", "Raden Ajeng"),
            ("Dr Soetomo Ma", "Dr Soetomo Ma", "Ma", "Dr Soetomo"),
            // Never down to one word from two.
            ("dr. Budi", "dr. Budi", "Budi", "dr."),
            ("Budi S.Pd.", "Budi S.Pd.", "Budi S.Pd.", ""),
            ("Dr. H. Ayu", "H. Ayu", "Ayu", "H."),
            // Not in the lists.
            ("M. Ilham Akbar S.", "M. Ilham Akbar S.", "S.", "M. Ilham Akbar"),
            ("St. Aisyah binti Abdullah", "St. Aisyah binti Abdullah", "Abdullah", "St. Aisyah binti"),
            ("Budi Santoso, S.Xyz", "Budi Santoso, S.Xyz", "Santoso S.Xyz", "Budi"),
            ("SMITH, JOHN", "SMITH, JOHN", "SMITH", "JOHN"),
            // With two words in front of the comma, what can be a degree is no given name.
            ("Budi Santoso, CHt", "Budi Santoso, CHt", "Santoso CHt", "Budi"),
            ("dr. Budi Santoso, Jr.", "Budi Santoso, Jr.", "Santoso Jr.", "Budi"),
            ("Budi Santoso Jr.", "Budi Santoso Jr.", "Santoso Jr.", "Budi"),
            ("BUDI SANTOSO, CRMO", "BUDI SANTOSO, CRMO", "SANTOSO CRMO", "BUDI"),
            ("Budi Santoso, S.T., ASEAN Eng.", "Budi Santoso, ASEAN Eng.", "Santoso ASEAN Eng.", "Budi"),
            ("De la Cruz, Ana", "De la Cruz, Ana", "De la Cruz", "Ana"),
            ("DE LA CRUZ, MARIA, S.H.", "DE LA CRUZ, MARIA", "DE LA CRUZ", "MARIA"),
            ("dr. SMITH, JOHN", "dr. SMITH, JOHN", "dr. SMITH", "JOHN"),
            ("SMITH, J.R.", "SMITH, J.R.", "SMITH", "J.R."),
            // Initials behind a name are no titles.
            ("Siti Aminah H.", "Siti Aminah H.", "H.", "Siti Aminah"),
            ("Andi Pratama R.", "Andi Pratama R.", "R.", "Andi Pratama"),
            ("Putri Ayu R.A.", "Putri Ayu R.A.", "R.A.", "Putri Ayu"),
            ("H.B.Jassin Akbar", "H.B.Jassin Akbar", "Akbar", "H.B.Jassin"),
            ("Dr.Budi", "Dr.Budi", "Dr.Budi", ""),
            // Without a letter: no words of a name.
            ("Suharto -", "Suharto", "Suharto", ""),
            ("Suharto .", "Suharto", "Suharto", ""),
            ("Iwan Purnomo *", "Iwan Purnomo", "Purnomo", "Iwan"),
            ("Iwan Purnomo 081234567890", "Iwan Purnomo", "Purnomo", "Iwan"),
            ("dr. Budi -", "dr. Budi", "Budi", "dr."),
        ] {
            let expected = (text.to_owned(), family.to_owned(), given.to_owned());
            assert_eq!(certified(written, "3171012401896246"), expected, "{written}");
        }
    }

    #[test]
    fn leaves_degrees_behind_a_comma_out_in_every_writing() {
        for degrees in [
            "S. Pd",
            "M. Kes",
            "A. Md. Keb.",
            "Amd Keb",
            "S.Kep, Ns",
            "S.Kep Ns",
            "S.Tr.Keb",
            "S. Tr. Keb",
            "SpPD",
            "Sp PD",
            "SpOG(K)",
            "Sp. OG (K)",
            "Sp.PD-KGEH",
            "SpPD, K-GEH",
            "SpPD, FINASIM",
            "MARS",
            "S.E., M.M.",
            "Ners",
            "S.Keb., Bd.",
            "S.T., M.T., IPM",
            ", S.Pd , ",
        ] {
            let expected = ("Siti Aminah".to_owned(), "Aminah".to_owned(), "Siti".to_owned());
            assert_eq!(
                certified(&format!("Siti Aminah, {degrees}"), "3171012401896246"),
                expected,
                "{degrees}"
            );
        }
        for name in ["Spencer", "Sparta", "Spike", "Speck", "Spokal"] {
            assert!(!is_degree(name), "{name}");
        }
    }

    #[test]
    fn leaves_attached_titles_out() {
        for (written, text) in [
            ("Dr.Budi Santoso", "Budi Santoso"),
            ("H.Ahmad Fauzi", "Ahmad Fauzi"),
            ("Hj.Siti Aminah", "Siti Aminah"),
            ("dr.H.Ahmad Fauzi,Sp.B", "Ahmad Fauzi"),
            ("Prof.Dr. Budi Santoso", "Budi Santoso"),
            ("R.A.Kartini Putri", "Kartini Putri"),
            ("dr.M.Ali Akbar", "M.Ali Akbar"),
            ("St.Aisyah Putri", "St.Aisyah Putri"),
        ] {
            assert_eq!(certified(written, "3171012401896246").0, text, "{written}");
        }
    }

    #[test]
    fn placeholder_with_other_characters_than_letters_is_no_name() {
        for text in ["#N/A", "#REF!", "N/A", "-", "n.a.", "tidak  ada", "#SPILL!"] {
            assert!(PersonName::parse(text).is_none(), "{text}");
        }
        for text in ["null", "Nan", "None", "Na", "Iwan -"] {
            assert!(PersonName::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn signs_every_word_of_a_passport() {
        for (written, family, given) in [
            ("Jack Ma", "Ma", "Jack"),
            ("Dr. Jane Ma, MBA", "Ma MBA", "Dr. Jane"),
            ("SMITH, JOHN", "SMITH", "JOHN"),
            ("O'BRIEN-SMITH, MARY ANN", "O'BRIEN-SMITH", "MARY ANN"),
            ("SMITH, J.R.", "SMITH", "J.R."),
            ("DE LA CRUZ, MARIA, MD", "DE LA CRUZ", "MARIA MD"),
            ("H. M. Ali", "Ali", "H. M."),
            ("Dr.Jane Ma", "Ma", "Dr.Jane"),
            ("TAN, MA", "TAN", "MA"),
            ("LI, Se", "LI", "Se"),
            ("KIM, ST", "KIM", "ST"),
            ("HA, MM", "HA", "MM"),
            ("LEE, H.", "LEE", "H."),
            ("WANG, S.H.", "WANG", "S.H."),
            ("DE LA CRUZ, MA", "DE LA CRUZ", "MA"),
            ("LEE H.", "H.", "LEE"),
            ("JOHN SMITH, Jr.", "SMITH Jr.", "JOHN"),
            ("Dr. H. Ahmad Fauzi, S.Pd., M.M.", "Fauzi S.Pd. M.M.", "Dr. H. Ahmad"),
            ("John Smith III", "Smith III", "John"),
        ] {
            let expected = (written.to_owned(), family.to_owned(), given.to_owned());
            assert_eq!(certified(written, "E12345678"), expected, "{written}");
        }
    }

    #[test]
    fn a_name_needs_a_letter() {
        assert!(PersonName::parse("  ").is_none());
        assert!(PersonName::parse("- 12").is_none());
    }

    proptest::proptest! {
        #[test]
        fn case_spaces_and_punctuation_never_matter(name in "[A-Za-z]{3,12}( [A-Za-z]{4,12}){0,3}") {
            let one = PersonName::parse(&name).unwrap();
            let other = PersonName::parse(&format!("  {}. ", name.to_uppercase().replace(' ', "   "))).unwrap();
            proptest::prop_assert!(one.matches(&other));
        }

        #[test]
        fn no_text_panics(one in "\\PC{0,40}", other in "\\PC{0,40}") {
            if let (Some(one), Some(other)) = (PersonName::parse(&one), PersonName::parse(&other)) {
                proptest::prop_assert_eq!(one.matches(&other), other.matches(&one));
                proptest::prop_assert!(!one.certified(None).family.is_empty());
            }
        }

        #[test]
        fn signed_words_are_a_subsequence_of_those_given(
            words in proptest::collection::vec("(dr\\.|H\\.|dr\\.H\\.Ali|S\\.|-|Jr|S\\.Pd\\.|,|Se|Ma|R\\.A\\.|Sp\\.A,|[A-Z][a-z]{1,6},?|\\PC{1,4})", 1..7),
            is_nik in proptest::bool::ANY,
        ) {
            let identity = Identity::parse(if is_nik { "3171012401896246" } else { "E12345678" }).unwrap();
            if let Some(name) = PersonName::parse(&words.join(" ")) {
                let split = |text: &str| {
                    text.split(|it: char| it.is_whitespace() || it == ',').filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>()
                };
                let mut given = split(name.as_written());
                given.retain(|word| has_letter(word));
                let signed = name.certified(Some(&identity));
                for text in [&signed.text, &signed.family, &signed.given] {
                    let mut rest = given.iter();
                    // A word may have lost the titles that are written in front of it without a space.
                    let is_rest = |it: &String, word: &String| it == word || it.ends_with(&format!(".{word}"));
                    proptest::prop_assert!(split(text).iter().all(|word| rest.any(|it| is_rest(it, word))));
                }
                let parts = split(&signed.family).len() + split(&signed.given).len();
                proptest::prop_assert!(split(&signed.text).len() >= parts && parts > 0);
                if given.len() > 1 && !name.as_written().contains(',') {
                    proptest::prop_assert!(split(&signed.text).len() > 1);
                }
                if !is_nik {
                    proptest::prop_assert_eq!(split(&signed.text), given);
                }
            }
        }
    }
}
