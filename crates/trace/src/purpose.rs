//! For what the name service was asked.

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
    let mut asked = shown;
    for _ in 0..STEPS_MOST {
        if asked.exchange.protocol() != "dns" {
            return None;
        }
        let prepared = selection.exchanges.iter().find(|other| {
            matches!(other.exchange.protocol(), "pop3" | "imap")
                && other.exchange.causes().any(|cause| is_of(asked, cause))
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
