//! The commands and their arguments.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Two organisations on this computer.
    Lab(Lab),
    /// Runs the services of a configuration.
    Serve(Serve),
    /// The files a new domain begins with.
    Init(Init),
    /// Something goes wrong on purpose in the lab that runs.
    Fault(Fault),
    /// What runs.
    Status,
    /// Stops the running server or lab.
    Stop,
    /// Has the running server read its files again.
    Reload,
    /// People.
    #[command(subcommand)]
    Account(Account),
    /// Addresses that lead to others.
    #[command(subcommand)]
    Alias(Alias),
    /// Domains.
    #[command(subcommand)]
    Domain(Domain),
    /// Zones.
    #[command(subcommand)]
    Zone(Zone),
    /// Mail that waits.
    #[command(subcommand)]
    Queue(Queue),
    /// What happened.
    #[command(subcommand)]
    Trace(Trace),
    /// What the name service says.
    Resolve(Resolve),
    /// Loads a page.
    Get(Get),
    /// Sends a letter.
    Send(Send),
    /// Collects mail.
    Fetch(Fetch),
    /// Keyboard and socket at once.
    Connect(Connect),
    /// Sends, compares, times.
    Echo(Echo),
    /// Meaning, type, default and reason of a configuration key.
    Explain(Explain),
    /// Checks the configuration.
    Check,
    /// A script that completes command lines.
    Completions(Completions),
}

/// Arguments of `lab`.
#[derive(Debug, Args)]
pub struct Lab {
    /// Play the course's two journeys and end.
    #[arg(long)]
    pub once: bool,
    /// The port base.
    #[arg(long, value_name = "N")]
    pub base_port: Option<u16>,
    /// Something goes wrong on purpose.
    #[arg(long, value_name = "SPEC")]
    pub fault: Vec<String>,
    /// For a lab that runs, or has run.
    #[command(subcommand)]
    pub command: Option<LabCommand>,
    /// A command to run inside the lab.
    #[arg(last = true, value_name = "COMMAND")]
    pub run: Vec<String>,
}

/// What can be done with a lab.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Stop it.
    Stop,
    /// Start an organisation that has died.
    Start {
        /// Its domain, or the first label of it.
        organisation: String,
    },
    /// Forget everything in it.
    Reset,
    /// What runs.
    Status,
    /// All addresses.
    Help,
}

/// Arguments of `fault`.
#[derive(Debug, Args)]
pub struct Fault {
    /// What goes wrong, as `lab --fault` takes it.
    #[arg(value_name = "SPEC")]
    pub spec: String,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// End with this process.
    #[arg(long, value_name = "PID", hide = true)]
    pub parent: Option<u32>,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The domain.
    pub domain: String,
    /// The addresses others reach this computer by.
    #[arg(long, value_name = "ADDR")]
    pub address: Vec<IpAddr>,
    /// The first account.
    #[arg(long, value_name = "LOGIN")]
    pub account: Option<String>,
}

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// A new one.
    Add(Login),
    /// Every one.
    List,
    /// One.
    Show(Login),
    /// Another password.
    Passwd(Login),
    /// Refuse its log-ins.
    Suspend(Login),
    /// Allow its log-ins again.
    Resume(Login),
    /// Remove it with its mail.
    Remove(Login),
}

/// An account by name.
#[derive(Debug, Args)]
pub struct Login {
    /// The full address.
    pub login: String,
}

/// What can be done with aliases.
#[derive(Debug, Subcommand)]
pub enum Alias {
    /// A new one, or another target.
    Add(AliasAdd),
    /// Every one.
    List,
    /// Remove one.
    Remove(AliasRemove),
}

/// Arguments of `alias add`.
#[derive(Debug, Args)]
pub struct AliasAdd {
    /// The address.
    pub address: String,
    /// Where it leads.
    #[arg(required = true)]
    pub targets: Vec<String>,
}

/// Arguments of `alias remove`.
#[derive(Debug, Args)]
pub struct AliasRemove {
    /// The address.
    pub address: String,
}

/// What can be done with domains.
#[derive(Debug, Subcommand)]
pub enum Domain {
    /// Every one.
    List,
    /// One.
    Show(DomainShow),
}

/// Arguments of `domain show`.
#[derive(Debug, Args)]
pub struct DomainShow {
    /// Its name.
    pub domain: String,
}

/// What can be done with zones.
#[derive(Debug, Subcommand)]
pub enum Zone {
    /// What is wrong with them.
    Check(ZoneCheck),
    /// The file.
    Show(ZoneName),
    /// The records.
    Records(ZoneName),
}

/// Arguments of `zone check`.
#[derive(Debug, Args)]
pub struct ZoneCheck {
    /// A domain, or a file; every zone without it.
    pub zone: Option<String>,
}

/// A zone by name.
#[derive(Debug, Args)]
pub struct ZoneName {
    /// The domain, or a file.
    pub zone: String,
}

/// What can be done with mail that waits.
#[derive(Debug, Subcommand)]
pub enum Queue {
    /// Every message.
    List,
    /// One message.
    Show(QueueId),
    /// Try now.
    Retry(QueueRetry),
    /// Do not try.
    Hold(QueueId),
    /// Try again.
    Release(QueueId),
    /// Take it out.
    Remove(QueueId),
}

