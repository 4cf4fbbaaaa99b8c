//! `bukti officer`: who may log in to the helpdesk's console.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_domain::{PhoneNumber, Role};
use bukti_store::Officers;
use clap::builder::NonEmptyStringValueParser;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::target::{Target, Where};

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    /// Looks, answers, decides.
    Officer,
    /// Approves as well what another officer would change of who a certificate is for.
    Supervisor,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes the owner of a phone an officer, and shows the secret for their authenticator, once.
    Add {
        /// The phone that they log in with.
        phone: String,
        /// Their name, as people whose record they look at see it.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// What they may do.
        #[arg(long, value_enum, default_value = "officer")]
        role: RoleName,
    },
    /// Takes an officer away, from the next request on.
    Remove {
        /// The phone that they log in with.
        phone: String,
    },
    /// Lists the officers.
    List,
}

/// Does what is asked.
///
/// # Errors
///
/// Where it cannot be done, in a sentence that says why.
pub(crate) async fn run(place: &Where, command: &Command) -> Result<ExitCode> {
    let aws = Target::find(place).await?.aws().await?;
    let officers = Officers::new(&aws);
    match command {
        Command::Add { phone, name, role } => {
            let phone = read(phone)?;
            let role = match role {
                RoleName::Officer => Role::Officer,
                RoleName::Supervisor => Role::Supervisor,
            };
            let secret = officers.add(&phone, name, role, Timestamp::now()).await?;
            let issuer = encode(&aws.settings.service_name);
            let address = format!("otpauth://totp/{issuer}:{}?secret={secret}&issuer={issuer}", encode(name));
            let qr = QrCode::new(&address).context("the secret does not fit into a QR")?;
            println!("{}", qr.render::<Dense1x2>().build());
            println!("{address}");
            eprintln!("{name} scans this with an authenticator, now: it is not shown again.");
        }
        Command::Remove { phone } => {
            if !officers.remove(&read(phone)?).await? {
                bail!("the owner of this phone is no officer");
            }
            println!("removed");
        }
        Command::List => {
            for officer in officers.all().await? {
                println!("{:<10} {}  since {}", officer.role.code(), officer.name, officer.added_at);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(phone: &str) -> Result<PhoneNumber> {
    PhoneNumber::parse(phone).context("this is no mobile phone number")
}

/// A text as a part of an address.
fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
