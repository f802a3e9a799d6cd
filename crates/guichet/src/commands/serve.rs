//! `guichet serve`: runs the services of a configuration until it is told to stop.

use std::sync::Arc;

use guichet_store::Store;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};

use super::StopSignals;
use crate::cli::{Global, Serve};
use crate::config::{Config, Service};
use crate::output::{Failure, Message, Outcome, Output};
use crate::serve::{Instance, MOMENT, Sockets};

/// Runs it.
///
/// # Errors
/// The configuration is wrong, or something it needs cannot be had.
pub fn run(args: &Serve, global: &Global, output: &Output<'_>) -> Outcome {
    let config = Config::load(&super::config_file(global))?;
    if let Some(parent) = args.parent {
        die_with(parent)?;
    }
    super::log_to_stderr();
    let drain = config.stop_drain;
    if config.user.is_some() {
        return Err(Failure::wrong(Message::new("serve-user")));
    }
    let sockets = Sockets::bind(&config).map_err(Failure::failed)?;
    guichet_engine::privileges::drop_all()
        .map_err(|error| Failure::failed(Message::new("serve-privileges").with("why", &error)))?;
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let instance = Instance::start(config, sockets, Store::open)
            .await
            .map_err(Failure::failed)?;
        let signals = StopSignals::listen()?;
        announce(&instance, output);
        signals.or(instance.stop_asked()).await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]); // nobody may be there
        tracing::info!(
            "stopping; dialogues under way have {} s",
            drain.as_secs_f32()
        );
        // Store and trace are closed in any case.
        let mut stop = std::pin::pin!(instance.stop());
        let report = tokio::select! {
            report = &mut stop => report,
            () = second_signal() => {
                instance.cut();
                stop.await
            }
        };
        // Whoever asked over the control socket is being answered.
        tokio::time::sleep(MOMENT).await;
        let message = Message::new("serve-stopped")
            .with_shown("finished", report.finished)
            .with_shown("cut", report.cut);
        output.note(&message.said(output.texts));
        Ok(())
    })
}

/// Ends with the process that started it: the lab's organisations never outlive the lab.
fn die_with(parent: u32) -> Outcome {
    let _ = set_parent_process_death_signal(Some(Signal::TERM)); // Linux has it since 2.1.57
    let now = getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    // It may have died before the line above.
    match i32::try_from(parent).ok().and_then(Pid::from_raw) {
        Some(pid) if pid.as_raw_nonzero().get() == now => Ok(()),
        _ => Err(Failure::failed(Message::new("serve-orphan"))),
    }
}

/// Says that everything listens, to people and to the service manager.
fn announce(instance: &Arc<Instance>, output: &Output<'_>) {
    for (service, message) in instance.remarks() {
        let message = Message::new("serve-remark")
            .with("service", service.name().to_owned())
            .with("remark", message);
        output.note(&message.said(output.texts));
    }
    for listener in instance.server.listeners() {
        tracing::info!(
            "{} listens on {}",
            listener.settings.service,
            listener.local
        );
    }
    let listeners = instance.server.listeners();
    let watch = listeners
        .iter()
        .find(|listener| *listener.settings.service == *Service::Watch.name());
    if let Some(watch) = watch {
        let message = Message::new("serve-watch")
            .with_shown("address", watch.local)
            .with("file", instance.config.watch_token_file.as_path());
        output.note(&message.said(output.texts));
    }
    // No service manager, no socket: then there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// Whoever asks twice does not want to wait.
async fn second_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
