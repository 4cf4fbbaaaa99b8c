//! `bukti verify`: verifies a certificate.

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
use clap::{Args, ValueHint};
use jiff::Timestamp;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::fetch;
use crate::output::{BAD, GOOD, UNCERTAIN, paint, print, to_seconds};
use crate::target::{Detected, Target, TargetOptions};

/// The longest accepted certificate, in bytes.
const MAX_CERTIFICATE: u64 = 1024 * 1024;
/// The exit code for a genuine certificate whose revocation status is unknown. Code 2 is taken by
/// usage errors.
const REVOCATION_UNKNOWN: u8 = 3;

#[derive(Args)]
pub(crate) struct VerifyOptions {
    /// Trust only the signer with this certificate (PEM or DER); can be repeated
    ///
    /// Nothing is fetched, so it stays unknown whether the certificate is revoked.
    #[arg(long, value_name = "CERT", value_parser = read_signer, value_hint = ValueHint::FilePath)]
    signer: Vec<TrustedSigner>,
    /// Trust the signers of this site, or of this folder with `signers.json` and `revocation/`
    #[arg(long, value_name = "URL|DIR", conflicts_with = "signer", value_hint = ValueHint::DirPath)]
    trust: Option<String>,
    /// Judge the certificate as of this time, such as 2026-11-23T09:00:00Z, instead of now
    ///
    /// The age of the revocation lists is always judged as of now.
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// Print verdict, steps and payload as JSON
    #[arg(long)]
    json: bool,
    /// Text of the certificate, which begins with HC1:, or a file with it; `-` is the standard
    /// input
    #[arg(value_name = "TEXT|FILE|-", value_hint = ValueHint::FilePath)]
    certificate: String,
}

fn read_signer(path: &str) -> Result<TrustedSigner> {
    let certificate = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
    TrustedSigner::from_certificate(&certificate)
        .with_context(|| format!("{path} is not the X.509 certificate of a signer"))
}

/// The location of the trust and revocation lists.
enum Source {
    Site(String),
    Folder(PathBuf),
    Bucket(PublicFiles, String),
}

impl Source {
    /// Fetches the file at this path, which begins with `trust/`; `None` if the file does not
    /// exist.
    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Site(address) => {
                fetch::get_from_site(&format!("{}/{path}", address.trim_end_matches('/'))).await
            }
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

    /// The name of the source in [`SeenIndexes`].
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

/// The creation time of the newest revocation index that this user has seen from each source. An
/// older index could hide revocations, so it cannot make a certificate valid.
///
/// If two commands run concurrently, one may overwrite the times stored by the other.
struct SeenIndexes {
    file: PathBuf,
    seen: BTreeMap<String, Timestamp>,
}

impl SeenIndexes {
    /// Reads `bukti/revocation-indexes.json` in `XDG_STATE_HOME`, or in `~/.local/state` if that is
    /// unset.
    fn of_user() -> Result<Self> {
        let folder_of = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let state = folder_of("XDG_STATE_HOME").or_else(|| Some(folder_of("HOME")?.join(".local/state")));
        let file = state.context("neither XDG_STATE_HOME nor HOME is set")?;
        let file = file.join("bukti/revocation-indexes.json");
        let seen = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged: remove it", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { file, seen })
    }

    /// Records an index of a source. Returns the creation time of the newest index seen from that
    /// source.
    fn record(&mut self, source: &Source, index: &RevocationIndex) -> Result<Timestamp> {
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

struct Trust {
    signers: Vec<TrustedSigner>,
    /// The source of the revocation lists, and the signers that may sign them.
    revocations: Option<(Source, Vec<TrustedSigner>)>,
}

pub(crate) async fn run(target: &TargetOptions, options: &VerifyOptions) -> Result<ExitCode> {
    let text = read(&options.certificate)?;
    let at = options.at.unwrap_or_else(Timestamp::now);
    let trust = trust(target, options).await?;
    let checked = check(&text, &trust.signers, at);

    let mut index = None;
    let mut newest = None;
    let mut partitions = Vec::new();
    if let Some((source, own)) = &trust.revocations
        // If the signature is invalid, no list can change the verdict.
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
                Ok(None) => eprintln!("{path}: not found"),
                Err(error) => eprintln!("{path}: {error:#}"),
            }
        }
    }
    let own = trust.revocations.as_ref().map(|(_, own)| &own[..]).unwrap_or_default();
    // The current time, not `at`: old lists, which lack later revocations, would count as up to
    // date at an earlier time.
    let now = Timestamp::now();
    let revocations =
        Revocations { own, index: index.as_ref(), partitions: &partitions, newest_seen: newest, at: now };
    let report = judge(checked, &trust.signers, &revocations);
    if options.json {
        print(&(serde_json::to_string_pretty(&VerifyResult::new(&report))? + "\n"));
    } else {
        print(&in_words(&report, trust.revocations.is_some()));
    }
    Ok(match report.verdict {
        Verdict::Valid => ExitCode::SUCCESS,
        Verdict::RevocationUnknown => ExitCode::from(REVOCATION_UNKNOWN),
        _ => ExitCode::FAILURE,
    })
}

