//! Checks PDF and SVG output with independent tools, which rasterise, scan, parse and extract text.

use bukti_document::{Certificate, DocumentError, Form, Printer, qr_picture};
use bukti_domain::{DiseaseName, Publisher, Sex, disease};
use bukti_locales::Locale;
use bukti_paper::{Paper, Picture};
use jiff::civil::date;
use proptest::prelude::*;

const BASE45: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Generates a pseudo-random text of this length, in the alphabet of signed certificates.
fn qr_text(length: usize, seed: u32) -> String {
    let mut state = seed;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(BASE45[(state >> 16) as usize % BASE45.len()])
    });
    "HC1:".chars().chain(random.take(length - 4)).collect()
}

fn name_of(code: &str) -> &'static DiseaseName {
    &disease(code).expect("a disease of the catalogue").name
}

fn publisher() -> Publisher {
    Publisher {
        issuer: "Kementerian Kesehatan Republik Indonesia".to_owned(),
        host: "bukti.example.go.id".to_owned(),
        helpdesk_phone: "119 ext. 9".to_owned(),
        helpdesk_email: "bantuan@bukti.example.go.id".to_owned(),
    }
}

fn pdf(certificate: &Certificate<'_>) -> Result<Vec<u8>, DocumentError> {
    Printer::new(publisher()).pdf(certificate, Form::Complete)
}

fn picture(certificate: &Certificate<'_>, locale: Locale) -> Result<String, DocumentError> {
    Printer::new(publisher()).picture(certificate, locale)
}

fn certificate<'a>(name: &'a str, qr_text: &'a str) -> Certificate<'a> {
    Certificate {
        id: "7KQ2-M4XD-9TRA-6HVC",
        name,
        identity: "••••••••••••6246".to_owned(),
        birth_date: date(1987, 3, 14).into(),
        sex: Some(Sex::Female),
        nationality: Some("IDN"),
        dose_number: 1,
        doses_in_series: Some(2),
        icvp: false,
        disease: name_of("covid-19"),
        vaccine: "CoronaVac (Sinovac)",
        batch: "2021011234",
        vaccination_date: date(2021, 1, 29),
        valid_from: None,
        facility: "Puskesmas Kecamatan Menteng",
        issued_on: date(2021, 1, 30),
        qr_text,
    }
}

const HARD_NAMES: [&str; 5] = [
    "Sri",
    "Nguyễn Thị Hoa",
    "José Ximenes",
    "I GUSTI AYU AGUNG PUTU NGURAH OKA KARTIKA DEWI PRADNYASWARI LAKSMI",
    "dr. Tirta Kusuma Sp.OG",
];

fn extracted(pdf: &[u8]) -> String {
    Paper::read(pdf).text(0)
}

#[test]
fn qr_on_page_scans() {
    for (index, name) in HARD_NAMES.iter().enumerate() {
        let text = qr_text(if index % 2 == 0 { 537 } else { 700 }, index as u32);
        let pdf = pdf(&certificate(name, &text)).expect("a PDF");
        assert_eq!(Paper::read(pdf).qr_text(0), text, "{name}");
    }
}

#[test]
fn page_text_can_be_copied_in_reading_order() {
    let text = qr_text(537, 1);
    for name in HARD_NAMES {
        let extracted = extracted(&pdf(&certificate(name, &text)).expect("a PDF"));
        // A name may be split across two lines.
        let words: String = extracted.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in [
            name,
            "••••••••••••6246",
            "14 Maret 1987",
            "Dosis 1 dari 2",
            "CoronaVac (Sinovac)",
            "29 Januari 2021",
            "29 January 2021",
            "2021011234",
            "Puskesmas Kecamatan Menteng",
            "9 Tango Romeo Alfa",
            "bukti.example.go.id/verify",
            "119 ext. 9",
        ] {
            assert!(words.contains(expected), "{expected} in {words}");
        }
        let order =
            ["Bukti", "Sertifikat Vaksinasi", name, "6246", "Dosis 1", "2021011234", "7KQ2", "Jangan unggah"];
        let places: Vec<_> = order.iter().map(|part| words.find(part)).collect();
        assert!(places.is_sorted(), "{places:?} in {words}");
    }
}

