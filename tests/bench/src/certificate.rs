//! From a complete dose to its signed and printed certificate.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use bukti_document::{Certificate, Form, Printer};
use bukti_domain::{INDONESIA_WEST, Publisher};
use bukti_hcert::{CERTIFICATE_VALID_FOR, LocalSigner, NewKey, Root, Vaccination, seal, uvci};
use futures::executor::block_on;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::paper::{Paper, Papers};
use crate::people::{Person, people, people_beyond_latin_1};
use crate::timing::{Row, measure};

/// Measures Bukti, and writes for the peers what they are to print.
///
/// # Errors
/// When a certificate cannot be made or a file not be written.
pub fn bench(folder: &Path, rounds: usize) -> Result<()> {
    let people = people()?;
    let publisher = Publisher {
        issuer: "Kementerian Kesehatan Republik Indonesia".to_owned(),
        host: "bukti.example.go.id".to_owned(),
        helpdesk_phone: "119 ext. 9".to_owned(),
        helpdesk_email: "bantuan@bukti.example.go.id".to_owned(),
    };
    let now = Timestamp::now();
    let key = NewKey::generate()?;
    let signer_certificate = Root::generate(&publisher.issuer, now)?.certify(&key.public_key, now)?;

    let began = Instant::now();
    let signer = LocalSigner::new(&key.private_pem, &signer_certificate)?;
    let signer_took = began.elapsed();
    let began = Instant::now();
    let printer = Printer::new(publisher.clone());
    let printer_took = began.elapsed();
    let office = Office { signer, printer, issuer: &publisher.issuer, now };
    let began = Instant::now();
    let sample = office.certificate(people.first().context("there is nobody")?)?;
    let first_took = began.elapsed();
    fs::write(folder.join("bukti.pdf"), sample)?;

    let whole =
        |people: &[Person], round: usize| Ok(Some(office.certificate(&people[round % people.len()])?.len()));
    let made = "signed; QR, A4 page, card; font embedded";
    measure("Bukti", made, rounds, |round| whole(&people, round))?.print()?;

    measure("  sealed", "CBOR, ES256, zlib, base45", rounds, |round| {
        office.seal(&people[round % people.len()])?;
        Ok(None)
    })?
    .print()?;
    let texts = people.iter().map(|person| office.seal(person)).collect::<Result<Vec<_>>>()?;
    measure("  printed", "QR, A4 page, card; font embedded", rounds, |round| {
        let at = round % people.len();
        Ok(Some(office.print(&people[at], &texts[at])?.len()))
    })?
    .print()?;
    let others = people_beyond_latin_1()?;
    let sample = office.certificate(others.first().context("there is nobody")?)?;
    fs::write(folder.join("bukti-nguyen.pdf"), sample)?;
    let beyond = "as above, of Nguyễn Thị Hoa and such";
    measure("  rarer letters", beyond, rounds, |round| whole(&others, round))?.print()?;
    Row::once("  once", "signer read", signer_took).print()?;
    Row::once("  once", "printer made", printer_took).print()?;
    Row::once("  once", "first certificate", first_took).print()?;

    let papers = people.iter().zip(&texts).map(|(person, text)| {
        let id = grouped(&person.id);
        Paper::of(&Certificate::of(&person.dose, &id, office.today(), text), &publisher)
    });
    let papers = serde_json::to_vec(&Papers::of(papers.collect()))?;
    fs::write(folder.join("people.json"), papers)?;
    Ok(())
}

/// What certificates are made with.
struct Office<'a> {
    signer: LocalSigner,
    printer: Printer,
    issuer: &'a str,
    now: Timestamp,
}

impl Office<'_> {
    fn today(&self) -> Date {
        INDONESIA_WEST.to_datetime(self.now).date()
    }

    /// The whole way, as the function `issue` goes it.
    fn certificate(&self, person: &Person) -> Result<Vec<u8>> {
        let text = self.seal(person)?;
        self.print(person, &text)
    }

    fn seal(&self, person: &Person) -> Result<String> {
        let uvci = uvci(&person.id);
        let vaccination = Vaccination { dose: &person.dose, issuer: self.issuer, uvci: &uvci };
        let ends = self.now + CERTIFICATE_VALID_FOR;
        Ok(block_on(seal(&vaccination, &self.signer, self.now, ends))?.text)
    }

    fn print(&self, person: &Person, qr_text: &str) -> Result<Vec<u8>> {
        let id = grouped(&person.id);
        let certificate = Certificate::of(&person.dose, &id, self.today(), qr_text);
        Ok(self.printer.pdf(&certificate, Form::Complete)?)
    }
}

/// An id as it is printed. The function's own is in the package that speaks to AWS.
fn grouped(id: &str) -> String {
    let groups = id.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok());
    groups.collect::<Vec<_>>().join("-")
}
