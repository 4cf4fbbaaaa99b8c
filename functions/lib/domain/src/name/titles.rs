//! Titles, degrees and suffixes in names: the lists, and functions that classify words.

/// Titles before a name (academic, religious, noble), without punctuation.
const TITLES: &[&str] = &[
    "PROF", "DR", "DRA", "DRS", "DRG", "DRH", "IR", "H", "HJ", "KH", "KYAI", "USTADZ", "USTAZ", "HAJI",
    "HAJJAH", "APT", "NS", "BPK", "BAPAK", "IBU", "SDR", "SDRI", "TN", "NY", "NN", "AN", "R", "RA", "RR",
    "RM", "RADEN",
];

/// Degrees after a name, without punctuation. Degrees of medical specialists (`Sp.PD`) are in
/// [`SPECIALTIES`].
const DEGREES: &[&str] = &[
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

/// Specialties of doctors and nurses that follow `Sp` (`SpPD`, `Sp.OG(K)`), without punctuation.
const SPECIALTIES: &[&str] = &[
    "A", "AK", "AN", "AND", "AKP", "B", "BA", "BM", "BMM", "BP", "BPRE", "BS", "BTKV", "DLP", "DV", "DVE",
    "EM", "F", "FK", "GK", "JP", "KEPAN", "KEPJ", "KEPKOM", "KEPMAT", "KEPMB", "KFR", "KG", "KGA", "KJ",
    "KK", "KKLP", "KL", "KN", "KO", "KP", "M", "MK", "N", "OG", "OK", "ONKRAD", "ORT", "OT", "P", "PA",
    "PARK", "PD", "PERIO", "PK", "PM", "PROS", "RAD", "RKG", "RM", "S", "THT", "THTBKL", "THTKL", "U",
];

/// Suffixes after a name that are signed with the family name, without punctuation. No suffix in
/// the list is also a given name, since `TAN, MA` and `WANG, S.H.` are full names of passport
/// holders.
const SUFFIXES: &[&str] = &["JR", "SR", "II", "III", "IV", "MBA", "MPH", "MSC", "BSC", "PHD"];

/// The maximum number of words in one degree (`Sp. OG (K)`, `A. Md. Keb.`).
const MAX_DEGREE_WORDS: usize = 3;

/// The spellings of Muhammad. Clinics abbreviate the name if a form has little space.
pub(super) const MUHAMMAD: &[&str] = &[
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

/// Converts a word to upper case and removes punctuation.
fn normalized(word: &str) -> String {
    word.chars().filter(|character| character.is_alphanumeric()).collect::<String>().to_uppercase()
}

pub(super) fn has_dot(word: &str) -> bool {
    word.contains('.')
}

pub(super) fn is_title(word: &str) -> bool {
    TITLES.contains(&normalized(word).as_str())
}

pub(super) fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&normalized(word).as_str())
}

pub(super) fn has_letter(word: &str) -> bool {
    word.contains(char::is_alphabetic)
}

/// Removes titles that are joined to a word without a space (`Dr.Budi`, `dr.H.Ahmad`). A single
/// letter is a title only if a whole word follows (`H.Ahmad`); otherwise it is an initial
/// (`H.B.Jassin`).
pub(super) fn without_attached_titles(mut word: &str) -> &str {
    let is_word = |text: &str| text.chars().filter(|it| it.is_alphabetic()).count() > 1;
    let without_first_title = |word| {
        let dots = str::match_indices(word, '.').take(2);
        dots.map(|(at, _)| (&word[..at], &word[at + 1..])).find_map(|(title, rest)| {
            let is_alone = is_word(rest) && !rest.trim_end_matches('.').contains('.');
            let is_followed =
                is_alone || is_word(title) && !title.contains('.') && rest.split('.').any(is_word);
            (is_title(title) && is_followed).then_some(rest)
        })
    };
    // Nobody has more than six titles.
    for _ in 0..6 {
        let Some(rest) = without_first_title(word) else { break };
        word = rest;
    }
    word
}

/// Whether a word is a degree from the lists, or begins with `Sp.`.
pub(super) fn is_degree(word: &str) -> bool {
    let normalized = normalized(word);
    let is_specialty = |specialty: &str| {
        SPECIALTIES.contains(&specialty)
            // A consultant's degree includes the field: `Sp.OG(K)`, `Sp.PD-KGEH`.
            || specialty.len() < 8
                && specialty
                    .match_indices('K')
                    .any(|(at, _)| SPECIALTIES.contains(&&specialty[..at]))
    };
    DEGREES.contains(&&*normalized)
        || word.to_uppercase().starts_with("SP.")
        || normalized.strip_prefix("SP").is_some_and(is_specialty)
}

/// Whether the words after a comma are degrees, each of which may consist of several words
/// (`S. Pd`, `S.Kep Ns`). Titles with a dot also count as degrees (`…, dr., Sp.A`).
pub(super) fn are_degrees(words: &[&str]) -> bool {
    // Dynamic programming from the last word: each entry says whether all words from its index on
    // are degrees.
    let mut are_degrees_from = vec![false; words.len()];
    are_degrees_from.push(true);
    for start in (0..words.len()).rev() {
        let longest = MAX_DEGREE_WORDS.min(words.len() - start);
        are_degrees_from[start] = (1..=longest).any(|length| {
            let words = &words[start..start + length];
            let is_dotted_title = length == 1 && has_dot(words[0]) && is_title(words[0]);
            are_degrees_from[start + length] && (is_degree(&words.concat()) || is_dotted_title)
        });
    }
    are_degrees_from[0]
}

/// Whether the words after a comma are degrees from the lists, or look like degrees (`S.Xyz`).
pub(super) fn is_degree_segment(words: &[&str]) -> bool {
    are_degrees(words) || words.iter().all(|word| are_degrees(&[word]) || looks_like_degree(word))
}

/// Whether a word may be a degree, given that it follows a comma with at least two words before it.
/// It may be one if it is in a list, has a dot, or is a short abbreviation (`CHt`, `CRMP`, but not
/// `Ana`).
pub(super) fn may_be_degree(word: &str) -> bool {
    let is_vowel = |letter: char| "AEIOUYaeiouy".contains(letter);
    let is_abbreviation = word.chars().skip(1).any(char::is_uppercase) || !word.contains(is_vowel);
    let is_short = word.len() <= 4 && word.is_ascii();
    has_dot(word) || are_degrees(&[word]) || is_suffix(word) || is_short && is_abbreviation
}

/// Whether a word that is not in the lists looks like a degree (`S.Xyz`) rather than initials
/// (`J.`, `J.R.`).
fn looks_like_degree(word: &str) -> bool {
    let mut pieces = word.split('.').filter(|piece| !piece.is_empty());
    word.trim_end_matches('.').contains('.') && pieces.any(|piece| piece.chars().count() > 1)
}
