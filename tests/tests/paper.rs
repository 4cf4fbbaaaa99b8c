//! Printed certificates, tested without a stack: rows of the sample feed are signed, printed as
//! PDF, and read back from the rendered pages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

use bukti_document::{Certificate, Form, Printer};
use bukti_domain::feed::CompleteDose;
use bukti_domain::{FeedRow, INDONESIA_WEST, PhoneNumber, Publisher, Verdict};
use bukti_hcert::{CERTIFICATE_VALID_FOR, LocalSigner, NewKey, Root, Vaccination, seal, uvci};
use bukti_locales::{Locale, birth_date, date};
use bukti_paper::{Paper, Qr};
use bukti_tests::{people, report_skipped, sample_feed};
use jiff::Timestamp;
use tempfile::TempDir;
use unicode_normalization::UnicodeNormalization;

/// PDF points per millimetre.
const MM: f32 = 72.0 / 25.4;
const A4: (f32, f32) = (210.0 * MM, 297.0 * MM);
/// A card of the format ID-1 (ISO/IEC 7810), such as a bank card.
const ID_1: (f32, f32) = (85.6 * MM, 53.98 * MM);
/// The side length of a printed QR code with its quiet zone, in millimetres.
const QR_SIDE: f32 = 45.2;

/// The expected layout of a page.
#[derive(Clone, Copy)]
struct Page {
    size: (f32, f32),
    /// The side lengths of the QR codes with their quiet zones, in millimetres.
    qrs: &'static [f32],
}

const A4_PAGE: Page = Page { size: A4, qrs: &[QR_SIDE] };
const FRONT: Page = Page { size: ID_1, qrs: &[QR_SIDE] };
const BACK: Page = Page { size: ID_1, qrs: &[] };

fn pages(form: Form) -> Vec<Page> {
    match form {
        Form::Complete => vec![A4_PAGE, FRONT, BACK],
        Form::A4 => vec![A4_PAGE],
        Form::Card => vec![FRONT, BACK],
        Form::CardSheet => vec![Page { size: A4, qrs: &[QR_SIDE; 10] }, Page { size: A4, qrs: &[] }],
    }
}

/// The smallest module size of a QR code that cheap phones can read, in millimetres.
const MIN_MODULE_MM: f32 = 0.40;
/// The size limit of a PDF, so that it loads on a slow network.
const MAX_BYTES: usize = 25 * 1024;

/// A printed certificate, and the row from which it was created.
struct Printed {
    row: FeedRow,
    dose: CompleteDose,
    id: String,
    text: String,
    pdf: Vec<u8>,
}

static NOW: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

static PRINTER: LazyLock<Printer> = LazyLock::new(|| {
    Printer::new(Publisher {
        issuer: "Kementerian Kesehatan Republik Indonesia".to_owned(),
        host: "bukti.example.go.id".to_owned(),
        helpdesk_phone: "119 ext. 9".to_owned(),
        helpdesk_email: "bantuan@bukti.example.go.id".to_owned(),
    })
});

/// The certificates of people with difficult names and of complete rows in the sample feed,
/// including duplicates and superseded rows. Uses every fifth row of the feed, or all rows if
/// `BUKTI_THOROUGH` is set. `cargo xtask test --thorough` sets this variable.
static PRINTED: LazyLock<Vec<Printed>> = LazyLock::new(|| {
    let began = Instant::now();
    let complete = |row: &FeedRow| row.judge(*NOW).0 == Verdict::Complete;
    let mut rows: Vec<FeedRow> = people::with_difficult_names().into_iter().flatten().collect();
    assert!(rows.iter().all(complete));
    let names = rows.len();
    if let Some(folder) = sample_feed() {
        let mut feed = csv::Reader::from_path(folder.join("doses-1.csv")).unwrap();
        let step = if std::env::var_os("BUKTI_THOROUGH").is_some() { 1 } else { 5 };
        rows.extend(feed.deserialize().map(|row| row.unwrap()).filter(complete).step_by(step));
    }
    let distinct: HashSet<String> = rows.iter().skip(names).map(FeedRow::content).collect();
    let numbered: Vec<_> = (0..).zip(&rows).collect();
    let key = NewKey::generate().unwrap();
    let certificate = Root::generate("Bukti", *NOW).unwrap().certify(&key.public_key, *NOW).unwrap();
    let signer = LocalSigner::new(&key.private_pem, &certificate).unwrap();
    let printed = map_parallel(&numbered, |(number, row)| Printed::new(*number, row, &signer));
    eprintln!(
        "{} certificates: {names} of difficult names, {} of the sample feed, of which {} differ; made in {:.0} s, the largest of \
         {} bytes",
        rows.len(),
        rows.len() - names,
        distinct.len(),
        began.elapsed().as_secs_f32(),
        printed.iter().map(|printed| printed.pdf.len()).max().unwrap_or_default(),
    );
    printed
});

