//! `bukti signing-key`: manages the secrets, the root and the document signers. No command prints a
//! private key.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_hcert::{CERTIFICATE_VALID_FOR, Root, TrustedSigner};
use bukti_store::{DocumentSigners, Register, Secrets, SignerRecord, Signers, Withdrawn};
use bukti_trust::SignerStatus;
use clap::builder::styling::Style;
use clap::{Subcommand, ValueHint};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::output::{BAD, GOOD, examples, paint, print, to_day, to_seconds};
use crate::target::{Detected, Target, TargetOptions, account, aws_environment};
use crate::trust;

/// How long `list` warns before a signer becomes unable to sign certificates of full validity.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(90 * 24);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create secrets, root and first document signer, where they do not exist
    #[command(after_help = examples(&[
        "bukti signing-key init --organisation \"Kementerian Kesehatan\"",
        "bukti signing-key init --table bukti --kms KEY",
    ]))]
    Init {
        /// Organisation that root and signers are issued to
        #[arg(long, value_name = "NAME", default_value = "Bukti")]
        organisation: String,
        /// Sign with this AWS KMS key instead of one that is sealed in the table
        #[arg(long, value_name = "ID|ARN")]
        kms: Option<String>,
    },
    /// List the document signers
    #[command(after_help = examples(&["bukti signing-key list"]))]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create a document signer, which signs from now on
    ///
    /// Certificates of earlier signers stay valid.
    #[command(after_help = examples(&["bukti signing-key rotate", "bukti signing-key rotate --kms KEY"]))]
    Rotate {
        /// Sign with this AWS KMS key instead of one that is sealed in the table
        #[arg(long, value_name = "ID|ARN")]
        kms: Option<String>,
        /// Leave publication to `bukti trust publish` or the schedule
        #[arg(long)]
        no_publish: bool,
    },
    /// Create a sealing key for the personal fields of the table
    ///
    /// It becomes active when every function has read it. Fields that earlier keys sealed still
    /// open.
    #[command(after_help = examples(&[
        "bukti signing-key rotate-sealing",
        "bukti signing-key rotate-sealing --kms KEY",
    ]))]
    RotateSealing {
        /// Wrap all sealing keys with this AWS KMS key; the functions need its `kms:Decrypt`
        #[arg(long, value_name = "ID|ARN")]
        kms: Option<String>,
    },
    /// Write the X.509 certificate of the active signer, of another signer, or of the root
    #[command(after_help = examples(&[
        "bukti signing-key export --output signer.pem",
        "bukti signing-key export --root --output root.pem",
    ]))]
    Export {
        /// Write the certificate of the root
        #[arg(long, conflicts_with = "kid")]
        root: bool,
        /// Write the certificate of the signer with this key id, in hexadecimal
        #[arg(long)]
        kid: Option<String>,
        /// Write DER instead of PEM
        #[arg(long)]
        der: bool,
        /// Write to this file instead of the standard output
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
    /// Withdraw a signer whose key is compromised: everything that it signed becomes invalid
    #[command(after_help = examples(&["bukti signing-key withdraw KID --yes"]))]
    Withdraw {
        /// Key id of the signer, in hexadecimal
        kid: String,
        /// Confirm that everything that it signed becomes invalid, for good
        #[arg(long)]
        yes: bool,
        /// Leave publication to `bukti trust publish` or the schedule
        #[arg(long)]
        no_publish: bool,
    },
}

pub(crate) async fn run(target: &TargetOptions, command: Command) -> Result<ExitCode> {
    match command {
        Command::Init { organisation, kms } => init(target, &organisation, kms.as_deref()).await?,
        Command::List { json } => list(target, json).await?,
        Command::Rotate { kms, no_publish } => rotate(target, kms.as_deref(), no_publish).await?,
        Command::RotateSealing { kms } => rotate_sealing(target, kms.as_deref()).await?,
        Command::Export { root, kid, der, output } => {
            let target = Target::connect(target).await?;
            let certificate = if root {
                pem_to_der(target.root().await?.certificate_pem())?
            } else {
                let register = register(&target).await?;
                let signer = match &kid {
                    Some(kid) => register.of_kid(kid).with_context(|| unknown_signer(kid))?,
                    None => register.active().context(NO_ACTIVE_SIGNER)?,
                };
                signer.certificate().to_vec()
            };
            write(output.as_deref(), &if der { certificate } else { pem(&certificate).into_bytes() })?;
        }
        Command::Withdraw { kid, yes, no_publish } => withdraw(target, &kid, yes, no_publish).await?,
    }
    Ok(ExitCode::SUCCESS)
}

