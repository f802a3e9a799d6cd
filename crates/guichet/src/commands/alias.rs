//! `guichet alias add|list|remove`.

use guichet_trace::visible;

use super::asking::{Asking, From};
use crate::cli::{Alias as Args, Global};
use crate::control::Request;
use crate::control::requests::Alias;
use crate::output::{Outcome, Output};

/// Has the running server do it.
pub(super) async fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    let asking = Asking::new(global, output)?;
    match args {
        Args::Add(add) => {
            let request = Request::AliasAdd {
                address: add.address.clone(),
                targets: add.targets,
            };
            asking
                .act(&add.address, &request, "control-alias-added")
                .await
        }
        Args::Remove(of) => {
            let request = Request::AliasRemove {
                address: of.address.clone(),
            };
            asking
                .act(&of.address, &request, "control-alias-removed")
                .await
        }
        Args::List => {
            let answers: Vec<From<Vec<Alias>>> = asking.every(&Request::AliasList).await?;
            if output.json {
                return asking.json_list(&answers);
            }
            answers
                .iter()
                .flat_map(|from| &from.answer)
                .try_for_each(|alias| {
                    let targets = visible(&alias.targets.join(", "));
                    output.line(&format!("{} → {targets}", visible(&alias.address)))
                })
        }
    }
}
