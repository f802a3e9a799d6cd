//! `guichet lab`: two organisations on this computer.

use std::path::PathBuf;

use super::StopSignals;
use crate::cli::{Global, Lab as Args, LabCommand};
use crate::control::find::lab_dir;
use crate::control::requests::{Done, Request};
use crate::control::{Client, LabContract};
use crate::lab::once::{self, Played};
use crate::lab::{Lab, Options, variables};
use crate::output::{Failure, Look, Message, Outcome, Output};
use crate::serve::MOMENT;

/// Runs it.
///
/// # Errors
/// The lab cannot start, a step of `--once` failed, or the command behind `--` did.
pub fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    let dir = folder(global);
    match args.command {
        None => {}
        Some(command) => return manage(&command, dir, output),
    }
    super::log_to_stderr();
    let options = Options {
        dir,
        base_port: args.base_port,
    };
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let lab = Lab::start(options).await.map_err(Failure::failed)?;
        if let Some((address, base)) = lab.moved {
            let message = Message::new("lab-moved")
                .with_shown("address", address)
                .with_shown("base", base);
            output.note(&message.said(output.texts));
        }
        let done = live(&lab, &args, output).await;
        lab.stop().await;
        // Whoever asked over the control socket is being answered.
        tokio::time::sleep(MOMENT).await;
        done
    })
}

async fn live(lab: &Lab, args: &Args, output: &Output<'_>) -> Outcome {
    for fault in &args.fault {
        lab.fault(fault).await.map_err(Failure::wrong)?;
    }
    if args.once {
        return play_once(lab, output).await;
    }
    if !args.run.is_empty() {
        return run_command(lab, &args.run).await;
    }
    let signals = StopSignals::listen()?;
    if output.json {
        output.json(&lab.contract)?;
    } else {
        output.bytes(opening(&lab.contract, output).as_bytes())?;
    }
    signals.or(lab.stop_asked()).await;
    Ok(())
}

async fn play_once(lab: &Lab, output: &Output<'_>) -> Outcome {
    let played = once::play(lab, output.texts, Look::here()).await;
    show(&played, output)?;
    match played.failure {
        None => Ok(()),
        Some(failure) => Err(Failure::failed(failure)),
    }
}

fn show(played: &Played, output: &Output<'_>) -> Outcome {
    for (number, told) in played.told.iter().enumerate() {
        if output.json {
            let steps: Vec<&str> = told.steps.iter().map(|step| step.line.as_str()).collect();
            output.json(&serde_json::json!({ "title": told.title, "steps": steps }))?;
            continue;
        }
        let gap = if number > 0 { "\n" } else { "" };
        let mut text = format!("{gap}{}\n\n", told.title);
        for step in &told.steps {
            text.push_str(&step.line);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&told.diagram);
        for sentence in &told.story {
            text.push_str(sentence);
            text.push('\n');
        }
        output.bytes(text.as_bytes())?;
    }
    Ok(())
}

async fn run_command(lab: &Lab, words: &[String]) -> Outcome {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Failure::wrong(Message::new("lab-command-missing")))?;
    let status = tokio::process::Command::new(program)
        .args(arguments)
        .envs(variables(&lab.contract))
        .status()
        .await
        .map_err(|error| {
            let message = Message::new("lab-command").with("program", program.clone());
            Failure::failed(message.with("why", &error))
        })?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Code(u8::try_from(code).unwrap_or(1))),
        None => Err(Failure::Code(1)),
    }
}

fn manage(command: &LabCommand, dir: PathBuf, output: &Output<'_>) -> Outcome {
    match command {
        LabCommand::Reset => return reset(dir, output),
        LabCommand::Status if LabContract::read(&dir).is_some() => {
            let global = Global {
                dir: Some(dir),
                ..Global::default()
            };
            return super::wait(super::server::status(&global, output));
        }
        _ => {}
    }
    let contract = LabContract::read(&dir)
        .ok_or_else(|| Failure::failed(Message::new("lab-none").with("dir", dir.as_path())))?;
    let control = Client::new(&contract.control);
    super::runtime()?.block_on(async {
        match command {
            LabCommand::Stop => {
                control.stop().await.map_err(Failure::failed)?;
            }
            LabCommand::Start { organisation } => {
                let request = Request::OrganisationStart {
                    name: organisation.clone(),
                };
                let _: Done = control.ask(&request).await.map_err(Failure::failed)?;
            }
            LabCommand::Help if output.json => output.json(&contract)?,
            LabCommand::Help => output.bytes(everything(&contract, output).as_bytes())?,
            LabCommand::Reset | LabCommand::Status => {}
        }
        Ok(())
    })
}

