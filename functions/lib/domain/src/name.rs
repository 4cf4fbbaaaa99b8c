//! Names of persons: parsing, the form that certificates sign, and comparison.
//!
//! Signing and comparison have different rules, which must not be mixed up:
//!
//! - The *signed* form ([`PersonName::certified`]) is strict: the words of the identity document in
//!   their order. A border officer compares it with a passport, so a missing word is worse than a
//!   superfluous title.
//! - The *comparison* ([`PersonName::matches`]) is lenient: people type their names without titles
//!   and diacritics.

mod titles;

use std::fmt;

use titles::{
    MUHAMMAD, are_degrees, has_dot, has_letter, is_degree, is_degree_segment, is_suffix, is_title,
    may_be_degree, without_attached_titles,
};

use crate::{Identity, hygiene};

/// A person's name as on the identity document: any Unicode with at least one letter, in words
/// separated by single spaces.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// A name as a certificate shows and signs it. Personal.
///
/// Indonesian names have no family name. As in Indonesian passports, the last word is used as one,
/// also if it is the only word.
#[derive(Clone, PartialEq, Eq)]
pub struct CertifiedName {
    text: String,
    family: String,
    given: String,
}

impl CertifiedName {
    /// The full name, for display.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The family name, or the words that are used as one. Never empty.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The given names; empty for a name of one word.
    pub fn given(&self) -> &str {
        &self.given
    }
}

impl PersonName {
    /// Parses a name. `None` if it has no letter, or is a placeholder that cannot be a name
    /// (`#N/A`, `tidak ada`). A placeholder of letters only can be a name (`Nan`, `Null`).
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_placeholder =
            !name.chars().all(char::is_alphabetic) && hygiene::is_placeholder(&name).is_some();
        (has_letter(&name) && !is_placeholder).then_some(Self(name))
    }

    /// The name as it was written. Personal: for documents and sealed fields only.
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// The name as a certificate of a person with this identity signs it.
    ///
    /// For the holder of a NIK, titles in front of the name and degrees after it are left out, but
    /// only if they are certain: they are in the lists, and have a dot or are separated by a comma.
    /// Apart from degrees after a comma, a name of several words keeps at least two. For the holder
    /// of a passport, only words without a letter are left out. In a name such as `SMITH, JOHN`,
    /// with nothing after the comma that may be a degree, the family name comes first.
    ///
    /// ```
    /// use bukti_domain::{Identity, PersonName};
    /// let holder = Identity::parse("3171012401896246").unwrap();
    /// let name = PersonName::parse("Dr. H. Ahmad Fauzi, S.Pd., M.M.").unwrap().certified(Some(&holder));
    /// assert_eq!((name.text(), name.family(), name.given()), ("Ahmad Fauzi", "Fauzi", "Ahmad"));
    /// ```
    pub fn certified(&self, identity: Option<&Identity>) -> CertifiedName {
        let is_nik = matches!(identity, Some(Identity::Nik(_)));
        let Parts { mut names, degrees } = self.parts(|first, segment| {
            let is_one_word = first.iter().filter(|word| !(has_dot(word) && is_title(word))).count() < 2;
            match (is_nik, is_one_word) {
                (true, true) => is_degree_segment(segment),
                (true, false) => is_degree_segment(segment) || segment.iter().all(|word| may_be_degree(word)),
                (false, true) => false,
                // Names in passports have no dots, so a word with a dot was added.
                (false, false) => {
                    segment.iter().all(|word| is_suffix(word) || has_dot(word) && are_degrees(&[word]))
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
                let is_appended = |word: &str| is_suffix(word) || is_nik && has_dot(word) && is_degree(word);
                let last = words.iter().rposition(|word| !is_appended(word)).unwrap_or(0);
                (join(&words[..last]), words[last..].to_vec())
            }
        };
        let text = names.iter().chain(&kept_degrees).map(|words| join(words)).collect::<Vec<_>>().join(", ");
        family.extend(kept_degrees.concat());
        CertifiedName { text, family: join(&family), given }
    }

    /// Splits the name at its commas into names and degrees, without words that have no letter.
    ///
    /// `is_degree` gets the words of the first segment and those of a later one. If the second
    /// segment is a degree, all segments after the first count as degrees; otherwise only those
    /// after the last one that is not a degree.
    fn parts(&self, is_degree: impl Fn(&[&str], &[&str]) -> bool) -> Parts<'_> {
        let mut names: Vec<Vec<&str>> = self
            .0
            .split(',')
            .map(|part| part.split_whitespace().filter(|word| has_letter(word)).collect::<Vec<_>>())
            .filter(|words| !words.is_empty())
            .collect();
        let end = match names.as_slice() {
            [first, second, ..] if is_degree(first, second) => 1,
            [first, others @ ..] => {
                others.iter().rposition(|words| !is_degree(first, words)).map_or(1, |last| last + 2)
            }
            [] => 0,
        };
        let degrees = names.split_off(end);
        Parts { names, degrees }
    }

    /// Whether two spellings mean the same name, ignoring case, spaces, punctuation, diacritics,
    /// titles, degrees, and abbreviations of Muhammad.
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

    /// The normalised name, which is the same for all spellings that [match](Self::matches).
    /// Personal: for keyed hashes only.
    pub fn match_key(&self) -> String {
        let parts = self.parts(|first, segment| {
            is_degree_segment(segment) || first.len() > 1 && segment.iter().all(|word| is_suffix(word))
        });
        let mut names = parts.names;
        // A family name before a comma is moved after the given names.
        if names.len() > 1 {
            names.rotate_left(1);
        }
        let mut words = names.concat();
        let start = words.iter().position(|word| !is_title(word)).unwrap_or(0);
        if let Some(first) = words.get_mut(start) {
            *first = without_attached_titles(first);
        }
        let is_appended = |word: &&str| is_degree(word) || is_suffix(word);
        let end = words.iter().rposition(|word| !is_appended(word)).map_or(words.len(), |last| last + 1);
        let words = if start < end { &words[start..end] } else { &words[..] };
        let mut key = String::with_capacity(self.0.len());
        for (at, word) in words.iter().enumerate() {
            let normalized: String = deunicode::deunicode(word)
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|character| character.to_ascii_uppercase())
                .collect();
            // The single letter M is Muhammad as the first word only; later it is the initial of
            // any name.
            if (at == 0 && normalized == "M") || MUHAMMAD.contains(&normalized.as_str()) {
                key.push_str("MUHAMMAD");
            } else {
                key.push_str(&without_expansions(&normalized));
            }
        }
        key
    }
}

/// The segments of a name between commas, each as its words.
struct Parts<'a> {
    /// The segments of the name itself, which are several if the family name is before a comma.
    /// Never empty.
    names: Vec<Vec<&'a str>>,
    /// The segments of degrees.
    degrees: Vec<Vec<&'a str>>,
}

/// Shortens digraphs that stand for letters with diacritics, so that `Müller`, `Mueller` and
/// `Muller` are equal.
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
mod tests;
