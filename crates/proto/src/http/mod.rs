//! HTTP/1.1 (RFC 9110 semantics, RFC 9112 messages): the server's and the client's side.
//!
//! [`Server`] checks every head strictly, because two programs that disagree on where a request
//! ends can be made to serve one person's request to another. It asks its service what to answer,
//! writes the answer, and keeps the connection for the next request. [`Client`] sends a list of
//! requests over one connection and takes the replies apart just as strictly.
//!
//! ```text
//! head ──▶ head.rs ──▶ Request ──Ask──▶ service ──Answer──▶ Response ──▶ response.rs ──▶ wire
//!           refuses                       ▲ pieces
//! body ──▶ incoming.rs (length, chunked) ─┘
//! ```
//!
//! Not here: which file a path means (`services::pages`), HTTP/2 and later, content codings,
//! cookies, proxying. `Upgrade` is not followed.

mod ask;
mod client;
pub mod date;
mod head;
mod incoming;
pub mod limits;
mod mask;
mod reply;
mod response;
mod server;

pub use ask::{
    Answer, Ask, Body, Field, Fields, HeaderBlock, Method, Request, RequestBody, Response, Scheme,
};
pub use client::{Client, ClientAnswer, ClientAsk, ClientRequest, ClientSettings, Failure};
pub use response::{reason, refusal_when_full};
pub use server::{Server, Settings};
