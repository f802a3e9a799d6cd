//! `guichet domain list|show`.

use guichet_trace::visible;

use super::asking::{Asking, From};
use crate::cli::{Domain as Args, Global};
use crate::control::Request;
use crate::control::requests::Domain;
use crate::output::{Outcome, Output};

/// Asks the running server.
pub(super) async fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    let asking = Asking::new(global, output)?;
    match args {
        Args::List => {
            let answers: Vec<From<Vec<Domain>>> = asking.every(&Request::DomainList).await?;
            if output.json {
                return asking.json_list(&answers);
            }
            answers
                .iter()
                .flat_map(|from| &from.answer)
                .try_for_each(|domain| show(domain, output))
        }
        Args::Show(of) => {
            let request = Request::DomainShow {
                domain: of.domain.clone(),
            };
            let domain: Domain = asking.owner(&of.domain, &request).await?;
            match output.json {
                true => output.json(&domain),
                false => show(&domain, output),
            }
        }
    }
}

fn show(domain: &Domain, output: &Output<'_>) -> Outcome {
    let name = visible(&domain.domain);
    let counts = [
        ("name", name.as_str()),
        ("accounts", &domain.accounts.to_string()),
        ("aliases", &domain.aliases.to_string()),
        ("sites", &visible(&domain.sites.join(", "))),
        (
            "serial",
            &domain
                .zone_serial
                .map(|serial| serial.to_string())
                .unwrap_or_default(),
        ),
    ];
    output.line(&output.say("control-domain", &counts))?;
    if !domain.sites.is_empty() {
        output.line(&output.say("control-domain-sites", &counts))?;
    }
    let zone = match domain.zone_serial {
        Some(_) => "control-domain-zone",
        None => "control-domain-no-zone",
    };
    output.line(&output.say(zone, &counts))
}
