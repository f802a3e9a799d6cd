//! Limits and deadlines: name, unit last, value, reason, source.

use core::time::Duration;

/// A command line with its CR LF. RFC 5321 4.5.3.1.4 asks for 512, the parameters of MAIL for
/// about 600 more (RFC 4954 section 5 alone for 500); the rest is room for quoted addresses.
pub const COMMAND_LINE_BYTES_MOST: usize = 2048;
/// A line of a log-in with its CR LF (RFC 4954 section 4).
pub const AUTH_LINE_BYTES_MOST: usize = 12_288;
/// A reply line with its CR LF. RFC 5321 4.5.3.1.5 says 512; some servers say more.
pub const REPLY_LINE_BYTES_MOST: usize = 2048;
/// Lines of one reply. The longest EHLO replies have about 20.
pub const REPLY_LINES_MOST: usize = 200;
/// Words of our own in a reply line, so that it stays within 512 (RFC 5321 4.5.3.1.5).
pub const REPLY_TEXT_BYTES_MOST: usize = 480;
/// Recipients of one transaction unless the settings say otherwise. RFC 5321 4.5.3.1.8 asks for
/// at least 100; Postfix takes 1,000.
pub const RECIPIENTS_MOST: usize = 1000;
/// Mistakes (unknown words, wrong order, wrong syntax) before 421. Someone who learns by typing
/// makes some; someone who probes makes hundreds.
pub const ERRORS_MOST: u32 = 20;
/// Refused recipients of one connection before 421. A list with dead addresses has some; a
/// dictionary has thousands.
pub const REFUSED_RECIPIENTS_MOST: u32 = 200;
/// Commands of one connection that bring no letter forward (NOOP, RSET, HELP …) since the last
/// letter, before 421.
pub const IDLE_COMMANDS_MOST: u32 = 100;
/// Failed log-ins of one connection before 421 (RFC 4954 section 9 advises a limit).
pub const AUTH_FAILURES_MOST: u32 = 3;
/// What is read and dropped of a chunk that cannot be used, so that the client hears the reply.
pub const SKIPPED_CHUNK_BYTES_MOST: u64 = 64 * 1024 * 1024;
/// Commands a client has under way at once, so that the replies fit every window (RFC 2920 3.1).
pub const PIPELINED_COMMANDS_MOST: usize = 100;

/// A server waits so long for the next command or the next piece of a letter (RFC 5321
/// 4.5.3.2.7: at least 5 minutes).
pub const SERVER_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// A client waits so long for the greeting and for most replies (RFC 5321 4.5.3.2.1 to .3).
pub const REPLY_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// A client waits so long for 354 (RFC 5321 4.5.3.2.4), and for room to send (4.5.3.2.5 says 3).
pub const DATA_PATIENCE: Duration = Duration::from_secs(3 * 60);
/// A client waits so long for the reply to the final dot: giving up early makes duplicates
/// (RFC 5321 4.5.3.2.6, RFC 1047).
pub const FINAL_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// A client waits so long for the farewell; everything is decided by then.
pub const QUIT_PATIENCE: Duration = Duration::from_secs(10);