#[test]
fn page_and_card_texts_match_snapshots() {
    let text = qr_text(537, 1);
    for (at, name) in HARD_NAMES.into_iter().enumerate() {
        let paper = Paper::read(pdf(&certificate(name, &text)).expect("a PDF"));
        let pages: Vec<String> = (0..3).map(|page| paper.text(page)).collect();
        insta::assert_snapshot!(format!("hard_name_{at}"), pages.join("\n---- the next page ----\n"));
    }
}

#[test]
fn document_is_small_and_reproducible() {
    let (usual, long) = (qr_text(537, 3), qr_text(700, 3));
    for (name, text, most) in [("Siti Rahayu", &usual, 24_000), (HARD_NAMES[3], &long, 25_000)] {
        let certificate = certificate(name, text);
        let first = pdf(&certificate).expect("a PDF");
        assert!(first.len() <= most, "{name}: {} bytes", first.len());
        assert_eq!(first, pdf(&certificate).expect("a PDF"));
    }
}

#[test]
fn metadata_has_title_and_language_but_no_name() {
    let text = qr_text(537, 1);
    let bytes = pdf(&certificate("Siti Rahayu", &text)).expect("a PDF");
    let document = lopdf::Document::load_mem(&bytes).expect("a PDF");
    let catalog = document.catalog().expect("a catalog");
    assert_eq!(catalog.get(b"Lang").and_then(|lang| lang.as_str()).expect("a language"), b"id");
    assert!(!catalog.has(b"OutputIntents"), "no output intent for a printing press");
    let info = document.trailer.get(b"Info").and_then(|info| info.as_reference()).expect("an info");
    let info = document.get_dictionary(info).expect("an info");
    let title = info.get(b"Title").and_then(lopdf::decode_text_string).expect("a title");
    assert_eq!(title, "Sertifikat Vaksinasi 7KQ2-M4XD-9TRA-6HVC");
    assert!(!format!("{info:?}").contains("Siti"));
}

#[test]
fn transliterates_name_in_script_that_font_lacks() {
    let text = qr_text(537, 1);
    for (name, written) in [
        ("محمد الأمين", "MXHMD ALXAEMYN"),
        ("Иван Петрович", "IVAN PETROVICH"),
        ("田中 Hana", "TIANZHONG Hana"),
    ] {
        let words = extracted(&pdf(&certificate(name, &text)).expect("a PDF"));
        assert!(words.contains(written) && !words.contains('\u{FFFD}'), "{words}");
        let svg = picture(&certificate(name, &text), Locale::Id).expect("a picture");
        assert!(svg_texts(&svg).join(" ").contains(name), "the picture keeps the original script");
    }
}

#[test]
fn each_form_has_expected_page_sizes_and_qrs() {
    let text = qr_text(537, 2);
    let (a4, card) = ((595.28, 841.89), (242.65, 153.01));
    for (form, sizes, qrs) in [
        (Form::Complete, vec![a4, card, card], vec![1, 1, 0]),
        (Form::A4, vec![a4], vec![1]),
        (Form::Card, vec![card, card], vec![1, 0]),
        (Form::CardSheet, vec![a4, a4], vec![10, 0]),
    ] {
        let pdf = Printer::new(publisher()).pdf(&certificate(HARD_NAMES[1], &text), form).expect("a PDF");
        let paper = Paper::read(pdf);
        let near = |one: f32, other: f32| (one - other).abs() < 0.01;
        let seen = paper.sizes();
        assert_eq!(seen.len(), sizes.len(), "{form:?}");
        for ((width, height), expected) in seen.into_iter().zip(sizes) {
            assert!(near(width, expected.0) && near(height, expected.1), "{form:?}: {width} x {height}");
        }
        for (page, expected) in qrs.into_iter().enumerate() {
            let found = paper.scan(page, expected);
            assert_eq!(found.len(), expected, "{form:?}, page {page}");
            assert!(found.iter().all(|qr| qr.text == text));
        }
    }
}

