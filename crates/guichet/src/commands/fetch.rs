//! `guichet fetch`: collects mail and prints it.

use std::io::IsTerminal;

use guichet_trace::visible;
use serde_json::json;

use super::errand::{Errand, Means, failure};
use super::get::on_terminal;
use super::send::credentials;
use crate::cli::{Fetch as Args, Global};
use crate::clients::collect::{From, Mail, attempt};
use crate::clients::mail_server::{MAILDROP, find};
use crate::output::{Failure, Outcome, Output};

/// Collects it.
pub(super) async fn run(args: &Args, global: &Global, output: &Output<'_>) -> Outcome {
    let means = Means {
        resolver: None,
        authority: args.mail.ca.clone(),
    };
    let errand = Errand::begin("guichet fetch", means, global, output).await?;
    let mail = collect(args, &errand, output).await;
    errand.end().await;
    show(&args.login, &mail?, output)
}

async fn collect(args: &Args, errand: &Errand<'_>, output: &Output<'_>) -> Result<Mail, Failure> {
    let world = &errand.world;
    let file = args.mail.password_file.as_deref();
    let login = credentials(world, &args.login, file, output)?;
    let domain = args.login.rsplit('@').next().unwrap_or_default();
    let server = find(world, MAILDROP, domain, args.mail.server.as_deref())
        .await
        .map_err(failure)?;
    let from = From {
        server,
        login,
        delete: args.delete,
    };
    let mut attempts = 0;
    loop {
        match attempt(world, &from).await {
            Ok(mail) => return Ok(mail),
            Err(trouble) if trouble.again && attempts < args.mail.retries => {
                attempts += 1;
                errand.wait_to_try_again(attempts).await;
            }
            Err(trouble) => return Err(failure(trouble.message)),
        }
    }
}

fn show(login: &str, mail: &Mail, output: &Output<'_>) -> Outcome {
    if output.json {
        let messages = mail.messages.iter().enumerate().map(|(index, message)| {
            json!({
                "n": index + 1, "bytes": message.len(),
                "text": String::from_utf8_lossy(message),
            })
        });
        let messages: Vec<_> = messages.collect();
        return output.json(&json!({ "login": login, "messages": messages }));
    }
    if mail.messages.is_empty() {
        return output.line(&output.say("clients-no-mail", &[("login", &visible(login))]));
    }
    let count = mail.messages.len().to_string();
    for (index, message) in mail.messages.iter().enumerate() {
        let (n, bytes) = ((index + 1).to_string(), message.len().to_string());
        output.note(&output.say(
            "clients-message",
            &[("n", &n), ("count", &count), ("bytes", &bytes)],
        ));
        match std::io::stdout().is_terminal() {
            true => on_terminal(message, output)?,
            false => output.bytes(&with_unix_lines(message))?,
        }
    }
    Ok(())
}

/// Lines as files here have them; the last one is ended, too, so that the next message begins on
/// a line of its own.
fn with_unix_lines(message: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        lines.extend_from_slice(line.strip_suffix(b"\r\n").unwrap_or(line));
        if line.ends_with(b"\r\n") || !line.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_here_and_the_last_one_ends() {
        assert_eq!(with_unix_lines(b"a\r\nb\nc\rd"), b"a\nb\nc\rd\n");
        assert_eq!(with_unix_lines(b"a\r\n"), b"a\n");
    }
}
