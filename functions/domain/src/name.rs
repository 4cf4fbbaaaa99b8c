//! Names, and when two writings of a name are the same name.

use std::fmt;

/// A person's name as on the identity card: any Unicode, at least one letter, white space tidied.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// Titles that stand before a name (academic, religious, noble), without punctuation.
const BEFORE: &[&str] = &[
    "PROF", "DR", "DRA", "DRS", "DRG", "DRH", "IR", "H", "HJ", "KH", "KYAI", "USTADZ", "USTAZ", "HAJI",
    "HAJJAH", "APT", "NS", "BPK", "BAPAK", "IBU", "SDR", "SDRI", "TN", "NY", "NN", "AN", "R", "RA", "RR",
    "RM", "RADEN",
];

/// Degrees that stand behind a name, without punctuation. What follows a comma counts as one whatever it is.
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

    /// The name without titles and degrees, for documents that are compared with a passport.
    ///
    /// ```
    /// use bukti_domain::PersonName;
    /// let name = PersonName::parse("Dr. H. Ahmad Fauzi, S.Pd., M.M.").unwrap();
    /// assert_eq!(name.without_titles(), "Ahmad Fauzi");
    /// ```
    pub fn without_titles(&self) -> String {
        let words: Vec<&str> = self.words().collect();
        words.join(" ")
    }

    /// The words of the name that are no titles; all words where nothing would be left.
    fn words(&self) -> impl Iterator<Item = &str> {
        // Degrees follow a comma. A name that is nothing before its comma is taken whole.
        let before_comma = self.0.split(',').next().unwrap_or_default();
        let named = if before_comma.chars().any(char::is_alphabetic) { before_comma } else { &self.0 };
        let words: Vec<&str> = named.split_whitespace().collect();
        let bare =
            |word: &&str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_uppercase();
        let is = |word: &&str, titles: &[&str]| {
            let bare = bare(word);
            // "R.A." and "S.Pd." as one word, or the letters alone.
            titles.contains(&bare.as_str())
        };
        let start = words.iter().position(|word| !is(word, BEFORE)).unwrap_or(0);
        let specialist = |word: &&str| word.contains('.') && word.to_uppercase().starts_with("SP.");
        let end = words
            .iter()
            .rposition(|word| !is(word, BEHIND) && !specialist(word))
            .map_or(words.len(), |last| last + 1);
        let range = if start < end { start..end } else { 0..words.len() };
        words.into_iter().skip(range.start).take(range.len())
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
        let mut key = String::with_capacity(self.0.len());
        for (at, word) in self.words().enumerate() {
            let plain: String = deunicode::deunicode(word)
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|character| character.to_ascii_uppercase())
                .collect();
            // A lone M is Muhammad only in front: behind, it is an initial of anything.
            if (at == 0 && plain == "M") || MUHAMMAD.contains(&plain.as_str()) {
                key.push_str("MUHAMMAD");
            } else {
                key.push_str(&plain);
            }
        }
        key
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
                proptest::prop_assert!(!one.without_titles().is_empty());
            }
        }
    }
}
