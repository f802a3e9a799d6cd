//! `guichet resolve NAME [TYPE]`: what the name service says.

use guichet_proto::dns::{Rcode, Record, Rtype, data_text};
use guichet_services::names::parse_name;
use guichet_services::names::resolver::Question;
use guichet_trace::{Role, View, visible};
use serde_json::{Value, json};

use super::errand::{Account, Errand, Means, failure};
use crate::cli::{Global, Resolve as Args};
use crate::clients::name;
use crate::output::{Failure, Message, Outcome, Output};
use crate::serve::{Resolver, root_hints};

/// Asks a name server, or walks from the root.
pub(super) async fn run(args: &Args, global: &Global, output: &Output<'_>) -> Outcome {
    let unknown = || Message::new("clients-not-a-type").with("rtype", args.rtype.as_str());
    let qtype = args
        .rtype
        .to_uppercase()
        .parse::<Rtype>()
        .map_err(|_| Failure::wrong(unknown()))?;
    let means = Means {
        resolver: args.server.as_deref(),
        authority: None,
    };
    let errand = Errand::begin("guichet resolve", means, global, output).await?;
    let answered = match args.trace {
        true => walk(&errand, &args.name, qtype).await,
        false => name::ask(&errand.world, &args.name, qtype)
            .await
            .map(|found| (found.rcode, found.records)),
    };
    let account = errand.end().await;
    let (rcode, records) = answered.map_err(failure)?;
    show(args, qtype, rcode, &records, &account, output)?;
    let found = records.iter().any(|it| it.rtype == qtype) || qtype == Rtype::ANY;
    if rcode == Rcode::NOERROR && found {
        return Ok(());
    }
    let key = match rcode {
        Rcode::NOERROR => "clients-no-records",
        Rcode::NXDOMAIN => "clients-no-name",
        _ => "clients-name-refused",
    };
    let message = Message::new(key)
        .with("name", args.name.as_str())
        .with_shown("rtype", qtype)
        .with_shown("rcode", rcode);
    Err(Failure::failed(message))
}

/// From the root servers down, asking nobody to do it for us.
async fn walk(
    errand: &Errand<'_>,
    name: &str,
    qtype: Rtype,
) -> Result<(Rcode, Vec<Record>), Message> {
    let wire =
        parse_name(name).ok_or_else(|| Message::new("clients-not-a-name").with("name", name))?;
    let world = &errand.world;
    let roots: Vec<_> = world
        .lab
        .iter()
        .filter_map(|lab| lab.root.parse().ok())
        .collect();
    let local_servers = world.lab.is_some();
    let hints = root_hints(&roots);
    let resolver = Resolver::new(world.dial.clone(), hints, local_servers, "".into());
    let question = Question { name: wire, qtype };
    let answer = resolver.resolve(question, Vec::new()).await;
    match (answer.rcode, answer.troubles.last()) {
        (Rcode::SERVFAIL, Some(why)) => Err(Message::new("clients-walk-failed")
            .with("name", name)
            .with("why", why.as_str())),
        _ => Ok((answer.rcode, answer.records)),
    }
}

fn show(
    args: &Args,
    qtype: Rtype,
    rcode: Rcode,
    records: &[Record],
    account: &Account,
    output: &Output<'_>,
) -> Outcome {
    if output.json {
        let records: Vec<_> = records.iter().map(described).collect();
        let mut object = json!({
            "name": args.name, "type": qtype.to_string(), "rcode": rcode.to_string(),
            "records": records,
        });
        if args.trace {
            object["hops"] = account.look(hops).into();
        }
        return output.json(&object);
    }
    if args.trace {
        for hop in account.look(hops) {
            let part = |key: &str| visible(hop[key].as_str().unwrap_or_default());
            output.line(&output.say(
                "clients-hop",
                &[
                    ("server", &part("server")),
                    ("address", &part("address")),
                    ("question", &part("question")),
                    ("answer", &part("answer")),
                ],
            ))?;
        }
    }
    records
        .iter()
        .try_for_each(|record| output.line(&visible(&record.to_string())))
}

/// One record for programs.
pub(super) fn described(record: &Record) -> Value {
    json!({
        "name": record.owner.to_string(), "ttl": record.ttl_seconds,
        "type": record.rtype.to_string(), "data": data_text(record.rtype, &record.data),
    })
}

/// The servers asked, in order, with question and answer.
fn hops(view: &View) -> Vec<Value> {
    let picture = view.picture();
    let told = |exchange: &guichet_trace::exchange::Exchange<'_>| {
        let text = |from: Role| {
            let message = exchange.messages.iter().find(|it| it.from == from);
            message.map_or("", |message| message.text).to_owned()
        };
        json!({
            "server": exchange.named_host(), "address": exchange.server().to_string(),
            "question": text(Role::Client), "answer": text(Role::Server),
        })
    };
    picture.exchanges().iter().map(told).collect()
}
