//! All texts that people read, in Indonesian and English.
//!
//! The texts are in `texts/<language>/<area>.json`: flat JSON objects that map keys to texts. In a
//! text, `{name}` is a placeholder for a value. The code refers to a text as `area.key`:
//! `sms.first_dose` is the key `first_dose` in `sms.json`. Tests check that all languages have the
//! same keys and placeholders.
//!
//! ```
//! use bukti_locales::{Locale, text};
//! assert_ne!(text(Locale::Id, "site.check"), text(Locale::En, "site.check"));
//! ```

use std::collections::HashMap;
use std::sync::OnceLock;

use bukti_domain::BirthDate;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Embeds the files of a language. Each area of the texts has its own file.
macro_rules! areas {
    ($tag:literal: $($area:literal),*) => {
        &[$(($area, include_str!(concat!("../texts/", $tag, "/", $area, ".json")))),*]
    };
}

macro_rules! languages {
    ($($(#[$doc:meta])* $name:ident = $tag:literal $own:literal),* $(,)?) => {
        /// A language of the service. Indonesian is the default.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Locale { $($(#[$doc])* #[serde(rename = $tag)] $name),* }

        impl Locale {
            /// All languages, with the default first.
            pub const ALL: [Locale; [$(Locale::$name),*].len()] = [$(Locale::$name),*];

            /// The language tag (BCP 47): `id` or `en`.
            pub fn tag(self) -> &'static str {
                match self { $(Locale::$name => $tag),* }
            }

            /// The language's name in the language itself.
            pub fn own_name(self) -> &'static str {
                match self { $(Locale::$name => $own),* }
            }
        }

        #[cfg(feature = "embedded")]
        fn sources(locale: Locale) -> &'static [(&'static str, &'static str)] {
            match locale {
                $(Locale::$name => {
                    areas![$tag: "common", "site", "sms", "document", "problems", "diagnosis"]
                })*
            }
        }
    };
}

languages! {
    /// Indonesian.
    #[default]
    Id = "id" "Bahasa Indonesia",
    /// English.
    En = "en" "English",
}

impl Locale {
    /// Selects the language for a language tag or an `Accept-Language` header: the first listed
    /// language that is supported, regardless of region and quality value. The default is
    /// Indonesian.
    pub fn from_tag(tag: &str) -> Self {
        tag.split(',')
            .find_map(|range| {
                let primary = range.split(['-', '_', ';']).next().unwrap_or_default().trim();
                Locale::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(primary))
            })
            .unwrap_or_default()
    }
}

/// The texts of a language. The keys have the form `area.key`.
pub type Texts = HashMap<String, String>;

fn cell(locale: Locale) -> &'static OnceLock<Texts> {
    static CELLS: [OnceLock<Texts>; Locale::ALL.len()] = [const { OnceLock::new() }; Locale::ALL.len()];
    &CELLS[locale as usize]
}

/// All texts of a language, which are embedded in the program.
#[cfg(feature = "embedded")]
pub fn texts(locale: Locale) -> &'static Texts {
    cell(locale).get_or_init(|| {
        let mut all = Texts::new();
        for (area, source) in sources(locale) {
            // A test parses every file, so parsing cannot fail here.
            let texts: Texts = serde_json::from_str(source).unwrap_or_default();
            all.extend(texts.into_iter().map(|(key, text)| (format!("{area}.{key}"), text)));
        }
        all
    })
}

/// All texts of a language; empty until they are [provided](provide).
#[cfg(not(feature = "embedded"))]
pub fn texts(locale: Locale) -> &'static Texts {
    static NONE: OnceLock<Texts> = OnceLock::new();
    cell(locale).get().unwrap_or_else(|| NONE.get_or_init(Texts::new))
}

/// Whether the texts of a language have been [provided](provide).
#[cfg(not(feature = "embedded"))]
pub fn is_provided(locale: Locale) -> bool {
    cell(locale).get().is_some()
}

/// Sets the texts of a language in a program that does not embed them, such as the site, which
/// loads only the language in use. Later calls for the same language have no effect.
#[cfg(not(feature = "embedded"))]
pub fn provide(locale: Locale, texts: Texts) {
    let _ = cell(locale).set(texts);
}

/// The text of a key, with its placeholders. If there is no text, returns the key, since a visible
/// key is noticed sooner than an empty string.
pub fn text(locale: Locale, key: &str) -> &str {
    texts(locale).get(key).map_or(key, String::as_str)
}