impl Printed {
    fn new(number: u64, row: &FeedRow, signer: &LocalSigner) -> Self {
        let dose = row.dose().complete().unwrap();
        let id = id(number);
        let uvci = uvci(&id);
        let vaccination =
            Vaccination { dose: &dose, issuer: "Kementerian Kesehatan Republik Indonesia", uvci: &uvci };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sealed = seal(&vaccination, signer, *NOW, *NOW + CERTIFICATE_VALID_FOR);
        let text = runtime.block_on(sealed).unwrap().text;
        let groups: Vec<&str> = (0..4).map(|group| &id[group * 4..group * 4 + 4]).collect();
        let mut printed = Self { row: row.clone(), id: groups.join("-"), text, pdf: Vec::new(), dose };
        printed.pdf = printed.print(Form::Complete);
        printed
    }

    fn print(&self, form: Form) -> Vec<u8> {
        let issued_on = INDONESIA_WEST.to_datetime(*NOW).date();
        PRINTER.pdf(&Certificate::of(&self.dose, &self.id, issued_on, &self.text), form).unwrap()
    }

    /// Checks the pages and their QR codes against the expected layout. Returns the QR codes.
    fn scan(&self, pdf: &[u8], form: Form) -> Result<Vec<Qr>, String> {
        let paper = Paper::read(pdf);
        let (sizes, pages) = (paper.sizes(), pages(form));
        let near = |(a, b): (f32, f32), (c, d): (f32, f32)| (a - c).abs() < 0.01 && (b - d).abs() < 0.01;
        if sizes.len() != pages.len() || !sizes.iter().zip(&pages).all(|(size, page)| near(*size, page.size))
        {
            return Err(format!("pages of {sizes:?} points"));
        }
        let mut all = Vec::new();
        for (number, page) in pages.iter().enumerate() {
            let qrs = if page.qrs.is_empty() {
                paper.picture(number, 150).qrs()
            } else {
                paper.scan(number, page.qrs.len())
            };
            if qrs.len() != page.qrs.len() || qrs.iter().any(|qr| qr.text != self.text) {
                let texts: Vec<_> = qrs.iter().map(|qr| &qr.text).collect();
                return Err(format!("page {number} has the QR texts {texts:?} instead of {}", self.text));
            }
            for (qr, side) in qrs.iter().zip(page.qrs) {
                let designed = side / (qr.modules as f32 + 8.0);
                if qr.module_mm < MIN_MODULE_MM || designed < MIN_MODULE_MM {
                    return Err(format!(
                        "page {number} has modules of {} mm, designed {designed}",
                        qr.module_mm
                    ));
                }
                if (qr.module_mm / designed - 1.0).abs() > 0.02 {
                    return Err(format!(
                        "page {number} has modules of {} mm and not {designed}",
                        qr.module_mm
                    ));
                }
            }
            all.extend(qrs);
        }
        Ok(all)
    }