fn read(certificate: &str) -> Result<String> {
    let read_all = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.take(MAX_CERTIFICATE)
            .read_to_end(&mut bytes)
            .map(|_| String::from_utf8_lossy(&bytes).into_owned())
    };
    if certificate == "-" {
        return read_all(&mut std::io::stdin().lock()).context("cannot read the standard input");
    }
    if certificate.starts_with("HC1:") {
        return Ok(certificate.to_owned());
    }
    if !Path::new(certificate).is_file() {
        eprintln!("There is no such file, so the argument is read as the text of a certificate.");
        return Ok(certificate.to_owned());
    }
    let read = std::fs::File::open(certificate).and_then(|mut file| read_all(&mut file));
    read.with_context(|| format!("cannot read {certificate}"))
}

async fn trust(target: &TargetOptions, options: &VerifyOptions) -> Result<Trust> {
    if !options.signer.is_empty() {
        return Ok(Trust { signers: options.signer.clone(), revocations: None });
    }
    let source = match &options.trust {
        Some(address) if address.starts_with("http://") || address.starts_with("https://") => {
            Source::Site(address.clone())
        }
        Some(folder) => Source::Folder(folder.into()),
        None => {
            // Without a trust list, everything except the signature is checked.
            let detected = Detected::detect(target).await?;
            if let Detected::Nothing = detected {
                eprintln!(
                    "No deployment found, so no issuer is trusted. Name one with --endpoint or --aws, or trust \
                     signers with --signer or --trust."
                );
                return Ok(Trust { signers: Vec::new(), revocations: None });
            }
            let target = Target::connect_to(detected, target).await?;
            match target.site() {
                Some(site) => Source::Site(site.to_owned()),
                None => Source::Bucket(target.public_files()?, target.name.clone()),
            }
        }
    };
    let list = source.get("trust/signers.json").await.context("cannot fetch the trust list")?;
    let list = list.context("there is no trust list: publish it with `bukti trust publish`")?;
    let list = SignerList::read(&list)
        .context("the trust list is damaged: publish it again with `bukti trust publish`")?;
    Ok(Trust { signers: list.trusted(), revocations: Some((source, list.own())) })
}

async fn current_index(source: &Source, own: &[TrustedSigner]) -> Option<RevocationIndex> {
    let read = async {
        let bytes = source.get(RevocationIndex::PATH).await?.context("not found")?;
        Ok::<_, anyhow::Error>(RevocationIndex::read(&bytes, own)?)
    };
    read.await.inspect_err(|error| eprintln!("{}: {error:#}", RevocationIndex::PATH)).ok()
}

/// Returns the creation time of the newest index of this source that this user has seen, including
/// this one. `None` if it cannot be stored, for example on a read-only disk: lists are then judged
/// only by their age.
fn newest_seen(source: &Source, index: &RevocationIndex) -> Option<Timestamp> {
    let path = RevocationIndex::PATH;
    match SeenIndexes::of_user().and_then(|mut seen| seen.record(source, index)) {
        Ok(newest) => {
            if index.issued_at < newest {
                eprintln!(
                    "{path}: it was created at {}, and a newer one of {} was seen before",
                    to_seconds(index.issued_at),
                    to_seconds(newest)
                );
            }
            Some(newest)
        }
        Err(error) => {
            eprintln!("{path}: cannot compare it with those seen before: {error:#}");
            None
        }
    }
}

/// The result of a verification, printed as JSON.
#[derive(Serialize)]
struct VerifyResult<'a> {
    verdict: Verdict,
    revocation: RevocationState,
    /// The creation time of the oldest revocation list that was used.
    revocation_as_of: Option<Timestamp>,
    steps: Steps,
    payload: &'a Option<serde_json::Value>,
}

impl<'a> VerifyResult<'a> {
    fn new(report: &'a Report) -> Self {
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

fn in_words(report: &Report, has_lists: bool) -> String {
    let (style, verdict) = match report.verdict {
        Verdict::Valid => (GOOD, "Valid"),
        Verdict::RevocationUnknown => (UNCERTAIN, "Genuine, but whether it is revoked is not known"),
        Verdict::Expired => (BAD, "Expired"),
        Verdict::NotYetValid => (BAD, "Not valid yet"),
        Verdict::Revoked => (BAD, "Revoked"),
        Verdict::Superseded => (BAD, "Superseded by a corrected certificate"),
        Verdict::IssuerUnknown => (BAD, "Issuer unknown"),
        Verdict::Damaged => (BAD, "Damaged or forged"),
        Verdict::NotACertificate => (BAD, "Not a health certificate"),
    };
    let mut text = format!("{}\n", paint(style, verdict));
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
    line("issued", report.issued_at.map(to_seconds));
    line("ends", report.expires_at.map(to_seconds));
    let revocation = match (has_lists, report.revocation) {
        (false, _) => "not checked",
        (true, RevocationState::Checked) => "checked",
        (true, RevocationState::Outdated) => "lists too old",
        (true, RevocationState::NotCovered) => "no lists of this issuer",
        (true, RevocationState::Unavailable) => "lists not available",
    };
    let as_of =
        report.revocation_as_of.map(|time| format!(", as of {}", to_seconds(time))).unwrap_or_default();
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
        let result = match step {
            Some(true) => paint(GOOD, "ok"),
            Some(false) => paint(BAD, "failed"),
            None => "-".to_owned(),
        };
        line(name, Some(result));
    }
    text
}