#[test]
fn structure_tree_lists_all_content_in_order() {
    let text = qr_text(537, 1);
    let bytes = pdf(&certificate("Siti Rahayu", &text)).expect("a PDF");
    let document = lopdf::Document::load_mem(&bytes).expect("a PDF");
    let catalog = document.catalog().expect("a catalog");
    let root = catalog.get_deref(b"StructTreeRoot", &document).and_then(|it| it.as_dict()).expect("a root");
    let whole = root.get_deref(b"K", &document).and_then(|it| it.as_dict()).expect("a document");
    let elements = whole.get(b"K").and_then(|it| it.as_array()).expect("elements");
    let named = |element: &lopdf::Object| {
        let element =
            document.dereference(element).expect("an element").1.as_dict().expect("an element").clone();
        let name = element.get(b"S").and_then(|it| it.as_name()).expect("a type").to_vec();
        (String::from_utf8(name).expect("a name"), element)
    };
    let elements: Vec<_> = elements.iter().map(named).collect();
    assert_eq!(elements.iter().filter(|(name, _)| name == "H1").count(), 2, "page and card");
    let figures: Vec<_> = elements.iter().filter(|(name, _)| name == "Figure").collect();
    assert_eq!(figures.len(), 2);
    assert!(figures.iter().all(|(_, figure)| figure.has(b"Alt")), "each QR has an alternative text");
    // Each marked-content sequence appears in the structure tree once, in order.
    for (page, id) in document.get_pages() {
        let content = document.get_page_content(id);
        let content = String::from_utf8_lossy(&content).into_owned();
        let marked = content.matches("/MCID").count();
        let ids: Vec<i64> = elements
            .iter()
            .filter(|(_, element)| {
                element.get(b"Pg").and_then(|it| it.as_reference()).is_ok_and(|it| it == id)
            })
            .map(|(_, element)| element.get(b"K").and_then(|it| it.as_i64()).expect("an id"))
            .collect();
        assert_eq!(ids, (0..marked as i64).collect::<Vec<_>>(), "page {page}");
    }
}

#[test]
fn rejects_text_longer_than_the_largest_qr() {
    let text = qr_text(4000, 1);
    let certificate = certificate("Sri", &text);
    assert!(matches!(pdf(&certificate), Err(DocumentError::QrTextTooLong)));
    assert!(matches!(picture(&certificate, Locale::Id), Err(DocumentError::QrTextTooLong)));
}

/// Returns the text elements of an SVG document.
fn svg_texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed XML");
    document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn picture_shows_dose_and_is_self_contained() {
    let text = qr_text(537, 1);
    for (locale, dose, day) in
        [(Locale::Id, "Dosis 1 dari 2", "29 Januari 2021"), (Locale::En, "Dose 1 of 2", "29 January 2021")]
    {
        for name in HARD_NAMES {
            let svg = picture(&certificate(name, &text), locale).expect("a picture");
            let texts = svg_texts(&svg);
            assert!(texts.join(" ").contains(name), "{texts:?}");
            for expected in ["Bukti", dose, day, "••••••••••••6246"] {
                assert!(texts.iter().any(|text| text == expected), "{expected} in {texts:?}");
            }
            assert!(texts.join(" ").contains("COVID-19 · CoronaVac (Sinovac)"), "{texts:?}");
            let document = roxmltree::Document::parse(&svg).expect("well-formed XML");
            let root = document.root_element();
            assert_eq!((root.attribute("role"), root.attribute("lang")), (Some("img"), Some(locale.tag())));
            let first = root.first_element_child().expect("a child");
            assert!(first.has_tag_name("title") && first.text().is_some_and(|title| title.contains(name)));
            for forbidden in ["<script", "<style", "href", "@import", "<image"] {
                assert!(!svg.contains(forbidden), "{forbidden}");
            }
        }
    }
}