/// Forgets everything of a lab that does not run.
fn reset(dir: PathBuf, output: &Output<'_>) -> Outcome {
    if LabContract::read(&dir)
        .is_some_and(|contract| std::os::unix::net::UnixStream::connect(contract.control).is_ok())
    {
        return Err(Failure::failed(
            Message::new("lab-running").with("dir", dir.as_path()),
        ));
    }
    // Only what a lab makes: the folder may be one the user named.
    if !dir.join("lab.lock").exists() {
        return Err(Failure::failed(
            Message::new("lab-none").with("dir", dir.as_path()),
        ));
    }
    let failed = |path: &std::path::Path, error: &std::io::Error| {
        Failure::failed(
            Message::new("lab-files")
                .with("path", path)
                .with("why", error),
        )
    };
    for name in ["nord", "sud", "trace"] {
        let path = dir.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&path, &error));
            }
            _ => {}
        }
    }
    for name in [
        "ca.pem",
        "ca-key.pem",
        "watch.token",
        "lab.json",
        "control.sock",
        "lab.lock",
    ] {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&path, &error));
            }
            _ => {}
        }
    }
    output.note(
        &Message::new("lab-reset")
            .with("dir", dir.as_path())
            .said(output.texts),
    );
    Ok(())
}

fn folder(global: &Global) -> PathBuf {
    let environment = |name: &str| std::env::var_os(name);
    let named = global
        .dir
        .clone()
        .or_else(|| environment("GUICHET_DIR").map(PathBuf::from));
    named.unwrap_or_else(|| lab_dir(&environment))
}

/// The short text: what runs, what to type next, where to watch. At most 12 lines.
fn opening(contract: &LabContract, output: &Output<'_>) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "guichet".to_owned());
    let row = |index: usize| {
        contract.organisations.get(index).map(|organisation| {
            let address = organisation.services.get("smtp").map_or("", String::as_str);
            let address = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
            let people: Vec<&str> = organisation
                .accounts
                .iter()
                .filter_map(|account| account.login.split('@').next())
                .collect();
            format!("{} {address} {}", organisation.domain, people.join(", "))
        })
    };
    let organisations = [row(0), row(1)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("     ");
    let smtp = |index: usize| -> (String, String) {
        let organisation = contract.organisations.get(index);
        let address = organisation.and_then(|it| it.services.get("smtp"));
        let address = address.map_or("127.0.0.3:20025", String::as_str);
        let (ip, port) = address.rsplit_once(':').unwrap_or((address, "25"));
        (ip.to_owned(), port.to_owned())
    };
    let (ip, port) = smtp(1);
    let base = port
        .parse::<u16>()
        .map_or(0, |port| port.saturating_sub(25));
    let numbers = [("echo", 7), ("mail", 25), ("web", 80), ("POP3", 110)];
    let ports = numbers
        .map(|(name, usual)| format!("{} {name}", base + usual))
        .join(", ");
    output.texts.say(
        "lab-opening",
        &[
            ("organisations", &organisations),
            ("resolver", &contract.resolver),
            ("base", &base.to_string()),
            ("ports", &ports),
            ("watch", &contract.watch),
            ("program", &program),
            ("ip", &ip),
            ("port", &port),
        ],
    ) + "\n"
}

/// All addresses and more.
fn everything(contract: &LabContract, output: &Output<'_>) -> String {
    let mut text = opening(contract, output);
    text.push('\n');
    for organisation in &contract.organisations {
        text.push_str(&format!("{}\n", organisation.domain));
        for (service, address) in &organisation.services {
            text.push_str(&format!("  {service:<12} {address}\n"));
        }
    }
    let rows = [
        ("root", contract.root.clone()),
        ("test", contract.tld.clone()),
        ("resolver", contract.resolver.clone()),
        ("ca", contract.ca.display().to_string()),
        ("dir", contract.dir.display().to_string()),
    ];
    for (name, value) in rows {
        text.push_str(&format!("{name:<14} {value}\n"));
    }
    text
}
