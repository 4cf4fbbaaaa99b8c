//! Names: as written, as a certificate signs them, and when two writings mean the same name.
//!
//! Two rules that must not be mixed up:
//!
//! - What is *signed* ([`PersonName::certified`]) is strict: the words of the identity document in their order. A border
//!   officer compares it with a passport, so a word too few is worse than a title too many.
//! - What is *compared* ([`PersonName::matches`]) is lenient: people type their names without titles and diacritics.

use std::fmt;

use crate::Identity;

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

/// Degrees that stand behind a name, without punctuation. Specialists' (`Sp.PD`) are known by their beginning.
const BEHIND: &[&str] = &[
    "SPD", "SPDI", "SE", "SEI", "SH", "SHI", "ST", "STP", "SKOM", "SSI", "SSOS", "SIP", "SIKOM", "SKM",
    "SKED", "SKEP", "SKG", "SKH", "SFARM", "SFIL", "SHUM", "SPSI", "SPT", "SAG", "SSN", "SS", "STHI", "SAP",
    "SAB", "SIK", "SST", "STR", "MM", "MSI", "MSC", "MT", "MH", "MHUM", "MPD", "MPDI", "MKOM", "MKES", "MKM",
    "MKED", "MAG", "MA", "MBA", "MAP", "ME", "MEI", "MIKOM", "MIP", "MFARM", "MPSI", "MPH", "PHD", "AMD",
    "AMK", "AMKEB", "NERS", "APT", "BSC", "BA", "LC", "CA", "CPA", "AK",
];

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
    /// Reads a name. `None` where it has no letter.
    pub fn parse(text: &str) -> Option<Self> {
        let tidy = text.split_whitespace().collect::<Vec<_>>().join(" ");
        tidy.chars().any(char::is_alphabetic).then_some(Self(tidy))
    }

    /// The name as it was written. Personal: for documents and sealed fields only.
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// The name as a certificate of the person with this number signs it.
    ///
    /// Titles and degrees are left out only where it is certain that they are such: they are in the lists, and have a dot or
    /// are separated by a comma. A name of two words never becomes one of one word, and a passport holder's name stays as it
    /// is. `SMITH, JOHN`, with no degree behind the comma, has the family name first.
    ///
    /// ```
    /// use bukti_domain::{Identity, PersonName};
    /// let holder = Identity::parse("3171012401896246").unwrap();
    /// let name = PersonName::parse("Dr. H. Ahmad Fauzi, S.Pd., M.M.").unwrap().certified(Some(&holder));
    /// assert_eq!((name.text(), name.family(), name.given()), ("Ahmad Fauzi", "Fauzi", "Ahmad"));
    /// ```
    pub fn certified(&self, identity: Option<&Identity>) -> CertifiedName {
        let Parts { mut names, degrees } = self.parts();
        let leaves_titles_out = matches!(identity, Some(Identity::Nik(_)));
        let kept_degrees = if leaves_titles_out {
            degrees
                .iter()
                .filter(|words| !words.iter().all(|word| is_degree(word)))
                .flatten()
                .copied()
                .collect()
        } else {
            degrees.concat()
        };
        if let [words] = names.as_mut_slice()
            && leaves_titles_out
        {
            while words.len() > 2 && words.last().is_some_and(|word| has_dot(word) && is_degree(word)) {
                words.pop();
            }
            while words.len() > 2 && words.first().is_some_and(|word| has_dot(word) && is_title(word)) {
                words.remove(0);
            }
        }
        let join = |words: &[&str]| words.join(" ");
        let (given, mut family) = match names.as_slice() {
            [family, given @ ..] if !given.is_empty() => (join(&given.concat()), family.clone()),
            _ => {
                let words = names.concat();
                // A degree that had to stay is not a family name by itself.
                let last = words.iter().rposition(|word| !(has_dot(word) && is_degree(word))).unwrap_or(0);
                (join(&words[..last]), words[last..].to_vec())
            }
        };
        family.extend(&kept_degrees);
        let mut text = names.iter().map(|words| join(words)).collect::<Vec<_>>().join(", ");
        if !kept_degrees.is_empty() {
            text = format!("{text}, {}", join(&kept_degrees));
        }
        if !leaves_titles_out {
            text.clone_from(&self.0);
        }
        CertifiedName { text, family: join(&family), given }
    }

    /// The parts of the name between commas.
    fn parts(&self) -> Parts<'_> {
        let mut names: Vec<Vec<&str>> = self
            .0
            .split(',')
            .map(|part| part.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.iter().any(|word| word.contains(char::is_alphabetic)))
            .collect();
        let is_name = |part: &Vec<&str>| !part.iter().all(|word| is_degree(word) || is_like_a_degree(word));
        let end = names.iter().skip(1).rposition(is_name).map_or(1, |last| last + 2);
        let degrees = names.split_off(end.min(names.len()));
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
        let mut names = self.parts().names;
        // The family name before a comma goes behind the given names.
        if names.len() > 1 {
            names.rotate_left(1);
        }
        let words = names.concat();
        let start = words.iter().position(|word| !is_title(word)).unwrap_or(0);
        let end = words.iter().rposition(|word| !is_degree(word)).map_or(words.len(), |last| last + 1);
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

/// Whether a word is a degree; a title that stands behind a name counts where it has a dot (`…, dr., Sp.A`).
fn is_degree(word: &str) -> bool {
    BEHIND.contains(&bare(word).as_str())
        || word.to_uppercase().starts_with("SP.")
        || has_dot(word) && is_title(word)
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
        ] {
            let expected = (text.to_owned(), family.to_owned(), given.to_owned());
            assert_eq!(certified(written, "3171012401896246"), expected, "{written}");
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
            words in proptest::collection::vec("(dr\\.|H\\.|S\\.Pd\\.|,|Se|Ma|R\\.A\\.|Sp\\.A,|[A-Z][a-z]{1,6},?|\\PC{1,4})", 1..7),
            is_nik in proptest::bool::ANY,
        ) {
            let identity = Identity::parse(if is_nik { "3171012401896246" } else { "E12345678" }).unwrap();
            if let Some(name) = PersonName::parse(&words.join(" ")) {
                let split = |text: &str| {
                    text.split(|it: char| it.is_whitespace() || it == ',').filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>()
                };
                let given = split(name.as_written());
                let signed = name.certified(Some(&identity));
                for text in [&signed.text, &signed.family, &signed.given] {
                    let mut rest = given.iter();
                    proptest::prop_assert!(split(text).iter().all(|word| rest.any(|it| it == word)));
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