    /// The errors in the printed document: missing data, private data, missing glyphs or fonts, and
    /// excessive size.
    fn misprints(&self) -> Vec<String> {
        let paper = Paper::read(&*self.pdf);
        let texts: Vec<String> = (0..paper.sizes().len()).map(|page| dense(&paper.text(page))).collect();
        let mut wrong = Vec::new();
        let locales = [Locale::Id, Locale::En];
        let mut expected: Vec<String> = locales
            .iter()
            .flat_map(|&locale| {
                [birth_date(locale, self.dose.birth_date), date(locale, self.dose.vaccination_date)]
            })
            .collect();
        expected.push(self.dose.identity.masked());
        expected
            .extend([&self.dose.batch, &self.dose.vaccine.name, &self.dose.facility.name].map(Clone::clone));
        if is_latin(self.dose.name.text()) {
            expected.push(self.dose.name.text().to_owned());
        }
        let (a4, card) = texts.split_first().unwrap();
        for (place, text) in [("the page", a4), ("the card", &card.concat())] {
            let missing = expected.iter().filter(|expected| !text.contains(&dense(expected)));
            wrong.extend(missing.map(|missing| format!("{place} lacks  {missing}")));
            // The groups of the certificate id may be printed at some distance from each other.
            let groups: Vec<_> = self.id.split('-').map(|group| text.find(group)).collect();
            if groups.contains(&None) || !groups.is_sorted() {
                wrong.push(format!("{place} lacks  {}", self.id));
            }
            if text.contains(['\u{FFFD}', '…']) {
                wrong.push(format!("{place} lacks  a character or is cut short"));
            }
        }

        let everything = paper.everything().to_uppercase();
        // Remove spaces and hyphens, which may occur inside a number.
        let shown: String =
            texts.concat().to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect();
        for private in self.private() {
            if everything.contains(&private) || shown.contains(&private) {
                wrong.push(format!("{private} is in the file"));
            }
        }
        wrong.extend(paper.missing_fonts().into_iter().map(|font| format!("no file of the font {font}")));
        if self.pdf.len() > MAX_BYTES {
            wrong.push(format!("{} bytes", self.pdf.len()));
        }
        wrong
    }

    /// Data that no certificate may show: identity number and phone, as written and as digits only.
    fn private(&self) -> Vec<String> {
        let row = &self.row;
        let mut private: Vec<String> =
            [&row.nik, &row.paspor, &row.no_hp].map(|number| number.trim().to_owned()).into();
        private.extend([&row.nik, &row.paspor].map(|number| number.replace([' ', '-', '.'], "")));
        // Every spelling of a phone (08…, +62 8…, 62 8…) contains the national number.
        let phone = PhoneNumber::parse(&row.no_hp).map(|phone| phone.e164().replace("+62", ""));
        private.extend(phone);
        private.retain(|number| number.chars().filter(char::is_ascii_digit).count() >= 5);
        private.into_iter().map(|number| number.to_uppercase()).collect()
    }
}

/// A pseudo-random id of a certificate, 16 characters.
fn id(number: u64) -> String {
    let alphabet = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut state = number;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(alphabet[(state >> 59) as usize])
    });
    // Skip the first characters, which hardly differ between consecutive numbers.
    random.skip(16).take(16).collect()
}

/// The text in NFC, as it is printed, but without white space, since a line may break anywhere.
fn dense(text: &str) -> String {
    text.nfc().filter(|character| !character.is_whitespace()).collect()
}

/// Whether the font supports the script of a name. Other names are printed in transliteration.
fn is_latin(name: &str) -> bool {
    name.chars().all(|character| matches!(character, ..'\u{370}' | '\u{1E00}'..'\u{2200}'))
}

/// Maps items in parallel, with one thread per processor. Preserves the order of the items.
fn map_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let shares = items.chunks(items.len().div_ceil(threads).max(1));
    std::thread::scope(|scope| {
        let work = &work;
        let shares: Vec<_> =
            shares.map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<_>>())).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    })
}

