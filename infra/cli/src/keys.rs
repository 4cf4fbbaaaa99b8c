//! `bukti keys`: secrets, root and document signers. Nothing here shows a private key.

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
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::target::{Found, Target, Where, account, aws_environment};
use crate::{say, trust};

/// How long before its end a signer's rotation is asked for.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(90 * 24);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes secrets, root and the first document signer, each where it is not there yet.
    Init {
        /// Who root and signers are issued to.
        #[arg(long, default_value = "Bukti")]
        organisation: String,
        /// Sign with this key of AWS KMS: its id or ARN.
        #[arg(long, value_name = "KEY_ID")]
        kms: Option<String>,
    },
    /// Lists the document signers.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Makes a new document signer, which signs from now on; what older ones signed stays good.
    Rotate {
        /// Sign with this key of AWS KMS: its id or ARN.
        #[arg(long, value_name = "KEY_ID")]
        kms: Option<String>,
        /// Leave the new signer out of the trust list until it is published.
        #[arg(long)]
        no_publish: bool,
    },
    /// Makes a new key for the sealed fields of the table. It seals once every function has read it; what older ones sealed
    /// opens as before.
    RotateSealing {
        /// Have all sealing keys wrapped by this key of AWS KMS: its id or ARN. The functions need its `kms:Decrypt`.
        #[arg(long, value_name = "KEY_ID")]
        kms: Option<String>,
    },
    /// Writes the certificate of the signer that signs, of another, or of the root.
    Export {
        /// The root's.
        #[arg(long, conflicts_with = "kid")]
        root: bool,
        /// That of this key id, hexadecimal.
        #[arg(long)]
        kid: Option<String>,
        /// As DER instead of PEM.
        #[arg(long)]
        der: bool,
        /// Where it is written, instead of the standard output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Withdraws a signer whose key is compromised: nothing that it signed counts any more.
    Withdraw {
        /// Its key id, hexadecimal.
        kid: String,
        /// Yes, everything that it signed shall count no more.
        #[arg(long)]
        yes: bool,
        /// Leave the signer on the trust list until it is published.
        #[arg(long)]
        no_publish: bool,
    },
}