#[test]
fn international_certificate_has_prescribed_title_and_statement() {
    let text = qr_text(537, 1);
    let certificate = Certificate {
        doses_in_series: None,
        icvp: true,
        disease: name_of("yellow-fever"),
        vaccine: "Stamaril",
        valid_from: Some(date(2025, 11, 13)),
        ..certificate("Ayu", &text)
    };
    let words = extracted(&pdf(&certificate).expect("a PDF"));
    for expected in [
        "Sertifikat Vaksinasi Internasional",
        "International Certificate of Vaccination or Prophylaxis",
        "Demam kuning / Yellow fever",
        "Stamaril",
        // The wording that the IHR (annex 6) prescribes.
        "This is to certify that the person named above has on the date indicated been vaccinated or received \
         prophylaxis against Yellow fever in accordance with the International Health Regulations.",
        "approved by the World Health Organization",
        "Perempuan / Female",
        "IDN",
        "Valid from 13 November 2025, for life",
    ] {
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(expected), "{expected} in {words}");
    }
    assert!(words.contains("Dosis 1") && !words.contains("Dosis 1 dari"), "{words}");
    for (locale, title, given) in [
        (Locale::Id, "Sertifikat Vaksinasi Internasional", "Demam kuning · Stamaril"),
        (Locale::En, "International Certificate of Vaccination or Prophylaxis", "Yellow fever · Stamaril"),
    ] {
        let texts = svg_texts(&picture(&certificate, locale).expect("a picture"));
        for expected in [title, given] {
            assert!(texts.join(" ").contains(expected), "{expected} in {texts:?}");
        }
    }
}

#[test]
fn qr_in_picture_scans() {
    for length in [537, 700] {
        let text = qr_text(length, 5);
        let svg = picture(&certificate("Sri", &text), Locale::Id).expect("a picture");
        let found = Picture::of_qr_in(&svg).qrs();
        assert_eq!(found.iter().map(|qr| &*qr.text).collect::<Vec<_>>(), [text]);
    }
}

#[test]
fn qr_picture_scans_and_has_quiet_zone() {
    for vaccine in ["CoronaVac", "bOPV~20~28Bio~20Farma~29", &"~20".repeat(600), ""] {
        let text = format!("https://bukti.example.go.id/tiket#7KQ2M4XD9TRA6HVC.2.{vaccine}.20210226");
        let svg = qr_picture(&text).expect("a picture");
        let found = Picture::of_qr_in(&svg).qrs();
        assert_eq!(found.iter().map(|qr| &*qr.text).collect::<Vec<_>>(), [text]);
        let document = roxmltree::Document::parse(&svg).expect("well-formed XML");
        let side = (found[0].modules + 8).to_string();
        assert_eq!(document.root_element().attribute("viewBox"), Some(&*format!("0 0 {side} {side}")));
        let shapes: Vec<_> = document.root_element().children().filter(|node| node.is_element()).collect();
        let of = |at: usize, name| shapes[at].attribute(name);
        assert_eq!(
            [of(0, "width"), of(0, "height"), of(0, "fill")],
            [Some(&*side), Some(&*side), Some("#FFFFFF")]
        );
        assert_eq!(of(1, "stroke"), Some("#000000"));
        assert!(of(1, "d").is_some_and(|path| path.starts_with("M4 4.5h7")), "the first finder pattern");
    }
    assert!(qr_picture(&"a".repeat(2331)).is_ok(), "the capacity of version 40 at level M");
    assert!(matches!(qr_picture(&"a".repeat(2332)), Err(DocumentError::QrTextTooLong)));
}

#[test]
fn escapes_markup_in_texts_of_senders() {
    let text = qr_text(537, 1);
    let name = "</text><script>alert(1)</script> \"O'Brien\" & Søn";
    let certificate = Certificate { vaccine: "<b>&amp;</b>", ..certificate(name, &text) };
    let svg = picture(&certificate, Locale::Id).expect("a picture");
    assert!(!svg.contains("<script") && !svg.contains("<b>"));
    let texts = svg_texts(&svg);
    assert!(texts.join(" ").contains("\"O'Brien\" & Søn"), "{texts:?}");
    assert!(texts.iter().any(|text| text == "COVID-19 · <b>&amp;</b>"), "{texts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_valid_pdf_and_svg(
        name in "\\PC{0,80}|[\\s\\S]{0,40}",
        facility in any::<String>(),
        dose in any::<u8>(),
    ) {
        let certificate = Certificate {
            id: &facility,
            identity: facility.clone(),
            vaccine: &name,
            batch: &name,
            facility: &facility,
            dose_number: dose,
            ..certificate(&name, "HC1:6BF")
        };
        let bytes = pdf(&certificate).expect("a PDF");
        prop_assert!(lopdf::Document::load_mem(&bytes).is_ok());
        let svg = picture(&certificate, Locale::En).expect("a picture");
        prop_assert!(roxmltree::Document::parse(&svg).is_ok(), "{}", svg);
    }
}
