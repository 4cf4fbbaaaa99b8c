use super::*;

fn same(one: &str, other: &str) -> bool {
    PersonName::parse(one).unwrap().matches(&PersonName::parse(other).unwrap())
}

#[test]
fn matches_spellings_of_one_name() {
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
fn does_not_match_different_names() {
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

/// The signed text, family name and given names.
fn certified(text: &str, number: &str) -> (String, String, String) {
    let identity = Identity::parse(number).unwrap();
    let name = PersonName::parse(text).unwrap().certified(Some(&identity));
    (name.text, name.family, name.given)
}

#[test]
fn omits_certain_titles_of_nik_holders() {
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
        // Ordinary words of the name: they have no dot and do not follow a comma.
        ("An Nisa Putri", "An Nisa Putri", "Putri", "An Nisa"),
        ("Sri Se", "Sri Se", "Se", "Sri"),
        ("Raden Ajeng Kartini", "Raden Ajeng Kartini", "Kartini", "Raden Ajeng"),
        ("Dr Soetomo Ma", "Dr Soetomo Ma", "Ma", "Dr Soetomo"),
        // At least two words are kept.
        ("dr. Budi", "dr. Budi", "Budi", "dr."),
        ("Budi S.Pd.", "Budi S.Pd.", "Budi S.Pd.", ""),
        ("Dr. H. Ayu", "H. Ayu", "Ayu", "H."),
        // Words that are not in the lists are kept.
        ("M. Ilham Akbar S.", "M. Ilham Akbar S.", "S.", "M. Ilham Akbar"),
        ("St. Aisyah binti Abdullah", "St. Aisyah binti Abdullah", "Abdullah", "St. Aisyah binti"),
        ("Budi Santoso, S.Xyz", "Budi Santoso, S.Xyz", "Santoso S.Xyz", "Budi"),
        ("SMITH, JOHN", "SMITH, JOHN", "SMITH", "JOHN"),
        // After a comma that follows at least two words, a possible degree is not a given name.
        ("Budi Santoso, CHt", "Budi Santoso, CHt", "Santoso CHt", "Budi"),
        ("dr. Budi Santoso, Jr.", "Budi Santoso, Jr.", "Santoso Jr.", "Budi"),
        ("Budi Santoso Jr.", "Budi Santoso Jr.", "Santoso Jr.", "Budi"),
        ("BUDI SANTOSO, CRMO", "BUDI SANTOSO, CRMO", "SANTOSO CRMO", "BUDI"),
        ("Budi Santoso, S.T., ASEAN Eng.", "Budi Santoso, ASEAN Eng.", "Santoso ASEAN Eng.", "Budi"),
        ("De la Cruz, Ana", "De la Cruz, Ana", "De la Cruz", "Ana"),
        ("DE LA CRUZ, MARIA, S.H.", "DE LA CRUZ, MARIA", "DE LA CRUZ", "MARIA"),
        ("dr. SMITH, JOHN", "dr. SMITH, JOHN", "dr. SMITH", "JOHN"),
        ("SMITH, J.R.", "SMITH, J.R.", "SMITH", "J.R."),
        // Initials are not titles.
        ("Siti Aminah H.", "Siti Aminah H.", "H.", "Siti Aminah"),
        ("Andi Pratama R.", "Andi Pratama R.", "R.", "Andi Pratama"),
        ("Putri Ayu R.A.", "Putri Ayu R.A.", "R.A.", "Putri Ayu"),
        ("H.B.Jassin Akbar", "H.B.Jassin Akbar", "Akbar", "H.B.Jassin"),
        ("Dr.Budi", "Dr.Budi", "Dr.Budi", ""),
        // Words without a letter are dropped.
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
fn omits_degrees_after_comma_in_every_spelling() {
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
        assert_eq!(certified(&format!("Siti Aminah, {degrees}"), "3171012401896246"), expected, "{degrees}");
    }
    for name in ["Spencer", "Sparta", "Spike", "Speck", "Spokal"] {
        assert!(!is_degree(name), "{name}");
    }
}

#[test]
fn omits_attached_titles() {
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
fn rejects_placeholders_that_cannot_be_names() {
    for text in ["#N/A", "#REF!", "N/A", "-", "n.a.", "tidak  ada", "#SPILL!"] {
        assert!(PersonName::parse(text).is_none(), "{text}");
    }
    for text in ["null", "Nan", "None", "Na", "Iwan -"] {
        assert!(PersonName::parse(text).is_some(), "{text}");
    }
}

#[test]
fn keeps_every_word_of_passport_holders() {
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
fn rejects_names_without_letters() {
    assert!(PersonName::parse("  ").is_none());
    assert!(PersonName::parse("- 12").is_none());
}

proptest::proptest! {
    #[test]
    fn matching_ignores_case_spaces_and_punctuation(name in "[A-Za-z]{3,12}( [A-Za-z]{4,12}){0,3}") {
        let one = PersonName::parse(&name).unwrap();
        let other = PersonName::parse(&format!("  {}. ", name.to_uppercase().replace(' ', "   "))).unwrap();
        proptest::prop_assert!(one.matches(&other));
    }

    #[test]
    fn matching_is_symmetric_and_never_panics(one in "\\PC{0,40}", other in "\\PC{0,40}") {
        if let (Some(one), Some(other)) = (PersonName::parse(&one), PersonName::parse(&other)) {
            proptest::prop_assert_eq!(one.matches(&other), other.matches(&one));
            proptest::prop_assert!(!one.certified(None).family.is_empty());
        }
    }

    #[test]
    fn signed_words_are_subsequence_of_name(
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
                // A word may have lost its attached titles.
                let is_kept = |it: &String, word: &String| it == word || it.ends_with(&format!(".{word}"));
                proptest::prop_assert!(split(text).iter().all(|word| rest.any(|it| is_kept(it, word))));
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
