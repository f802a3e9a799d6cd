//! What can be asked of a running server, and what it answers: plain data, for both ends.
//!
//! Times are RFC 3339 texts. What a server refuses, it refuses with a
//! [`Message`]; an unknown log-in, address, domain or id is such a refusal
//! ([`not_found`]), so that a command that asks both organisations of a lab can go on to the other.

use serde::{Deserialize, Serialize};

use crate::output::Message;

/// A request. Each names its answer; [`Done`] says nothing but that it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// What runs: [`Status`].
    Status,
    /// Stop, in each protocol's own words; answered when the dialogues have ended: [`Stopped`].
    Stop,
    /// Read the configuration, zones and certificates again: [`Reloaded`].
    Reload,
    /// A new account: [`Done`].
    AccountAdd {
        /// Its full address.
        login: String,
        /// Its password.
        password: String,
    },
    /// Every account: a list of [`Account`].
    AccountList,
    /// One account: [`Account`].
    AccountShow {
        /// Its full address.
        login: String,
    },
    /// Another password: [`Done`].
    AccountPasswd {
        /// Whose.
        login: String,
        /// The new password.
        password: String,
    },
    /// Refuse its log-ins; mail is still received: [`Done`].
    AccountSuspend {
        /// Whose.
        login: String,
    },
    /// Allow its log-ins again: [`Done`].
    AccountResume {
        /// Whose.
        login: String,
    },
    /// Remove it with its mail: [`Done`].
    AccountRemove {
        /// Whose.
        login: String,
    },
    /// An address that leads to others; replaces what it led to: [`Done`].
    AliasAdd {
        /// The address.
        address: String,
        /// Where it leads.
        targets: Vec<String>,
    },
    /// Every alias: a list of [`Alias`].
    AliasList,
    /// Remove one: [`Done`].
    AliasRemove {
        /// The address.
        address: String,
    },
    /// Every domain: a list of [`Domain`].
    DomainList,
    /// One domain: [`Domain`].
    DomainShow {
        /// Its name.
        domain: String,
    },
    /// Every message that waits: a list of [`Queued`].
    QueueList,
    /// One message: [`Queued`].
    QueueShow {
        /// Its queue id.
        id: String,
    },
    /// Try it now; without an id every message that waits: [`Done`].
    QueueRetry {
        /// Its queue id.
        id: Option<String>,
    },
    /// Do not try it until it is released: [`Done`].
    QueueHold {
        /// Its queue id.
        id: String,
    },
    /// Try it again when it is due: [`Done`].
    QueueRelease {
        /// Its queue id.
        id: String,
    },
    /// Take it out of the queue, without a report to its sender: [`Done`].
    QueueRemove {
        /// Its queue id.
        id: String,
    },
    /// Records of a program of ours that took part in an exchange, for the view: [`Done`].
    TraceSubmit {
        /// As [`Records::frames`].
        frames: String,
    },
    /// Close one service's listeners, as if it had failed: [`Done`]. For labs.
    ServiceStop {
        /// Its name in the configuration.
        service: String,
    },
    /// Something goes wrong on purpose: [`Done`]. For labs.
    Fault {
        /// What, as `guichet lab --fault` takes it.
        spec: String,
    },
    /// Start an organisation of a lab again that has died: [`Done`].
    OrganisationStart {
        /// Its domain, or the first label of it.
        name: String,
    },
    /// The records of the trace, oldest first: items [`Records`], at the end [`Done`].
    TraceRecords {
        /// Go on with records as they come.
        follow: bool,
    },
}

/// It is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Since when.
    pub since: String,
    /// The domains served.
    pub domains: Vec<String>,
    /// Each service of the configuration.
    pub services: Vec<ServiceStatus>,
    /// Messages that wait in the queue.
    pub queued: u64,
    /// What an operator should look at.
    pub warnings: Vec<Message>,
    /// A lab's organisations, each with its own status; absent elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organisations: Vec<OrganisationStatus>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name in the configuration.
    pub service: String,
    /// Where it listens; empty if it does not.
    pub addresses: Vec<String>,
    /// Connections open now.
    pub connections: u64,
    /// Connections refused because it was full.
    pub turned_away: u64,
    /// Why it does not listen, or what it cannot offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Message>,
}

/// One organisation of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganisationStatus {
    /// Its domain.
    pub domain: String,
    /// Its process; absent if it does not run.
    pub pid: Option<u32>,
    /// What it says of itself; absent if it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Dialogues that came to their end.
    pub finished: u64,
    /// Dialogues that were cut off at the deadline.
    pub cut: u64,
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What is different from before: `zones`, `certificates`.
    pub changed: Vec<String>,
    /// Keys whose new value needs a restart.
    pub needs_restart: Vec<String>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its full address.
    pub login: String,
    /// Whether its log-ins are refused.
    pub suspended: bool,
    /// When it was made.
    pub created: String,
    /// Messages in its INBOX.
    pub messages: u64,
    /// Their size.
    pub bytes: u64,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The address.
    pub address: String,
    /// Where it leads.
    pub targets: Vec<String>,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its name.
    pub domain: String,
    /// Its accounts.
    pub accounts: u64,
    /// Its aliases.
    pub aliases: u64,
    /// Its sites' host names.
    pub sites: Vec<String>,
    /// The serial number of its zone, if this server has it.
    pub zone_serial: Option<u32>,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Its queue id.
    pub id: String,
    /// The envelope's sender; empty for reports.
    pub sender: String,
    /// Its Message-ID.
    pub message_id: String,
    /// When it was accepted.
    pub accepted: String,
    /// Its size.
    pub bytes: u64,
    /// Each recipient outside.
    pub recipients: Vec<QueuedRecipient>,
}

/// One recipient of a message that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// The address.
    pub address: String,
    /// `waiting`, `held`, `delivered`, `failed` or `removed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, if it waits.
    pub due: Option<String>,
    /// The words of the last attempt; empty before the first.
    pub words: String,
}

/// Some records of the trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Frames as [`guichet_trace::codec::append`] writes them, in base64.
    pub frames: String,
}

/// The refusal of a name the server does not have.
pub fn not_found(name: &str) -> Message {
    Message::new("control-not-found").with("name", name)
}

/// Whether `message` is [`not_found`].
pub fn is_not_found(message: &Message) -> bool {
    message.key() == "control-not-found"
}