/// Does what is asked.
///
/// # Errors
///
/// Where it cannot be done, in a sentence that says why.
pub(crate) async fn run(place: &Where, command: Command) -> Result<ExitCode> {
    match command {
        Command::Init { organisation, kms } => init(place, &organisation, kms.as_deref()).await?,
        Command::List { json } => list(place, json).await?,
        Command::Rotate { kms, no_publish } => rotate(place, kms.as_deref(), !no_publish).await?,
        Command::RotateSealing { kms } => rotate_sealing(place, kms.as_deref()).await?,
        Command::Export { root, kid, der, output } => {
            let target = Target::find(place).await?;
            let certificate = if root {
                pem_to_der(target.root().await?.certificate_pem())?
            } else {
                let register = register(&target).await?;
                let signer = match &kid {
                    Some(kid) => register.of_kid(kid).with_context(|| format!("there is no signer {kid}"))?,
                    None => register.active().context("no signer signs: `bukti keys init` makes one")?,
                };
                signer.certificate().to_vec()
            };
            write(output.as_deref(), &if der { certificate } else { pem(&certificate).into_bytes() })?;
        }
        Command::Withdraw { kid, yes, no_publish } => return withdraw(place, &kid, yes, !no_publish).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn register(target: &Target) -> Result<Register> {
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    signers.register().await.context("the register of signers cannot be read")
}

async fn init(place: &Where, organisation: &str, kms: Option<&str>) -> Result<()> {
    if let Found::Embedded(target) = Found::find(place).await? {
        eprintln!("With {}.", target.name);
        println!("It made secrets, root and first signer at its first start; they are left as they are.");
        return Ok(());
    }
    let config = aws_environment().await?;
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    eprintln!("With AWS in {region}, {}.", account(&config).await);
    let (secrets, root) = (place.secrets(), place.root());
    let about = "The keys of Bukti. Losing them loses every record.";
    if create_secret(&config, secrets, about, &Secrets::generate()?).await? {
        println!("The secret {secrets} was made. Back it up: without it every record is lost.");
    } else {
        println!("The secret {secrets} is there and was left as it is.");
    }
    let about = "The root of Bukti's signers. No function may read it.";
    if create_secret(&config, root, about, &Root::generate(organisation, Timestamp::now())?).await? {
        println!("The root was made, in the secret {root}. Let only those read it who rotate signers.");
    } else {
        println!("The root in the secret {root} is there and was left as it is.");
    }
    if !place.names_table() {
        println!("The first signer is kept in the table: deploy, then run this again with --table NAME.");
        return Ok(());
    }
    let target = Target::on_aws(place, &config).await?;
    if let Some(active) = register(&target).await?.active() {
        println!("Signer {} signs and was left as it is.", active.kid);
        return Ok(());
    }
    let signer = new_signer(&target, kms).await?;
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    if signers.activate_first(&signer).await? {
        println!("Signer {} was made and signs.", signer.kid);
    } else {
        println!("Somebody else made the first signer at the same moment; that one signs.");
    }
    Ok(())
}

/// Makes a secret; `false` where there is one of this name, which is never written over.
async fn create_secret(config: &SdkConfig, name: &str, about: &str, value: &impl Serialize) -> Result<bool> {
    let created = aws_sdk_secretsmanager::Client::new(config)
        .create_secret()
        .name(name)
        .description(about)
        .secret_string(serde_json::to_string(value)?)
        .send()
        .await;
    match created {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
            Ok(false)
        }
        Err(error) => {
            Err(error.into_service_error()).with_context(|| format!("the secret {name} was not made"))
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

async fn rotate(place: &Where, kms: Option<&str>, publish: bool) -> Result<()> {
    let target = Target::find(place).await?;
    if publish {
        target.check_can_publish()?;
    }
    let signer = new_signer(&target, kms).await?;
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    signers.activate(&signer).await?;
    println!("Signer {} signs from now on, everywhere within a minute.", signer.kid);
    trust::publish_unless(!publish, &target).await
}

async fn rotate_sealing(place: &Where, kms: Option<&str>) -> Result<()> {
    let target = Target::find(place).await?;
    let mut secrets = target.secrets().await?;
    let (id, begins) = secrets.rotate_sealing(Timestamp::now())?;
    if let Some(key) = kms {
        secrets.wrap(target.region(), key).await?;
    }
    target.keep_secrets(&secrets).await?;
    println!("Sealing key {id} was made and seals from {begins} on. Back the secrets up.");
    Ok(())
}

async fn withdraw(place: &Where, kid: &str, yes: bool, publish: bool) -> Result<ExitCode> {
    if !yes {
        bail!(
            "nothing that {kid} signed will count any more, and this cannot be taken back: say so with --yes"
        );
    }
    let target = Target::find(place).await?;
    if publish {
        target.check_can_publish()?;
    }
    let signers = Signers::of_table(target.dynamodb.clone(), target.table());
    match signers.withdraw(kid, Timestamp::now()).await? {
        Withdrawn::Now => println!("Signer {kid} is withdrawn: nothing that it signed counts any more."),
        Withdrawn::Before => println!("Signer {kid} was withdrawn before."),
        Withdrawn::StillSigns => {
            bail!("{kid} is the signer that signs: make another with `bukti keys rotate` first")
        }
        Withdrawn::Unknown => bail!("there is no signer {kid}"),
    }
    trust::publish_unless(!publish, &target).await?;
    Ok(ExitCode::SUCCESS)
}

/// A signer as it is listed.
#[derive(Serialize)]
struct Listed {
    /// Key id, hexadecimal.
    kid: String,
    /// Where its private key is: `sealed` in the table, or `kms`.
    form: &'static str,
    status: SignerStatus,
    from: Timestamp,
    /// Until when certificates that it signs have their full time.
    signs_until: Timestamp,
    ends: Timestamp,
}

impl Listed {
    fn of(register: &Register, signer: &SignerRecord) -> Option<Self> {
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

async fn list(place: &Where, json: bool) -> Result<()> {
    let target = Target::find(place).await?;
    let register = register(&target).await?;
    let signers: Vec<Listed> =
        register.signers.iter().filter_map(|signer| Listed::of(&register, signer)).collect();
    if json {
        say(&(serde_json::to_string_pretty(&signers)? + "\n"));
    } else {
        say(&table(&signers));
    }
    match signers.iter().find(|signer| signer.status == SignerStatus::Active) {
        None => eprintln!("No signer signs: `bukti keys init` makes one."),
        Some(active) if active.signs_until < Timestamp::now() + WARN_BEFORE => {
            eprintln!("The signer that signs should be replaced: `bukti keys rotate`.");
        }
        Some(_) => {}
    }
    Ok(())
}

fn table(signers: &[Listed]) -> String {
    let day = |time: Timestamp| time.to_string().chars().take(10).collect::<String>();
    let line = |[kid, form, status, from, signs_until, ends]: [&str; 6]| {
        format!("{kid:<16}  {form:<6}  {status:<7}  {from:<10}  {signs_until:<11}  {ends}\n")
    };
    let mut text = line(["kid", "form", "status", "from", "signs until", "ends"]);
    for signer in signers {
        let [from, signs_until, ends] = [signer.from, signer.signs_until, signer.ends].map(day);
        text.push_str(&line([&signer.kid, signer.form, signer.status.code(), &from, &signs_until, &ends]));
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
    STANDARD.decode(body).context("the root's certificate is damaged")
}

fn write(output: Option<&Path>, content: &[u8]) -> Result<()> {
    match output {
        Some(path) => {
            std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
        }
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(content).and_then(|()| out.flush()).context("the certificate cannot be written")
        }
    }
}