/// A message of the queue.
#[derive(Debug, Args)]
pub struct QueueId {
    /// Its queue id.
    pub id: String,
}

/// Arguments of `queue retry`.
#[derive(Debug, Args)]
pub struct QueueRetry {
    /// Its queue id; every message without it.
    pub id: Option<String>,
}

/// What can be done with the trace.
#[derive(Debug, Subcommand)]
pub enum Trace {
    /// Every journey.
    List(TraceList),
    /// One journey, drawn and told.
    Show(TraceShow),
    /// Journeys as they come.
    Follow(TraceList),
    /// Until a letter has come to its end.
    Wait(TraceWait),
    /// In a form for other programs.
    Export(TraceExport),
}

/// Which journeys are meant.
#[derive(Clone, Debug, Default, Args)]
pub struct Wanted {
    /// The letter with that Message-ID.
    #[arg(long, value_name = "ID")]
    pub message_id: Option<String>,
    /// Letters to that address.
    #[arg(long, value_name = "ADDR")]
    pub to: Option<String>,
    /// Letters from that address.
    #[arg(long, value_name = "ADDR")]
    pub from: Option<String>,
}

/// Arguments of `trace list` and `trace follow`.
#[derive(Debug, Args)]
pub struct TraceList {
    /// Which.
    #[command(flatten)]
    pub wanted: Wanted,
}

/// Arguments of `trace show`.
#[derive(Debug, Args)]
pub struct TraceShow {
    /// Its id; without it the newest.
    pub id: Option<String>,
    /// Which.
    #[command(flatten)]
    pub wanted: Wanted,
    /// Also the messages that move nothing.
    #[arg(long)]
    pub every: bool,
}

/// Arguments of `trace wait`.
#[derive(Debug, Args)]
pub struct TraceWait {
    /// Which.
    #[command(flatten)]
    pub wanted: Wanted,
    /// For how long, in seconds.
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub timeout: u64,
    /// From when on letters count.
    #[arg(long, value_name = "TIME|DURATION")]
    pub since: Option<String>,
}

/// Arguments of `trace export`.
#[derive(Debug, Args)]
pub struct TraceExport {
    /// Its id; everything without it.
    pub id: Option<String>,
    /// Which.
    #[command(flatten)]
    pub wanted: Wanted,
    /// The form.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "json")]
    pub format: TraceFormat,
    /// The file; standard output without it.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// JSON lines, one message each.
    Json,
    /// A sequence diagram for documents.
    Mermaid,
    /// A capture file for Wireshark.
    Pcapng,
    /// Transcripts that can be replayed.
    Dialogue,
}

/// Arguments of `resolve`.
#[derive(Debug, Args)]
pub struct Resolve {
    /// The name.
    pub name: String,
    /// The type of record.
    #[arg(default_value = "A", value_name = "TYPE")]
    pub rtype: String,
    /// Whom to ask.
    #[arg(long, value_name = "ADDR")]
    pub server: Option<String>,
    /// From the root down.
    #[arg(long, conflicts_with = "server")]
    pub trace: bool,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub struct Get {
    /// The page's address.
    pub url: String,
    /// Whom to ask for names.
    #[arg(long, value_name = "ADDR")]
    pub resolver: Option<String>,
    /// Where the page goes.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Whose certificates to believe.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Attempts after one that failed because the other side was full.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: u32,
}

/// Arguments of `send`.
#[derive(Debug, Args)]
pub struct Send {
    /// To whom.
    #[arg(long, required = true, value_name = "ADDR")]
    pub to: Vec<String>,
    /// From whom.
    #[arg(long, value_name = "ADDR")]
    pub from: Option<String>,
    /// The subject.
    #[arg(long, value_name = "S")]
    pub subject: Option<String>,
    /// The text.
    #[arg(long, value_name = "T", conflicts_with = "file")]
    pub text: Option<String>,
    /// The file with the text.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The server.
    #[command(flatten)]
    pub mail: MailServer,
}

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub struct Fetch {
    /// By POP3: the only way there is, so far.
    #[arg(long)]
    pub pop3: bool,
    /// Whose mail.
    #[arg(long, value_name = "ADDR")]
    pub login: String,
    /// Deletes on the server what has been collected.
    #[arg(long)]
    pub delete: bool,
    /// The server.
    #[command(flatten)]
    pub mail: MailServer,
}

/// How `send` and `fetch` reach their server.
#[derive(Debug, Args)]
pub struct MailServer {
    /// Its name or address.
    #[arg(long, value_name = "ADDR")]
    pub server: Option<String>,
    /// Where the password stands.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Whose certificates to believe.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Attempts after one that failed because the other side was full.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: u32,
}

/// Arguments of `connect`.
#[derive(Debug, Args)]
pub struct Connect {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Datagrams instead of a connection.
    #[arg(long)]
    pub udp: bool,
}

/// Arguments of `echo`.
#[derive(Debug, Args)]
pub struct Echo {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What is sent.
    #[arg(default_value = "Hello")]
    pub text: String,
    /// Datagrams instead of a connection.
    #[arg(long)]
    pub udp: bool,
    /// How often.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Attempts after one that failed because the other side was full or the way lost it.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: u32,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The key; every key without it.
    pub key: Option<String>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell.
    pub shell: clap_complete::Shell,
}
