//! Scenarios over a real store: no socket, no name server, a clock set by hand.

mod addresses;
mod collecting;
mod dialogues;
mod incoming;
mod lasting;
mod model;
mod outgoing;
mod running;
mod world;
