//! `guichet status`, `stop`, `reload`: the running server or lab as a whole.

use guichet_trace::visible;

use super::asking::Asking;
use crate::cli::Global;
use crate::control::Request;
use crate::control::requests::{OrganisationStatus, Reloaded, ServiceStatus, Status};
use crate::output::{Failure, Outcome, Output};

/// Says what runs.
pub(super) async fn status(global: &Global, output: &Output<'_>) -> Outcome {
    for control in Asking::new(global, output)?.whole() {
        let status: Status = control
            .ask(&Request::Status)
            .await
            .map_err(Failure::Failed)?;
        match output.json {
            true => output.json(&status)?,
            false => show(&status, output)?,
        }
    }
    Ok(())
}

/// Stops it and waits until it has ended its dialogues.
pub(super) async fn stop(global: &Global, output: &Output<'_>) -> Outcome {
    for control in Asking::new(global, output)?.whole() {
        let stopped = control.stop().await.map_err(Failure::Failed)?;
        match output.json {
            true => output.json(&stopped)?,
            false => output.line(&output.say(
                "control-stopped",
                &[
                    ("finished", &stopped.finished.to_string()),
                    ("cut", &stopped.cut.to_string()),
                ],
            ))?,
        }
    }
    Ok(())
}

/// Has it read its files again.
pub(super) async fn reload(global: &Global, output: &Output<'_>) -> Outcome {
    let answers = Asking::new(global, output)?
        .every::<Reloaded>(&Request::Reload)
        .await?;
    for from in answers {
        if output.json {
            output.json(&from.answer)?;
            continue;
        }
        let changed = visible(&from.answer.changed.join(", "));
        let server = visible(&from.server);
        let keys = visible(&from.answer.needs_restart.join(", "));
        let words = [("server", &*server), ("changed", &changed), ("keys", &keys)];
        if !changed.is_empty() {
            output.line(&output.say("control-reloaded", &words))?;
        }
        if !keys.is_empty() {
            output.line(&output.say("control-needs-restart", &words))?;
        }
        if changed.is_empty() && keys.is_empty() {
            output.line(&output.say("control-reloaded-same", &words))?;
        }
    }
    Ok(())
}

fn show(status: &Status, output: &Output<'_>) -> Outcome {
    // The lab itself serves no domain; its organisations do.
    let key = match status.domains.is_empty() {
        true => "control-status-lab",
        false => "control-status",
    };
    output.line(&output.say(
        key,
        &[
            ("domains", &visible(&status.domains.join(", "))),
            ("version", &visible(&status.version)),
            ("pid", &status.pid.to_string()),
            ("since", &visible(&status.since)),
        ],
    ))?;
    let mut services = status.services.iter();
    services.try_for_each(|service| show_service(service, "  ", output))?;
    let mut organisations = status.organisations.iter();
    organisations.try_for_each(|organisation| show_organisation(organisation, output))?;
    output.line(&output.say(
        "control-status-queue",
        &[("count", &status.queued.to_string())],
    ))?;
    status
        .warnings
        .iter()
        .try_for_each(|warning| output.line(&warning.said(output.texts)))
}

/// One organisation of a lab: its process, its services, its warnings.
fn show_organisation(organisation: &OrganisationStatus, output: &Output<'_>) -> Outcome {
    let domain = visible(&organisation.domain);
    let line = match organisation.pid {
        Some(pid) => output.say(
            "control-status-organisation",
            &[("domain", &domain), ("pid", &pid.to_string())],
        ),
        None => output.say("control-status-dead", &[("domain", &domain)]),
    };
    output.line(&format!("  {line}"))?;
    let Some(status) = &organisation.status else {
        return Ok(());
    };
    let mut services = status.services.iter();
    services.try_for_each(|service| show_service(service, "    ", output))?;
    status
        .warnings
        .iter()
        .try_for_each(|warning| output.line(&format!("    {}", warning.said(output.texts))))
}

fn show_service(service: &ServiceStatus, indent: &str, output: &Output<'_>) -> Outcome {
    let name = visible(&service.service);
    let addresses = visible(&service.addresses.join(", "));
    let state = match service.addresses.is_empty() {
        true => output.say("control-service-off", &[]),
        false => output.say(
            "control-service-on",
            &[
                ("addresses", &addresses),
                ("connections", &service.connections.to_string()),
                ("away", &service.turned_away.to_string()),
            ],
        ),
    };
    output.line(&format!("{indent}{name:12} {state}"))?;
    match &service.remark {
        Some(remark) => output.line(&format!("{indent}{:12} {}", "", remark.said(output.texts))),
        None => Ok(()),
    }
}
