//! Where addresses lead, whatever aliases say.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::World;
use crate::accounts::{Address, Found, Target};

const PEOPLE: [&str; 3] = ["a", "b", "c"];

/// Who is reached from `start`: an alias is followed once; coming to it again means the account of
/// the same name.
fn expected(aliases: &BTreeMap<&str, Vec<&str>>, start: &str) -> BTreeSet<String> {
    let (mut waiting, mut opened, mut reached) = (vec![start], BTreeSet::new(), BTreeSet::new());
    while let Some(name) = waiting.pop() {
        match aliases.get(name) {
            Some(targets) if opened.insert(name) => waiting.extend(targets),
            _ if PEOPLE.contains(&name) => {
                reached.insert(format!("{name}@sud.test"));
            }
            _ => {}
        }
    }
    reached
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_tangle_of_aliases_leads_to_those_it_names(
        aliases in prop::collection::btree_map(
            prop::sample::select(vec!["a", "b", "w", "x", "y"]),
            prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "w", "x", "y", "z"]), 1..4),
            0..5,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sud = runtime.block_on(async {
            let sud = World::new("sud.test", &PEOPLE).await;
            for (name, targets) in &aliases {
                let targets: Vec<String> = targets.iter().map(|name| format!("{name}@sud.test")).collect();
                let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
                sud.alias(&format!("{name}@sud.test"), &targets).await;
            }
            sud
        });
        for start in ["a", "b", "c", "w", "x", "y", "z"] {
            let found = sud.mail.directory.find(&Address::of(start, "sud.test")).unwrap();
            let expected = expected(&aliases, start);
            match found {
                Found::Leads(targets) => {
                    prop_assert_eq!(targets.len(), expected.len(), "nobody twice");
                    let reached: BTreeSet<String> = targets.into_iter().map(name).collect();
                    prop_assert_eq!(reached, expected);
                }
                Found::Unknown => prop_assert!(expected.is_empty() && !aliases.contains_key(start)),
                Found::Tangled => prop_assert!(expected.is_empty() && aliases.contains_key(start)),
                Found::Elsewhere => prop_assert!(false),
            }
        }
    }
}

fn name(target: Target) -> String {
    match target {
        Target::Account(name) | Target::Remote(name) => name,
    }
}

#[tokio::test]
async fn one_address_does_not_become_a_thousand() {
    let sud = World::new("sud.test", &["a"]).await;
    for width in [200, 201] {
        let targets: Vec<String> = (0..width)
            .map(|number| format!("{number}@far.test"))
            .collect();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        sud.alias(&format!("list{width}@sud.test"), &targets).await;
    }
    let find = |local: &str| {
        sud.mail
            .directory
            .find(&Address::of(local, "sud.test"))
            .unwrap()
    };
    assert!(matches!(find("list200"), Found::Leads(targets) if targets.len() == 200));
    assert_eq!(find("list201"), Found::Tangled);
}