const NO_ACTIVE_SIGNER: &str = "no active signer: create one with `bukti signing-key init`";

fn unknown_signer(kid: &str) -> String {
    format!("there is no signer {kid}: look its key id up with `bukti signing-key list`")
}

async fn register(target: &Target) -> Result<Register> {
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    signers.register().await.context("cannot read the register of signers")
}

async fn init(options: &TargetOptions, organisation: &str, kms: Option<&str>) -> Result<()> {
    if let Detected::Embedded(target) = Detected::detect(options).await? {
        eprintln!("Using {}.", target.name);
        print(
            "The stack created secrets, root and first signer when it was first started. Nothing changed.\n",
        );
        return Ok(());
    }
    let config = aws_environment().await?;
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    eprintln!("Using AWS in {region}, {}.", account(&config).await);
    let (secrets, root) = (options.secrets(), options.root());
    let description = "The keys of Bukti. Losing them loses every record.";
    if create_secret(&config, secrets, description, &Secrets::generate()?).await? {
        print(&format!("Created the secret {secrets}. Back it up: without it every record is lost.\n"));
    } else {
        print(&format!("The secret {secrets} exists and is unchanged.\n"));
    }
    let description = "The root of Bukti's signers. No function may read it.";
    if create_secret(&config, root, description, &Root::generate(organisation, Timestamp::now())?).await? {
        print(&format!(
            "Created the root in the secret {root}. Allow only those to read it who rotate signers.\n"
        ));
    } else {
        print(&format!("The root in the secret {root} exists and is unchanged.\n"));
    }
    if !options.names_table() {
        print("The first signer is stored in the table: deploy, then run this again with --table NAME.\n");
        return Ok(());
    }
    let target = Target::on_aws(options, &config).await?;
    if let Some(active) = register(&target).await?.active() {
        print(&format!("Signer {} is active and unchanged.\n", active.kid));
        return Ok(());
    }
    let signer = new_signer(&target, kms).await?;
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    if signers.activate_first(&signer).await? {
        print(&format!("Created signer {}, which is active.\n", signer.kid));
    } else {
        print("Another admin created the first signer at the same time; that one is active.\n");
    }
    Ok(())
}

/// Creates a secret. Returns `false` if a secret of this name exists; it is never overwritten.
async fn create_secret(
    config: &SdkConfig,
    name: &str,
    description: &str,
    value: &impl Serialize,
) -> Result<bool> {
    let created = aws_sdk_secretsmanager::Client::new(config)
        .create_secret()
        .name(name)
        .description(description)
        .secret_string(serde_json::to_string(value)?)
        .send()
        .await;
    match created {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
            Ok(false)
        }
        Err(error) => {
            Err(error.into_service_error()).with_context(|| format!("cannot create the secret {name}"))
        }
    }
}

async fn new_signer(target: &Target, kms: Option<&str>) -> Result<SignerRecord> {
    let (signing, root, now) =
        (DocumentSigners::new(&target.aws().await?), target.root().await?, Timestamp::now());
    Ok(match kms {
        Some(key) => signing.make_kms(&root, key, now).await?,
        None => signing.make_local(&root, now)?,
    })
}

async fn rotate(target: &TargetOptions, kms: Option<&str>, no_publish: bool) -> Result<()> {
    let target = Target::connect(target).await?;
    if !no_publish {
        target.check_can_publish()?;
    }
    let signer = new_signer(&target, kms).await?;
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    signers.activate(&signer).await?;
    print(&format!("Signer {} is active; every function uses it within a minute.\n", signer.kid));
    trust::publish_unless(no_publish, &target).await
}

async fn rotate_sealing(target: &TargetOptions, kms: Option<&str>) -> Result<()> {
    let target = Target::connect(target).await?;
    let mut secrets = target.secrets().await?;
    let (id, active_from) = secrets.rotate_sealing(Timestamp::now())?;
    if let Some(key) = kms {
        secrets.wrap(target.region(), key).await?;
    }
    target.write_secrets(&secrets).await?;
    print(&format!(
        "Created sealing key {id}, which is active from {}. Back up the secrets.\n",
        to_seconds(active_from)
    ));
    Ok(())
}

