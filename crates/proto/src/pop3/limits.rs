//! Limits and deadlines: name, unit last, value, reason, source.

use core::time::Duration;

/// A command line with its CR LF. RFC 2449 section 4 allows 255; passwords may be long.
pub const COMMAND_LINE_BYTES_MOST: usize = 1024;
/// A line of a log-in with its CR LF (RFC 5034 section 4 takes it from RFC 4954).
pub const AUTH_LINE_BYTES_MOST: usize = 12_288;
/// A line of a reply with its CR LF. RFC 2449 section 4 says 512; some servers say more.
pub const REPLY_LINE_BYTES_MOST: usize = 2048;
/// Messages a client lists: a server without end must not fill its memory.
pub const MESSAGES_MOST: u32 = 1_000_000;
/// Mistakes of one connection before it is closed: enough for someone who learns by typing.
pub const ERRORS_MOST: u32 = 20;
/// Failed log-ins of one connection before it is closed.
pub const AUTH_FAILURES_MOST: u32 = 3;
/// The largest message a client takes, in bytes.
pub const MESSAGE_BYTES_MOST: u64 = 1 << 30;

/// A server waits so long for the next command (RFC 1939 section 3: at least 10 minutes).
pub const SERVER_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// A client waits so long for a reply, or for more of a message.
pub const REPLY_PATIENCE: Duration = Duration::from_secs(2 * 60);
/// A client waits so long for the farewell: a server deletes before it says it.
pub const QUIT_PATIENCE: Duration = Duration::from_secs(60);