/// Panics if there are errors, and lists the first 20.
fn assert_none<'a>(wrong: impl Iterator<Item = (&'a Printed, String)>) {
    let wrong: Vec<String> =
        wrong.map(|(printed, wrong)| format!("{}: {wrong}", printed.row.event_id)).collect();
    assert!(wrong.is_empty(), "{} errors:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

#[test]
fn every_printed_qr_is_readable() {
    let certificates = &*PRINTED;
    let began = Instant::now();
    let found = map_parallel(certificates, |printed| printed.scan(&printed.pdf, Form::Complete));
    let qrs = || found.iter().flatten().flatten();
    let mut resolutions: BTreeMap<u16, usize> = BTreeMap::new();
    qrs().for_each(|qr| *resolutions.entry(qr.dpi).or_default() += 1);
    let least = qrs().map(|qr| qr.module_mm).fold(f32::INFINITY, f32::min);
    let sides: HashSet<usize> = qrs().map(|qr| qr.modules).collect();
    eprintln!(
        "scanned in {:.0} s; QRs by the dpi that they needed: {resolutions:?}; {sides:?} modules wide; \
         smallest module {least:.3} mm",
        began.elapsed().as_secs_f32(),
    );
    assert_none(certificates.iter().zip(found).filter_map(|(printed, found)| Some((printed, found.err()?))));
}

#[test]
fn certificates_show_dose_but_no_private_numbers() {
    let certificates = &*PRINTED;
    let began = Instant::now();
    let wrong = map_parallel(certificates, Printed::misprints);
    eprintln!("read in {:.0} s", began.elapsed().as_secs_f32());
    let each_wrong = |(printed, wrong): (&'static Printed, Vec<String>)| {
        wrong.into_iter().map(move |wrong| (printed, wrong))
    };
    assert_none(certificates.iter().zip(wrong).flat_map(each_wrong));
}

#[test]
fn each_form_has_its_pages_and_scannable_qrs() {
    // Choose the shortest text, the longest text, and others in between.
    let mut certificates: Vec<&Printed> = PRINTED.iter().collect();
    certificates.sort_by_key(|printed| printed.text.len());
    let step = certificates.len() / 4;
    let last = certificates.len() - 1;
    let chosen: Vec<&Printed> = (0..4).map(|at| at * step).chain([last]).map(|at| certificates[at]).collect();
    let forms = [Form::A4, Form::Card, Form::CardSheet];
    let wrong = map_parallel(&chosen, |printed| {
        forms.map(|form| {
            printed.scan(&printed.print(form), form).err().map(|wrong| format!("{form:?}: {wrong}"))
        })
    });
    assert_none(
        chosen
            .into_iter()
            .zip(wrong)
            .flat_map(|(printed, wrong)| wrong.into_iter().flatten().map(move |wrong| (printed, wrong))),
    );
}

#[test]
fn pdf_checkers_report_no_errors() {
    let programs: Vec<_> = [("BUKTI_QPDF", &["--check"][..]), ("BUKTI_PDFINFO", &[])]
        .into_iter()
        .filter_map(|(variable, arguments)| Some((std::env::var_os(variable)?, arguments)))
        .collect();
    if programs.len() < 2 {
        report_skipped(
            "BUKTI_QPDF names no qpdf, or BUKTI_PDFINFO no pdfinfo of Poppler; `cargo xtask test` sets both",
        );
    }
    if programs.is_empty() {
        return;
    }
    let certificates = &*PRINTED;
    let began = Instant::now();
    let folder = TempDir::new().unwrap();
    let wrong = map_parallel(certificates, |printed| {
        let path = folder.path().join(format!("{}.pdf", printed.id));
        std::fs::write(&path, &printed.pdf).unwrap();
        let output = programs.iter().filter_map(|(program, arguments)| {
            fault(Command::new(program).args(*arguments).arg(&path), &path)
        });
        let output: Vec<String> = output.collect();
        std::fs::remove_file(path).unwrap();
        output
    });
    eprintln!("{} files checked in {:.0} s", certificates.len(), began.elapsed().as_secs_f32());
    let each_wrong = |(printed, wrong): (&'static Printed, Vec<String>)| {
        wrong.into_iter().map(move |wrong| (printed, wrong))
    };
    assert_none(certificates.iter().zip(wrong).flat_map(each_wrong));
}

/// Runs a PDF checker. Returns its output if it reports an error or a warning.
fn fault(checker: &mut Command, path: &Path) -> Option<String> {
    let output = checker.output().unwrap();
    // qpdf exits with code 3 after warnings; Poppler only writes them to standard error.
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr.clone()].concat()).into_owned();
    let is_clean = output.status.success() && output.stderr.is_empty();
    (!is_clean).then(|| format!("exit code {:?} for {}: {text}", output.status.code(), path.display()))
}
