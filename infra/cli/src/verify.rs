//! `bukti verify`: what a verifier says of a certificate.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bukti_hcert::{Steps, TrustedSigner, check};
use bukti_store::PublicFiles;
use bukti_trust::{
    Partition, Report, RevocationIndex, RevocationState, Revocations, SignerList, Verdict, judge,
};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::target::{Found, Target, Where};
use crate::{fetch, say};

/// No certificate is longer, in bytes.
const LONGEST: u64 = 1024 * 1024;
/// The exit code where the certificate would be valid, but whether it is revoked is not known. 2 is for wrong usage.
const REVOCATION_UNKNOWN: u8 = 3;

#[derive(Args)]
pub(crate) struct Options {
    /// Trust this signer alone, by its certificate (PEM or DER); may be given several times. Then nothing is fetched, and
    /// whether the certificate is revoked stays unknown.
    #[arg(long, value_name = "CERT", value_parser = read_signer)]
    signer: Vec<TrustedSigner>,
    /// Trust whom this site, or this folder with `signers.json` and `revocation/`, names.
    #[arg(long, value_name = "URL|DIR", conflicts_with = "signer")]
    trust: Option<String>,
    /// Judge as of this time, such as 2026-11-23T09:00:00Z, instead of now. How old the revocation lists are is judged by
    /// the clock all the same.
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// Verdict, steps and payload as JSON.
    #[arg(long)]
    json: bool,
    /// The certificate: its text, which begins with HC1:, a file with the text, or - for the standard input.
    #[arg(value_name = "TEXT|FILE|-")]
    certificate: String,
}

fn read_signer(path: &str) -> Result<TrustedSigner> {
    let certificate = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
    TrustedSigner::from_certificate(&certificate)
        .with_context(|| format!("{path} is no signer's certificate"))
}

/// Whose trust files count.
enum Source {
    Site(String),
    Folder(PathBuf),
    Bucket(PublicFiles, String),
}

impl Source {
    /// The file of this path, `trust/…`; `None` where there is none.
    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Site(address) => fetch::site(&format!("{}/{path}", address.trim_end_matches('/'))).await,
            Self::Folder(folder) => {
                let path = path.strip_prefix("trust/").unwrap_or(path);
                match std::fs::read(folder.join(path)) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error).with_context(|| format!("cannot read {path}")),
                }
            }
            Self::Bucket(files, _) => Ok(files.get(path).await?),
        }
    }

    /// What it is called among the sources whose index was seen.
    fn name(&self) -> String {
        match self {
            Self::Site(address) => address.trim_end_matches('/').to_owned(),
            Self::Folder(folder) => {
                folder.canonicalize().unwrap_or_else(|_| folder.clone()).display().to_string()
            }
            Self::Bucket(_, name) => name.clone(),
        }
    }
}

/// When the newest index was made that this user has seen, by source. An older one could hide revocations, so nothing is
/// valid by it.
///
/// Two commands at once may forget what one of them saw.
struct SeenIndexes {
    file: PathBuf,
    seen: BTreeMap<String, Timestamp>,
}

impl SeenIndexes {
    /// Those of this user, in `bukti/revocation-indexes.json` below `XDG_STATE_HOME` or `~/.local/state`.
    fn of_user() -> Result<Self> {
        let named = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let states = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")));
        let file = states.context("neither XDG_STATE_HOME nor HOME is set")?;
        let file = file.join("bukti/revocation-indexes.json");
        let seen = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged: remove it", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { file, seen })
    }

    /// Notes an index of a source. Gives when the newest of that source was made.
    ///
    /// # Errors
    ///
    /// Where the note cannot be kept.
    fn see(&mut self, source: &Source, index: &RevocationIndex) -> Result<Timestamp> {
        let name = source.name();
        if let Some(&newest) = self.seen.get(&name)
            && index.issued_at <= newest
        {
            return Ok(newest);
        }
        self.seen.insert(name, index.issued_at);
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let write = || -> Result<()> {
            std::fs::create_dir_all(folder)?;
            let mut new = NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut new, &self.seen)?;
            new.persist(&self.file)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", self.file.display()))?;
        Ok(index.issued_at)
    }
}

