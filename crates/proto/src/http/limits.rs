//! How much one peer may ask of us, each with its reason.

use core::time::Duration;

/// A request target may be so long, in bytes; beyond it 414. RFC 9110 4.1 asks for 8000 at least.
pub const TARGET_BYTES_MOST: usize = 8 * 1024;
/// A head in all, in bytes; beyond it 431. Room for the longest target and for browsers' cookies.
pub const HEAD_BYTES_MOST: usize = 32 * 1024;
/// Fields in a head; beyond it 431. Browsers send about twenty.
pub const FIELDS_MOST: usize = 100;
/// A connection on which no whole request comes for so long is let go.
pub const IDLE_MOST: Duration = Duration::from_secs(60);
/// A client waits so long for each step of a reply.
pub const REPLY_WAIT_MOST: Duration = Duration::from_secs(60);
/// A chunk-size line with its extensions, in bytes. Nobody uses extensions; long ones are attacks.
pub const CHUNK_LINE_BYTES_MOST: usize = 256;
/// All chunk extensions of one body, in bytes.
pub const CHUNK_EXTENSION_BYTES_MOST: usize = 1024;
/// The trailer section of one body, in bytes. Trailers are read and dropped.
pub const TRAILER_BYTES_MOST: usize = 4 * 1024;
/// A request body comes at this rate at least, in bytes a second, over its whole length and behind
/// a first [`IDLE_MOST`]: one byte a minute would hold a connection for years.
pub const BODY_RATE_LEAST: u64 = 500;
/// An unwanted request body up to so many bytes is read and dropped, so that the connection can
/// serve on; a longer one costs the connection.
pub const DRAIN_BYTES_MOST: u64 = 64 * 1024;
/// Interim (1xx) replies that a client reads over, per request.
pub const INTERIM_MOST: u32 = 8;
/// Fewer than this many empty lines before a request are read over (RFC 9112 2.2).
pub const EMPTY_LINES_MOST: u32 = 2;
