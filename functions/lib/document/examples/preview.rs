//! Writes sample certificates in every form to a folder for visual inspection.
//!
//! `cargo run --release -p bukti-document --example preview -- /tmp/preview`

use std::error::Error;
use std::path::PathBuf;

use bukti_document::{Certificate, Form, Printer};
use bukti_domain::{Publisher, Sex, disease};
use bukti_locales::Locale;
use jiff::civil::date;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("missing argument: the folder to write to")?);
    std::fs::create_dir_all(&folder)?;
    let alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".as_bytes();
    let base45 = |length: usize| -> String {
        let mut state = 7_u32;
        let text = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(alphabet[(state >> 16) as usize % alphabet.len()])
        });
        "HC1:".chars().chain(text.take(length - 4)).collect()
    };
    let (usual, long) = (base45(537), base45(700));
    let usual = Certificate {
        id: "7KQ2-M4XD-9TRA-6HVC",
        name: "Siti Rahayu",
        identity: "••••••••••••6246".to_owned(),
        birth_date: date(1987, 3, 14).into(),
        sex: Some(Sex::Female),
        nationality: Some("IDN"),
        dose_number: 1,
        doses_in_series: Some(2),
        icvp: false,
        disease: &disease("covid-19").ok_or("no disease")?.name,
        vaccine: "CoronaVac",
        batch: "2021011234",
        vaccination_date: date(2021, 1, 29),
        valid_from: None,
        facility: "Puskesmas Kecamatan Menteng",
        issued_on: date(2021, 1, 30),
        qr_text: &usual,
    };
    let certificates = [
        ("usual", usual.clone()),
        (
            "long",
            Certificate {
                id: "B3ZP-8WFN-2CYE-K7TG",
                name: "I GUSTI AYU AGUNG PUTU NGURAH OKA KARTIKA DEWI PRADNYASWARI LAKSMI",
                birth_date: date(1964, 9, 30).into(),
                dose_number: 2,
                vaccine: "COVID-19 Vaccine AstraZeneca (Vaxzevria), ChAdOx1-S rekombinan",
                batch: "CTMAV547, kotak 12",
                vaccination_date: date(2021, 9, 22),
                facility: "Rumah Sakit Umum Pusat Prof. dr. I.G.N.G. Ngoerah, Denpasar",
                qr_text: &long,
                ..usual.clone()
            },
        ),
        (
            "icvp",
            Certificate {
                name: "José Ximenes da Silva O'Brien",
                doses_in_series: None,
                icvp: true,
                disease: &disease("yellow-fever").ok_or("no disease")?.name,
                vaccine: "Yellow Fever (Institut Pasteur de Dakar)",
                vaccination_date: date(2025, 11, 3),
                valid_from: Some(date(2025, 11, 13)),
                issued_on: date(2025, 11, 4),
                facility: "Balai Kekarantinaan Kesehatan Kelas I Soekarno-Hatta",
                ..usual.clone()
            },
        ),
        ("vietnam", Certificate { name: "Nguyễn Thị Hoa", dose_number: 3, ..usual.clone() }),
        ("arabic", Certificate { name: "محمد الأمين", sex: Some(Sex::Male), ..usual.clone() }),
    ];
    let printer = Printer::new(Publisher {
        issuer: "Kementerian Kesehatan Republik Indonesia".to_owned(),
        host: "bukti.example.go.id".to_owned(),
        helpdesk_phone: "119 ext. 9".to_owned(),
        helpdesk_email: "bantuan@bukti.example.go.id".to_owned(),
    });
    for (name, certificate) in &certificates {
        for (form, suffix) in
            [(Form::Complete, ""), (Form::A4, "-a4"), (Form::Card, "-card"), (Form::CardSheet, "-sheet")]
        {
            std::fs::write(folder.join(format!("{name}{suffix}.pdf")), printer.pdf(certificate, form)?)?;
        }
        for locale in Locale::ALL {
            let svg = printer.picture(certificate, locale)?;
            std::fs::write(folder.join(format!("{name}-{}.svg", locale.tag())), svg)?;
        }
    }
    Ok(())
}
