//! `bukti api-key`: manages the API keys with which facilities and data hubs send doses over HTTP.

use std::process::ExitCode;

use anyhow::{Result, bail};
use bukti_records::Sender;
use bukti_store::Senders;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Subcommand};
use jiff::{SignedDuration, Timestamp};

use crate::output::{examples, print, to_seconds};
use crate::target::{Target, TargetOptions};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create an API key and print it
    ///
    /// The key is printed once and cannot be shown again. Earlier keys of the sender stay valid.
    #[command(
        alias = "add",
        group(ArgGroup::new("sender").required(true)),
        after_help = examples(&["bukti api-key create --facility 3171010", "bukti api-key create --hub satudata"])
    )]
    Create {
        /// Facility, by its code in the national register: it may send and correct its own doses
        #[arg(long, value_name = "CODE", group = "sender", value_parser = NonEmptyStringValueParser::new())]
        facility: Option<String>,
        /// Data hub, by its name: it may send and correct the doses of all facilities
        #[arg(long, value_name = "NAME", group = "sender", value_parser = NonEmptyStringValueParser::new())]
        hub: Option<String>,
    },
    /// End an API key, now or after a period in which its sender changes to another key
    #[command(after_help = examples(&["bukti api-key revoke ID", "bukti api-key revoke ID --in 7d"]))]
    Revoke {
        /// Id of the key: the part between its two underscores
        id: String,
        /// End the key after this time, such as 7d or 12h
        #[arg(long = "in", value_name = "TIME", value_parser = parse_duration)]
        after: Option<SignedDuration>,
    },
    /// List the API keys: sender, creation, last use and end
    #[command(after_help = examples(&["bukti api-key list"]))]
    List,
}

/// Parses a non-negative duration such as `7d`, in which a day has 24 hours.
pub(crate) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let span: jiff::Span = text.parse().map_err(|_| "write a duration such as 7d or 12h".to_owned())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let duration = span.to_duration(days).map_err(|_| TOO_LONG.to_owned())?;
    if duration.is_negative() { Err("a duration cannot be negative".to_owned()) } else { Ok(duration) }
}

const TOO_LONG: &str = "the duration is too long";

pub(crate) async fn run(target: &TargetOptions, command: &Command) -> Result<ExitCode> {
    let senders = Senders::new(&Target::connect(target).await?.aws().await?);
    let now = Timestamp::now();
    match command {
        Command::Create { facility, hub } => {
            let sender = match (facility, hub) {
                (Some(code), _) => Sender::Facility(code.trim().to_owned()),
                (None, name) => Sender::Hub(name.as_deref().unwrap_or_default().trim().to_owned()),
            };
            print(&format!("{}\n", senders.add(sender.clone(), now).await?));
            eprintln!(
                "The {} {} sends this key as `Authorization: Bearer …`. It is not shown again.",
                sender.kind(),
                sender.name()
            );
        }
        Command::Revoke { id, after } => {
            let Ok(at) = now.checked_add(after.unwrap_or_default()) else { bail!("{TOO_LONG}") };
            if !senders.end(id, at).await? {
                bail!("there is no key {id}: look its id up with `bukti api-key list`");
            }
            print(&match after {
                Some(_) => format!("ends at {}\n", to_seconds(at)),
                None => "ended\n".to_owned(),
            });
        }
        Command::List => {
            let keys = senders.all().await?;
            if keys.is_empty() {
                eprintln!("No API keys. Create one with `bukti api-key create`.");
            }
            for key in keys {
                let used =
                    key.used_at.map_or("never used".to_owned(), |at| format!("last used {}", to_seconds(at)));
                let ends = match key.ends_at {
                    Some(_) if key.has_ended(now) => "  ended".to_owned(),
                    Some(at) => format!("  ends {}", to_seconds(at)),
                    None => String::new(),
                };
                let sender = format!("{:<8} {}", key.sender.kind(), key.sender.name());
                let added = to_seconds(key.added_at);
                print(&format!("{}  {sender}  since {added}  {used}{ends}\n", key.id));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
