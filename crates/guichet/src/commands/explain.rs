//! `guichet explain [KEY]`.

use crate::cli::Explain;
use crate::config::{self, Declaration, TABLE};
use crate::output::{Failure, Message, Outcome, Output};

/// Says what a configuration key means, or which keys there are.
pub(super) fn run(args: Explain, output: &Output<'_>) -> Outcome {
    let Some(key) = args.key else {
        return list(output);
    };
    let texts = output.texts;
    let unknown = || Failure::wrong(unknown(&key));
    if output.json {
        return output.json(&config::explain_json(texts, &key).ok_or_else(unknown)?);
    }
    output.bytes(config::explain(texts, &key).ok_or_else(unknown)?.as_bytes())
}

fn list(output: &Output<'_>) -> Outcome {
    if output.json {
        let all = TABLE
            .iter()
            .filter_map(|known| config::explain_json(output.texts, known.path));
        return output.json(&all.collect::<Vec<_>>());
    }
    let widest = TABLE
        .iter()
        .map(|known| known.path.len())
        .max()
        .unwrap_or_default();
    for known in TABLE {
        let meaning = output.say(&known.text_key(), &[]);
        output.line(&format!("{:widest$}  {meaning}", known.path))?;
    }
    Ok(())
}

fn unknown(key: &str) -> Message {
    let known = TABLE.iter().flat_map(Declaration::names);
    match config::nearest(key, known) {
        Some(nearest) => Message::new("config-unknown-nearest")
            .with("key", key)
            .with("nearest", nearest),
        None => Message::new("config-unknown").with("key", key),
    }
}