/// Whom to trust, and what is revoked.
struct Trust {
    signers: Vec<TrustedSigner>,
    revocations: Option<(Source, Vec<TrustedSigner>)>,
}

/// Judges a certificate.
///
/// # Errors
///
/// Where the certificate or the list of signers cannot be read.
pub(crate) async fn run(place: &Where, options: &Options) -> Result<ExitCode> {
    let text = read(&options.certificate)?;
    let at = options.at.unwrap_or_else(Timestamp::now);
    let trust = trust(place, options).await?;
    let checked = check(&text, &trust.signers, at);

    let mut index = None;
    let mut newest = None;
    let mut partitions = Vec::new();
    if let Some((source, own)) = &trust.revocations
        // Nothing that a list could say changes another verdict.
        && checked.steps.signature == Some(true)
    {
        index = current_index(source, own).await;
        newest = index.as_ref().and_then(|index| newest_seen(source, index));
        for path in index.iter().flat_map(|index| index.partitions_for(&checked)) {
            match source.get(&path).await {
                Ok(Some(bytes)) => match Partition::read(&path, &bytes, own) {
                    Ok(partition) => partitions.push(partition),
                    Err(error) => eprintln!("{path}: {error}"),
                },
                Ok(None) => eprintln!("{path}: there is none"),
                Err(error) => eprintln!("{path}: {error:#}"),
            }
        }
    }
    let own = trust.revocations.as_ref().map(|(_, own)| &own[..]).unwrap_or_default();
    // Not `at`: old lists, which hide later revocations, would count as current by an earlier time.
    let now = Timestamp::now();
    let revocations =
        Revocations { own, index: index.as_ref(), partitions: &partitions, newest_seen: newest, at: now };
    let report = judge(checked, &trust.signers, &revocations);
    if options.json {
        say(&(serde_json::to_string_pretty(&Answer::of(&report))? + "\n"));
    } else {
        say(&in_words(&report, trust.revocations.is_some()));
    }
    Ok(match report.verdict {
        Verdict::Valid => ExitCode::SUCCESS,
        Verdict::RevocationUnknown => ExitCode::from(REVOCATION_UNKNOWN),
        _ => ExitCode::FAILURE,
    })
}

fn read(certificate: &str) -> Result<String> {
    let whole = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.take(LONGEST).read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    };
    if certificate == "-" {
        return whole(&mut std::io::stdin().lock()).context("the standard input cannot be read");
    }
    if certificate.starts_with("HC1:") {
        return Ok(certificate.to_owned());
    }
    if !Path::new(certificate).is_file() {
        eprintln!("There is no such file, so this is taken as the certificate's text.");
        return Ok(certificate.to_owned());
    }
    let read = std::fs::File::open(certificate).and_then(|mut file| whole(&mut file));
    read.with_context(|| format!("cannot read {certificate}"))
}

async fn trust(place: &Where, options: &Options) -> Result<Trust> {
    if !options.signer.is_empty() {
        return Ok(Trust { signers: options.signer.clone(), revocations: None });
    }
    let source = match &options.trust {
        Some(address) if address.starts_with("http://") || address.starts_with("https://") => {
            Source::Site(address.clone())
        }
        Some(folder) => Source::Folder(folder.into()),
        None => {
            // All but the signature can be said without a trust list.
            let found = Found::find(place).await?;
            if let Found::Nothing = found {
                eprintln!(
                    "No issuer is known here, as no Bukti was found; name one with --endpoint or --aws, or signers with \
                     --signer or --trust."
                );
                return Ok(Trust { signers: Vec::new(), revocations: None });
            }
            let target = Target::of(found, place).await?;
            match target.site() {
                Some(site) => Source::Site(site.to_owned()),
                None => Source::Bucket(target.public_files()?, target.name.clone()),
            }
        }
    };
    let list = source.get("trust/signers.json").await.context("the list of signers cannot be fetched")?;
    let list = list.context("there is no list of signers: `bukti trust publish` makes one")?;
    let list = SignerList::read(&list).context("the list of signers is damaged")?;
    Ok(Trust { signers: list.trusted(), revocations: Some((source, list.own())) })
}