async fn withdraw(target: &TargetOptions, kid: &str, yes: bool, no_publish: bool) -> Result<()> {
    if !yes {
        bail!("everything that {kid} signed becomes invalid, for good: confirm with --yes");
    }
    let target = Target::connect(target).await?;
    if !no_publish {
        target.check_can_publish()?;
    }
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    match signers.withdraw(kid, Timestamp::now()).await? {
        Withdrawn::Now => {
            print(&format!("Signer {kid} is withdrawn: everything that it signed is invalid.\n"));
        }
        Withdrawn::Before => print(&format!("Signer {kid} was withdrawn before.\n")),
        Withdrawn::StillSigns => {
            bail!("{kid} is the active signer: create another with `bukti signing-key rotate` first")
        }
        Withdrawn::Unknown => bail!("{}", unknown_signer(kid)),
    }
    trust::publish_unless(no_publish, &target).await
}

/// A signer, as `list` prints it.
#[derive(Serialize)]
struct ListedSigner {
    /// The key id, in hexadecimal.
    kid: String,
    /// The location of the private key: `sealed` (in the table) or `kms`.
    form: &'static str,
    status: SignerStatus,
    from: Timestamp,
    /// The end of the period in which it can sign certificates of full validity.
    signs_until: Timestamp,
    ends: Timestamp,
}

impl ListedSigner {
    fn new(register: &Register, signer: &SignerRecord) -> Option<Self> {
        let certificate = TrustedSigner::from_certificate(signer.certificate()).ok()?;
        let ends = certificate.not_after?;
        Some(Self {
            kid: signer.kid.clone(),
            form: if signer.kms_key.is_some() { "kms" } else { "sealed" },
            status: register.status(signer),
            from: certificate.not_before?,
            signs_until: ends - CERTIFICATE_VALID_FOR,
            ends,
        })
    }
}

async fn list(target: &TargetOptions, json: bool) -> Result<()> {
    let target = Target::connect(target).await?;
    let register = register(&target).await?;
    let signers: Vec<ListedSigner> =
        register.signers.iter().filter_map(|signer| ListedSigner::new(&register, signer)).collect();
    if json {
        print(&(serde_json::to_string_pretty(&signers)? + "\n"));
    } else if !signers.is_empty() {
        print(&table(&signers));
    }
    match signers.iter().find(|signer| signer.status == SignerStatus::Active) {
        None if signers.is_empty() => {
            eprintln!("No signers. Create one with `bukti signing-key init`.");
        }
        None => eprintln!("No active signer. Create one with `bukti signing-key init`."),
        Some(active) if active.signs_until < Timestamp::now() + WARN_BEFORE => {
            eprintln!("The active signer ends soon. Replace it with `bukti signing-key rotate`.");
        }
        Some(_) => {}
    }
    Ok(())
}

fn table(signers: &[ListedSigner]) -> String {
    let mut text = format!(
        "{:<16}  {:<6}  {:<7}  {:<10}  {:<11}  {}\n",
        "kid", "form", "status", "from", "signs until", "ends"
    );
    for signer in signers {
        let [from, signs_until, ends] = [signer.from, signer.signs_until, signer.ends].map(to_day);
        let style = match signer.status {
            SignerStatus::Active => GOOD,
            SignerStatus::Revoked => BAD,
            SignerStatus::Retired => Style::new(),
        };
        // The status is padded before it is styled, because escape codes would count towards the
        // width.
        let status = paint(style, &format!("{:<7}", signer.status.code()));
        let (kid, form) = (&signer.kid, signer.form);
        text.push_str(&format!("{kid:<16}  {form:<6}  {status}  {from:<10}  {signs_until:<11}  {ends}\n"));
    }
    text
}

fn pem(certificate: &[u8]) -> String {
    let body = STANDARD.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn pem_to_der(pem: &str) -> Result<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).context("the root's certificate is damaged: restore the root from a copy")
}

fn write(output: Option<&Path>, content: &[u8]) -> Result<()> {
    match output {
        Some(path) => {
            std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
        }
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(content).and_then(|()| out.flush()).context("cannot write the certificate")
        }
    }
}