/// The text of a key, with each placeholder `{name}` replaced by the value of this name.
/// Placeholders without a value are kept.
///
/// ```
/// use bukti_locales::{Locale, fill};
/// assert_eq!(fill(Locale::Id, "no.such.key {n}", &[("n", "1")]), "no.such.key 1");
/// ```
pub fn fill(locale: Locale, key: &str, values: &[(&str, &str)]) -> String {
    let mut rest = text(locale, key);
    let mut filled = String::with_capacity(rest.len() + 32);
    // A single pass over the text, so that a value that looks like a placeholder is not replaced.
    while let Some(open) = rest.find('{') {
        let Some(length) = rest[open..].find('}') else { break };
        filled.push_str(&rest[..open]);
        let placeholder = &rest[open..=open + length];
        match values.iter().find(|(name, _)| *name == &placeholder[1..length]) {
            Some((_, value)) => filled.push_str(value),
            None => filled.push_str(placeholder),
        }
        rest = &rest[open + length + 1..];
    }
    filled.push_str(rest);
    filled
}

/// Formats a date with the name of the month: `29 Januari 2021`, `29 January 2021`.
pub fn date(locale: Locale, date: Date) -> String {
    let month = format!("common.month_{}", date.month());
    fill(
        locale,
        "common.date",
        &[
            ("day", &date.day().to_string()),
            ("month", text(locale, &month)),
            ("year", &date.year().to_string()),
        ],
    )
}

/// Formats a birth date with the precision that is known: `24 Januari 1989`, `Januari 1989` or
/// `1989`.
pub fn birth_date(locale: Locale, born: BirthDate) -> String {
    match (born.to_day(), born.month()) {
        (Some(day), _) => date(locale, day),
        (None, Some(month)) => {
            let month = text(locale, &format!("common.month_{month}")).to_owned();
            fill(locale, "common.month_year", &[("month", &month), ("year", &born.year().to_string())])
        }
        (None, None) => born.year().to_string(),
    }
}

/// Formats the number of a dose in its series, for example `Dosis 1 dari 2`. If `number` exceeds
/// `total`, the dose is called a booster. If `total` is `None`, only the number is stated.
pub fn dose(locale: Locale, number: u8, total: Option<u8>) -> String {
    let key = match total {
        None => "common.dose_uncounted",
        Some(total) if number > total => "common.dose_booster",
        Some(_) => "common.dose",
    };
    let total = total.map(|total| total.to_string()).unwrap_or_default();
    fill(locale, key, &[("number", &number.to_string()), ("total", &total)])
}

