//! Measures how long Bukti takes to create a certificate, from the complete dose to the signed PDF.

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

use crate::peer_input::{PeerInput, Printout};
use crate::people::{Person, people, people_beyond_latin_1};
use crate::timing::{Row, measure};

/// Measures Bukti, and writes the input for the peers to `people.json`.
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

    let started = Instant::now();
    let signer = LocalSigner::new(&key.private_pem, &signer_certificate)?;
    let signer_took = started.elapsed();
    let started = Instant::now();
    let printer = Printer::new(publisher.clone());
    let printer_took = started.elapsed();
    let issuing = Issuing { signer, printer, issuer: &publisher.issuer, now };
    let started = Instant::now();
    let sample = issuing.certificate(people.first().context("the list of people is empty")?)?;
    let first_took = started.elapsed();
    fs::write(folder.join("bukti.pdf"), sample)?;

    let certificate =
        |people: &[Person], round: usize| Ok(Some(issuing.certificate(&people[round % people.len()])?.len()));
    let made = "signed; QR, A4 page, card; font embedded";
    measure("Bukti", made, rounds, |round| certificate(&people, round))?.print()?;

    measure("  sealed", "CBOR, ES256, zlib, base45", rounds, |round| {
        issuing.seal(&people[round % people.len()])?;
        Ok(None)
    })?
    .print()?;
    let texts = people.iter().map(|person| issuing.seal(person)).collect::<Result<Vec<_>>>()?;
    measure("  printed", "QR, A4 page, card; font embedded", rounds, |round| {
        let at = round % people.len();
        Ok(Some(issuing.print(&people[at], &texts[at])?.len()))
    })?
    .print()?;
    let others = people_beyond_latin_1()?;
    let sample = issuing.certificate(others.first().context("the list of people is empty")?)?;
    fs::write(folder.join("bukti-nguyen.pdf"), sample)?;
    let rare_letters = "as above, for names like Nguyễn Thị Hoa";
    measure("  rarer letters", rare_letters, rounds, |round| certificate(&others, round))?.print()?;
    Row::once("  once", "signer read", signer_took).print()?;
    Row::once("  once", "printer created", printer_took).print()?;
    Row::once("  once", "first certificate", first_took).print()?;

    let printouts = people.iter().zip(&texts).map(|(person, text)| {
        let id = grouped(&person.id);
        Printout::new(&Certificate::of(&person.dose, &id, issuing.today(), text), &publisher)
    });
    let input = serde_json::to_vec(&PeerInput::new(printouts.collect()))?;
    fs::write(folder.join("people.json"), input)?;
    Ok(())
}

/// The signer, the printer and the issuer's name for issuing certificates.
struct Issuing<'a> {
    signer: LocalSigner,
    printer: Printer,
    issuer: &'a str,
    now: Timestamp,
}

impl Issuing<'_> {
    fn today(&self) -> Date {
        INDONESIA_WEST.to_datetime(self.now).date()
    }

    /// Seals and prints a certificate, as the function `issue` does.
    fn certificate(&self, person: &Person) -> Result<Vec<u8>> {
        let text = self.seal(person)?;
        self.print(person, &text)
    }

    fn seal(&self, person: &Person) -> Result<String> {
        let uvci = uvci(&person.id);
        let vaccination = Vaccination { dose: &person.dose, issuer: self.issuer, uvci: &uvci };
        let expires_at = self.now + CERTIFICATE_VALID_FOR;
        Ok(block_on(seal(&vaccination, &self.signer, self.now, expires_at))?.text)
    }

    fn print(&self, person: &Person, qr_text: &str) -> Result<Vec<u8>> {
        let id = grouped(&person.id);
        let certificate = Certificate::of(&person.dose, &id, self.today(), qr_text);
        Ok(self.printer.pdf(&certificate, Form::Complete)?)
    }
}

/// Splits a certificate's id into groups, as it is printed.
fn grouped(id: &str) -> String {
    let groups = id.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok());
    groups.collect::<Vec<_>>().join("-")
}
