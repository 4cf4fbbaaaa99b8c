//! Personal names: parsing, the form that certificates sign, and comparison.
//!
//! Signing and comparison follow different rules, which must not be mixed up:
//!
//! - The *signed* form ([`PersonName::certified`]) is strict: it has the words of the identity
//!   document in their original order. A border officer compares it with a passport, so a missing
//!   word is worse than a superfluous title.
//! - The *comparison* ([`PersonName::matches`]) is lenient: people type their names without titles
//!   and diacritics.

mod titles;

use std::fmt;

use titles::{
    MUHAMMAD, are_degrees, has_dot, has_letter, is_degree, is_degree_segment, is_suffix, is_title,
    may_be_degree, without_attached_titles,
};

use crate::{Identity, hygiene};

/// A person's name as it appears on the identity document: Unicode text with at least one letter,
/// in words separated by single spaces.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// A name as a certificate shows and signs it. It is personal data.
///
/// Indonesian names have no family name. As in Indonesian passports, the last word serves as the
/// family name, even if it is the only word.
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

    /// The family name, or the words that serve as one. Never empty.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The given names; empty if all words belong to the family name.
    pub fn given(&self) -> &str {
        &self.given
    }
}

impl PersonName {
    /// Parses a name. Returns `None` if it has no letter, or if it is a placeholder that cannot be
    /// a name (`#N/A`, `tidak ada`). A placeholder that consists only of letters can be a name
    /// (`Nan`, `Null`).
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_placeholder =
            !name.chars().all(char::is_alphabetic) && hygiene::is_placeholder(&name).is_some();
        (has_letter(&name) && !is_placeholder).then_some(Self(name))
    }

    /// The name as it was written. Personal data: use it only in documents and sealed fields.
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// The name as a certificate signs it for a person with this identity.
    ///
    /// For the holder of a NIK, titles before the name and degrees after it are omitted, but only
    /// if they are certain: they are in the lists, and have a dot or are separated by a comma. A
    /// name of several words keeps at least two, not counting degrees after a comma. For the holder
    /// of a passport, only words without a letter are omitted. In a name such as `SMITH, JOHN`, in
    /// which nothing after the comma may be a degree, the family name comes first.
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
                // Names in passports have no dots, so a word with a dot is not from the passport.
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
                // A suffix, or a degree that had to be kept, is not a family name by itself.
                let is_appended = |word: &str| is_suffix(word) || is_nik && has_dot(word) && is_degree(word);
                let last = words.iter().rposition(|word| !is_appended(word)).unwrap_or(0);
                (join(&words[..last]), words[last..].to_vec())
            }
        };
        let text = names.iter().chain(&kept_degrees).map(|words| join(words)).collect::<Vec<_>>().join(", ");
        family.extend(kept_degrees.concat());
        CertifiedName { text, family: join(&family), given }
    }

    /// Splits the name at its commas into names and degrees, and drops words that have no letter.
    ///
    /// `is_degree` receives the words of the first segment and the words of a later one. If the
    /// second segment is a degree, all segments after the first count as degrees. Otherwise, only
    /// the segments that follow the last non-degree count as degrees.
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

    /// Whether two spellings denote the same name, ignoring case, spaces, punctuation, diacritics,
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
    /// Personal data: use it only in keyed hashes.
    pub fn match_key(&self) -> String {
        let parts = self.parts(|first, segment| {
            is_degree_segment(segment) || first.len() > 1 && segment.iter().all(|word| is_suffix(word))
        });
        let mut names = parts.names;
        // A family name that precedes a comma is moved after the given names.
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
            // The single letter M stands for Muhammad only as the first word. Elsewhere it is an
            // initial.
            if (at == 0 && normalized == "M") || MUHAMMAD.contains(&normalized.as_str()) {
                key.push_str("MUHAMMAD");
            } else {
                key.push_str(&without_expansions(&normalized));
            }
        }
        key
    }
}

/// The comma-separated segments of a name, each as a list of words.
struct Parts<'a> {
    /// The segments of the name itself. There are several if the family name precedes a comma.
    /// Never empty.
    names: Vec<Vec<&'a str>>,
    /// The segments that consist of degrees.
    degrees: Vec<Vec<&'a str>>,
}

/// Shortens digraphs that stand for letters with diacritics, so that `Müller`, `Mueller` and
/// `Muller` match.
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
