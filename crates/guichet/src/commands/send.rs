//! `guichet send`: hands a letter to the sender's server.

use std::io::{IsTerminal, Read};
use std::path::Path;

use guichet_proto::common::sasl::Credentials;
use guichet_proto::smtp::Fate;
use guichet_trace::visible;
use serde_json::json;

use super::errand::{Errand, Means, failure};
use super::password;
use crate::cli::{Global, Send as Args};
use crate::clients::World;
use crate::clients::compose::Draft;
use crate::clients::mail_server::{SUBMISSION, find};
use crate::clients::submit::{Through, hand_in};
use crate::config::Service;
use crate::output::{Failure, Message, Outcome, Output};

/// A letter is held in memory while it is handed in.
const TEXT_MOST_BYTES: u64 = 50 << 20;

/// Writes the letter and hands it in.
pub(super) async fn run(args: &Args, global: &Global, output: &Output<'_>) -> Outcome {
    let means = Means {
        resolver: None,
        authority: args.mail.ca.clone(),
    };
    let errand = Errand::begin("guichet send", means, global, output).await?;
    let draft = draft(args, &errand.world, output)?;
    let (message, message_id) = draft.compose().map_err(Failure::failed)?;
    let handed = deliver(args, &errand, &draft, message, output).await;
    errand.end().await;
    report(&draft, &message_id, &handed?, output)
}

fn draft(args: &Args, world: &World, output: &Output<'_>) -> Result<Draft, Failure> {
    for address in args.to.iter().chain(&args.from) {
        check_address(address)?;
    }
    let own = || {
        let first = world.lab.as_ref()?.organisations.first()?;
        Some(first.accounts.first()?.login.clone())
    };
    let from = args.from.clone().or_else(own);
    Ok(Draft {
        from: from.ok_or_else(|| Failure::wrong(Message::new("clients-from-missing")))?,
        to: args.to.clone(),
        subject: args.subject.clone().unwrap_or_default(),
        text: match &args.text {
            Some(text) => text.clone(),
            None => read_text(args.file.as_deref(), output)?,
        },
    })
}

fn check_address(address: &str) -> Result<(), Failure> {
    let whole = address
        .rsplit_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if whole && !address.chars().any(|it| it.is_control() || it == ' ') {
        return Ok(());
    }
    let message = Message::new("clients-not-an-address").with("address", address);
    Err(Failure::wrong(message))
}

/// The letter's text: of a file, or of standard input.
fn read_text(file: Option<&Path>, output: &Output<'_>) -> Result<String, Failure> {
    let named = file.filter(|file| file.as_os_str() != "-");
    let unreadable = |error: &std::io::Error| match named {
        Some(file) => Message::new("error-read")
            .with("file", file)
            .with("why", error),
        None => Message::new("error-stdin").with("why", error),
    };
    let mut text = String::new();
    let read = match named {
        Some(file) => std::fs::File::open(file)
            .and_then(|file| file.take(TEXT_MOST_BYTES).read_to_string(&mut text)),
        None => {
            if std::io::stdin().is_terminal() {
                output.note(&output.say("clients-type-text", &[]));
            }
            let input = std::io::stdin().lock();
            input.take(TEXT_MOST_BYTES).read_to_string(&mut text)
        }
    };
    read.map_err(|error| Failure::wrong(unreadable(&error)))?;
    Ok(text)
}

async fn deliver(
    args: &Args,
    errand: &Errand<'_>,
    draft: &Draft,
    message: Vec<u8>,
    output: &Output<'_>,
) -> Result<Vec<Fate>, Failure> {
    let world = &errand.world;
    let domain = draft.from.rsplit('@').next().unwrap_or_default();
    let server = find(world, SUBMISSION, domain, args.mail.server.as_deref())
        .await
        .map_err(failure)?;
    // Servers take each other's mail without a log-in, and offer none there.
    let relays = world.usual_port(server.address) == Service::Smtp.port();
    let login = match relays {
        true => None,
        false => {
            let file = args.mail.password_file.as_deref();
            Some(credentials(world, &draft.from, file, output)?)
        }
    };
    let through = Through { server, login };
    let mut attempt = 0;
    loop {
        match hand_in(world, &through, draft, message.clone()).await {
            Ok((_, fates)) => return Ok(fates),
            Err(trouble) if trouble.again && attempt < args.mail.retries => {
                attempt += 1;
                errand.wait_to_try_again(attempt).await;
            }
            Err(trouble) => return Err(failure(trouble.message)),
        }
    }
}

/// Log-in and password: of the lab for its own people, else as the person gives it.
pub(super) fn credentials(
    world: &World,
    login: &str,
    file: Option<&Path>,
    output: &Output<'_>,
) -> Result<Credentials, Failure> {
    let organisation = world.organisation(login).filter(|_| file.is_none());
    let known = organisation.and_then(|organisation| {
        let mut accounts = organisation.accounts.iter();
        accounts.find(|account| account.login.eq_ignore_ascii_case(login))
    });
    let password = match known {
        Some(account) => account.password.clone(),
        None => password::of(output, login, file)?,
    };
    Ok(Credentials {
        login: login.to_owned(),
        password,
    })
}

fn report(draft: &Draft, message_id: &str, fates: &[Fate], output: &Output<'_>) -> Outcome {
    let queue_id = fates.iter().find_map(queue_id);
    let told: Vec<_> = draft.to.iter().zip(fates).collect();
    if output.json {
        let recipients: Vec<_> = told.iter().map(|(to, fate)| described(to, fate)).collect();
        output.json(&json!({
            "message_id": message_id, "queue_id": queue_id, "recipients": recipients,
        }))?;
    } else if let Some(queue_id) = queue_id {
        output.line(&output.say(
            "clients-sent",
            &[("message_id", message_id), ("queue_id", &visible(queue_id))],
        ))?;
    } else if fates.iter().any(is_taken) {
        output.line(&output.say("clients-sent-simply", &[("message_id", message_id)]))?;
    }
    let refused = told.iter().filter(|(_, fate)| !is_taken(fate));
    let refused = refused.map(|(to, fate)| match fate {
        Fate::Delivered { words } | Fate::Deferred { words, .. } | Fate::Refused { words, .. } => {
            Message::new("clients-recipient-refused")
                .with("recipient", to.as_str())
                .with("why", words.as_str())
        }
    });
    let refused: Vec<Message> = refused.collect();
    refused.iter().for_each(|message| output.warn(message));
    match refused.is_empty() && !fates.is_empty() {
        true => Ok(()),
        false => Err(Failure::Told),
    }
}

fn is_taken(fate: &Fate) -> bool {
    matches!(fate, Fate::Delivered { .. })
}

/// The name by which the server's queue knows the letter, as many servers say it: `queued as ID`.
fn queue_id(fate: &Fate) -> Option<&str> {
    let Fate::Delivered { words } = fate else {
        return None;
    };
    let (_, behind) = words.split_once("queued as ")?;
    behind.split_whitespace().next()
}

fn described(to: &str, fate: &Fate) -> serde_json::Value {
    let (state, code, words) = match fate {
        Fate::Delivered { words } => ("accepted", 250, words),
        Fate::Deferred { code, words } => ("deferred", *code, words),
        Fate::Refused { code, words } => ("refused", *code, words),
    };
    json!({ "address": to, "state": state, "code": code, "words": words })
}
