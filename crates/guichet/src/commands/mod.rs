//! What the commands do: one file each.

mod account;
mod alias;
mod asking;
mod check;
mod completions;
mod connect;
mod domain;
mod echo;
mod errand;
mod explain;
mod fault;
mod fetch;
mod get;
mod init;
mod lab;
pub mod password;
mod queue;
pub mod reach;
mod resolve;
mod send;
mod serve;
mod server;
mod trace;
mod zone;

use std::future::Future;
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Cli, Command, Global};
use crate::config::FILE_NAME;
use crate::output::{Failure, Message, Outcome, Output};

/// Does what a parsed command line asks for.
///
/// # Errors
/// Whatever ends the command with another code than 0.
pub fn run(cli: Cli, output: &Output<'_>) -> Outcome {
    let global = &cli.global;
    match cli.command {
        Command::Lab(args) => lab::run(args, global, output),
        Command::Serve(args) => serve::run(&args, global, output),
        Command::Init(args) => init::run(&args, global, output),
        Command::Fault(args) => wait(fault::run(&args, global, output)),
        Command::Status => wait(server::status(global, output)),
        Command::Stop => wait(server::stop(global, output)),
        Command::Reload => wait(server::reload(global, output)),
        Command::Account(args) => wait(account::run(args, global, output)),
        Command::Alias(args) => wait(alias::run(args, global, output)),
        Command::Domain(args) => wait(domain::run(args, global, output)),
        Command::Zone(args) => zone::run(args, global, output),
        Command::Queue(args) => wait(queue::run(args, global, output)),
        Command::Trace(args) => wait(trace::run(args, global, output)),
        Command::Resolve(args) => wait(resolve::run(&args, global, output)),
        Command::Get(args) => wait(get::run(&args, global, output)),
        Command::Send(args) => wait(send::run(&args, global, output)),
        Command::Fetch(args) => wait(fetch::run(&args, global, output)),
        Command::Connect(args) => wait(connect::run(&args, global, output)),
        Command::Echo(args) => wait(echo::run(args, global, output)),
        Command::Explain(args) => explain::run(args, output),
        Command::Check => check::run(global, output),
        Command::Completions(args) => completions::run(args, output),
    }
}

/// Runs a command that waits for others, on this thread.
fn wait(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::failed(Message::new("error-runtime").with("why", &error)))?;
    runtime.block_on(command)
}

/// A runtime for servers: a thread a core.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(Message::new("error-runtime").with("why", &error)))
}

/// The signals that end a server.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Takes them from here on: before anybody is told that everything runs, for whoever was told
    /// may stop it at once.
    fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::failed(Message::io(&error));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Waits for one of them, or for `asked`.
    async fn or(mut self, asked: impl Future<Output = ()>) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = asked => {}
        }
    }
}

/// What operators read, on standard error; `GUICHET_LOG=debug` says more.
fn log_to_stderr() {
    let level = match std::env::var("GUICHET_LOG").as_deref() {
        Ok("debug") => tracing::Level::DEBUG,
        Ok("warn") => tracing::Level::WARN,
        _ => tracing::Level::INFO,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(false);
    let _ = subscriber.try_init(); // once a process
}

/// The configuration a command works with: `--config`, else `guichet.toml` in `--dir`, in
/// `GUICHET_DIR` or in the current folder.
pub fn config_file(global: &Global) -> PathBuf {
    let folder = || {
        let named = global.dir.clone();
        named
            .or_else(|| std::env::var_os("GUICHET_DIR").map(PathBuf::from))
            .unwrap_or_default()
    };
    global
        .config
        .clone()
        .unwrap_or_else(|| folder().join(FILE_NAME))
}