async fn current_index(source: &Source, own: &[TrustedSigner]) -> Option<RevocationIndex> {
    let read = async {
        let bytes = source.get(RevocationIndex::PATH).await?.context("there is none")?;
        Ok::<_, anyhow::Error>(RevocationIndex::read(&bytes, own)?)
    };
    read.await.inspect_err(|error| eprintln!("{}: {error:#}", RevocationIndex::PATH)).ok()
}

/// When the newest index of this source was made that this user has seen, this one included. Where no note can be kept of it,
/// as on a read-only disk, lists count by their age alone.
fn newest_seen(source: &Source, index: &RevocationIndex) -> Option<Timestamp> {
    let path = RevocationIndex::PATH;
    match SeenIndexes::of_user().and_then(|mut seen| seen.see(source, index)) {
        Ok(newest) => {
            if index.issued_at < newest {
                eprintln!("{path}: it is of {}, and one of {newest} was seen before", index.issued_at);
            }
            Some(newest)
        }
        Err(error) => {
            eprintln!("{path}: whether a newer one was seen before is not known: {error:#}");
            None
        }
    }
}

/// The answer as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    verdict: Verdict,
    revocation: RevocationState,
    /// Of when the oldest of the lists is that were looked at.
    revocation_as_of: Option<Timestamp>,
    steps: Steps,
    payload: &'a Option<serde_json::Value>,
}

impl<'a> Answer<'a> {
    fn of(report: &'a Report) -> Self {
        let Report { verdict, revocation, revocation_as_of, steps, payload, .. } = report;
        Self {
            verdict: *verdict,
            revocation: *revocation,
            revocation_as_of: *revocation_as_of,
            steps: *steps,
            payload,
        }
    }
}

fn in_words(report: &Report, revocation_asked: bool) -> String {
    let verdict = match report.verdict {
        Verdict::Valid => "Valid",
        Verdict::RevocationUnknown => "Genuine, but whether it is revoked is not known",
        Verdict::Expired => "Expired",
        Verdict::NotYetValid => "Not valid yet",
        Verdict::Revoked => "Revoked",
        Verdict::Superseded => "Superseded by a corrected certificate",
        Verdict::IssuerUnknown => "Issuer unknown",
        Verdict::Damaged => "Damaged or forged",
        Verdict::NotACertificate => "Not a health certificate",
    };
    let mut text = format!("{verdict}\n");
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("  {name:<12} {value}\n"));
        }
    };
    if let Some(content) = &report.content {
        line("name", Some(content.name.clone()));
        line("born", Some(content.birth_date.clone()));
        line("vaccine", content.vaccine.clone());
        line("disease", content.disease.clone());
        line("date", Some(content.date.clone()));
        line("dose", content.dose.map(|(dose, of)| format!("{dose} of {of}")));
        line("certificate", content.certificate_id.clone());
    }
    line("signed by", report.signer.clone());
    line("issued", report.issued_at.map(|time| time.to_string()));
    line("ends", report.expires_at.map(|time| time.to_string()));
    let revocation = match (revocation_asked, report.revocation) {
        (false, _) => "not looked at",
        (true, RevocationState::Checked) => "looked at",
        (true, RevocationState::Outdated) => "lists too old",
        (true, RevocationState::NotCovered) => "no lists of this issuer",
        (true, RevocationState::Unavailable) => "lists not available",
    };
    let as_of = report.revocation_as_of.map(|time| format!(", as of {time}")).unwrap_or_default();
    line("revocation", report.steps.signature.filter(|it| *it).map(|_| format!("{revocation}{as_of}")));
    let steps = &report.steps;
    for (name, step) in [
        ("prefix", steps.prefix),
        ("base45", steps.base45),
        ("zlib", steps.zlib),
        ("cose", steps.cose),
        ("cbor", steps.cbor),
        ("schema", steps.schema),
        ("signature", steps.signature),
        ("not expired", steps.not_expired),
        ("key usage", steps.key_usage),
    ] {
        let found = match step {
            Some(true) => "ok",
            Some(false) => "failed",
            None => "-",
        };
        line(name, Some(found.to_owned()));
    }
    text
}