#[cfg(all(test, feature = "embedded"))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The keys whose texts may be identical in both languages: names, and words that the languages
    /// share.
    const SAME: [&str; 13] = [
        "common.date",
        "common.month_11",
        "common.month_4",
        "common.month_9",
        "common.month_year",
        "document.spelling",
        "document.wordmark",
        "site.case.role.supervisor",
        "site.console.queue.state",
        "site.disease.covid-19",
        "site.disease.polio",
        "site.link.whose",
        "site.unknown.hint",
    ];

    /// Wordings that were replaced, and synonyms of the preferred terms. The test searches for them
    /// as whole words, ignoring case.
    fn terms_not_to_use(locale: Locale) -> &'static [&'static str] {
        match locale {
            Locale::Id => &[
                "bentuk lain",
                "bila",
                "browser",
                "buang",
                "bukti",
                "datang sendiri",
                "dibenarkan",
                "digit",
                "disegel",
                "ditarik",
                "email",
                "hitungan",
                "kalau",
                "keadaan",
                "keadaannya",
                "keluarkan",
                "kode qr",
                "layar hp",
                "membenarkan",
                "menarik",
                "muncul sendiri",
                "pintu masuk",
                "sudah mati",
                "supaya",
                "tanya balik",
                "terbit sendiri",
                "tersandi",
                "yang benar bagaimana",
                "yang kami jaga",
            ],
            Locale::En => &[
                "anew",
                "ask back",
                "birth date",
                "by itself",
                "data are",
                "does my case stand",
                "how it stands",
                "looked at",
                "nobody",
                "of the list",
                "other forms",
                "phone screen",
                "possible since",
                "sms",
                "somebody",
                "stands",
                "these data",
                "this is not the way in",
                "tries",
                "who looked",
                "whoever",
            ],
        }
    }

    /// Whether the text contains the term as whole words. Placeholders are ignored.
    fn has_term(text: &str, term: &str) -> bool {
        let without_placeholders = text.split('{').map(|part| part.split_once('}').map_or(part, |it| it.1));
        let text = without_placeholders.collect::<Vec<_>>().join("_").to_lowercase();
        text.match_indices(term).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + term.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_file_is_a_flat_map() {
        for locale in Locale::ALL {
            for (area, source) in sources(locale) {
                let read: Result<Texts, _> = serde_json::from_str(source);
                assert!(read.is_ok(), "{}/{area}.json: {read:?}", locale.tag());
            }
        }
    }

    #[test]
    fn the_languages_have_the_same_keys_and_values_to_fill_in() {
        let id = texts(Locale::Id);
        let keys = |texts: &Texts| texts.keys().cloned().collect::<BTreeSet<_>>();
        for locale in Locale::ALL {
            assert_eq!(keys(texts(locale)), keys(id), "{}", locale.tag());
            for (key, text) in texts(locale) {
                assert!(!text.trim().is_empty(), "{}: {key} is empty", locale.tag());
                assert_eq!(placeholders(text), placeholders(&id[key]), "{}: {key}", locale.tag());
            }
        }
    }

    #[test]
    fn every_text_is_translated() {
        let (id, en) = (texts(Locale::Id), texts(Locale::En));
        let found: BTreeSet<&str> =
            id.iter().filter(|(key, text)| &en[*key] == *text).map(|(key, _)| &**key).collect();
        assert_eq!(found, BTreeSet::from(SAME), "left: the same in both languages; right: those that may be");
    }

    #[test]
    fn terms_not_to_use_are_not_used() {
        for locale in Locale::ALL {
            // The wordmark is exempt, since it is the product's name.
            let texts = texts(locale).iter().filter(|(key, _)| *key != "document.wordmark");
            let found = texts.flat_map(|(key, text)| {
                let terms = terms_not_to_use(locale).iter().filter(move |term| has_term(text, term));
                terms.map(move |term| format!("{}: {key}: `{term}` in: {text}", locale.tag()))
            });
            let found: BTreeSet<String> = found.collect();
            assert!(found.is_empty(), "use other words: {found:#?}");
        }
        assert!(has_term("Terbit sendiri.", "terbit sendiri") && !has_term("{email} terbukti", "email"));
    }

    #[test]
    fn each_sms_fits_one_part() {
        let longest = [
            ("address", "https://bukti.example.go.id/koreksi"),
            ("code", "123456"),
            ("download", "https://bukti.example.go.id/unduh"),
            ("helpdesk", "119 ext 9"),
            ("host", "bukti.example.go.id"),
            ("link", "https://bukti.example.go.id/s/abcdefghijklmnopqrstuv"),
            ("number", "14D2P-F2DBV"),
        ];
        // Characters of ASCII that are also in the GSM-7 basic character set.
        let is_gsm7 = |c: char| c.is_ascii_alphanumeric() || " \n@#!\"%&'()*+,-./:;<=>?_".contains(c);
        for locale in Locale::ALL {
            for key in texts(locale).keys().filter(|key| key.starts_with("sms.")) {
                let sms = fill(locale, key, &longest);
                let length = sms.chars().count();
                assert!(length <= 160, "{}: {key} has {length} characters: {sms}", locale.tag());
                assert!(sms.chars().all(is_gsm7), "{}: {key} needs UCS-2: {sms}", locale.tag());
                assert!(
                    !sms.contains('{'),
                    "{}: {key} has a placeholder without a value: {sms}",
                    locale.tag()
                );
            }
            let otp = fill(locale, "sms.otp", &longest);
            assert!(otp.ends_with("\n\n@bukti.example.go.id #123456"), "WebOTP reads the last line: {otp}");
        }
    }

    #[test]
    fn a_language_is_found_in_a_header() {
        assert_eq!(Locale::from_tag("en-GB,en;q=0.9,id;q=0.8"), Locale::En);
        assert_eq!(Locale::from_tag("fr-FR, id-ID;q=0.5"), Locale::Id);
        assert_eq!(Locale::from_tag(""), Locale::Id);
    }

    #[test]
    fn a_value_is_not_filled_in_twice() {
        assert_eq!(fill(Locale::Id, "{a} {b} {c", &[("a", "{b}"), ("b", "x")]), "{b} x {c");
    }

    #[test]
    fn dates_are_written_out() {
        let day = jiff::civil::date(2021, 1, 29);
        assert_eq!(date(Locale::Id, day), "29 Januari 2021");
        assert_eq!(date(Locale::En, day), "29 January 2021");
        for month in 1..=12 {
            for locale in Locale::ALL {
                let written = date(locale, jiff::civil::date(2021, month, 1));
                assert!(!written.contains("month"), "{written}");
            }
        }
    }

    #[test]
    fn birth_dates_are_written_out_as_far_as_they_are_known() {
        let written = |born| birth_date(Locale::Id, BirthDate::parse(born).unwrap());
        assert_eq!(["1989-05-24", "1989-05", "1989"].map(written), ["24 Mei 1989", "Mei 1989", "1989"]);
    }

    #[test]
    fn a_dose_beyond_its_series_is_a_booster() {
        assert_eq!(dose(Locale::Id, 1, Some(2)), "Dosis 1 dari 2");
        assert_eq!(dose(Locale::En, 2, Some(1)), "Dose 2 (booster)");
        assert_eq!(dose(Locale::En, 5, None), "Dose 5");
    }
}
