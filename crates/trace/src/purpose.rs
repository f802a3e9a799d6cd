//! For what the name service was asked.

use crate::exchange::Exchange;
use crate::record::Cause;
use crate::shown::{Selection, Shown};

/// How far a question is followed back: resolvers ask for resolvers, but not for ever.
const STEPS_MOST: usize = 4;

/// The look for mail that a question to the name service prepared: the person's own question, or
/// what the resolver asked because of it. `None` where it served something else.
pub(crate) fn collection<'s, 'p, 'v>(
    selection: &'s Selection<'p, 'v>,
    shown: &'s Shown<'p, 'v>,
) -> Option<&'s Shown<'p, 'v>> {
    prepared(selection, shown, |other| {
        matches!(other.exchange.protocol(), "pop3" | "imap")
    })
}

/// Whether a question prepared that a server passed a letter on, `handing_in` being how it got it.
pub(crate) fn is_for_relaying<'p, 'v>(
    selection: &Selection<'p, 'v>,
    shown: &Shown<'p, 'v>,
    handing_in: &Exchange<'v>,
) -> bool {
    let relayed = prepared(selection, shown, |other| {
        other.exchange.protocol() == "smtp" && !core::ptr::eq(other.exchange, handing_in)
    });
    relayed.is_some()
}

/// The exchange of the wanted kind that was begun because of what was asked.
fn prepared<'s, 'p, 'v>(
    selection: &'s Selection<'p, 'v>,
    shown: &'s Shown<'p, 'v>,
    is_wanted: impl Fn(&Shown<'p, 'v>) -> bool,
) -> Option<&'s Shown<'p, 'v>> {
    let mut asked = shown;
    for _ in 0..STEPS_MOST {
        if asked.exchange.protocol() != "dns" {
            return None;
        }
        let prepared = selection.exchanges.iter().find(|other| {
            is_wanted(other) && other.exchange.causes().any(|cause| is_of(asked, cause))
        });
        if prepared.is_some() {
            return prepared;
        }
        let because: Cause = asked.exchange.causes().next()?;
        asked = selection
            .exchanges
            .iter()
            .find(|other| is_of(other, because))?;
    }
    None
}

fn is_of(shown: &Shown<'_, '_>, cause: Cause) -> bool {
    shown
        .exchange
        .halves()
        .any(|half| half.id == cause.exchange)
}
