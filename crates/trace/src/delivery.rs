//! How a letter stands with each recipient, from the facts that servers noted: `delivered`
//! (an address), `relayed`, `deferred` and `failed` (an address, a colon, the other side's words).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::exchange::Note;
use crate::facts;
use crate::journey::Journey;

/// The latest that is known for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    Deferred,
    Failed,
    /// Another system took it.
    Relayed,
    /// It lies in a mailbox.
    Delivered,
}

/// Each recipient's address with its stand and the fact's words. A mailbox's word is final: the
/// relaying server notes its own success only after it.
pub(crate) fn stands<'v>(journey: &Journey<'_, 'v>) -> BTreeMap<&'v str, (Stand, &'v str)> {
    let mut notes: Vec<&Note<'v>> = facts::notes(journey).collect();
    notes.sort_by_key(|note| note.time_us);
    let mut stands = BTreeMap::new();
    for note in notes {
        let stand = match note.word {
            "delivered" => Stand::Delivered,
            "relayed" => Stand::Relayed,
            "deferred" => Stand::Deferred,
            "failed" => Stand::Failed,
            _ => continue,
        };
        let address = address(note.text, stand);
        let known = stands.get(address).map(|&(stand, _)| stand);
        if known != Some(Stand::Delivered) {
            stands.insert(address, (stand, note.text));
        }
    }
    stands
}

/// The address a fact is about; empty where it names none.
fn address(text: &str, stand: Stand) -> &str {
    match text.split_once(": ") {
        Some((address, _)) if address.contains('@') => address,
        _ if stand == Stand::Delivered => text,
        _ => "",
    }
}
