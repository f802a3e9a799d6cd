//! The store against a model in memory: any sequence of operations, with closing, losing the view,
//! and replay in between. A failure prints the shortest sequence and its seed.

use std::collections::BTreeMap;

use guichet_trace::WallTime;
use proptest::prelude::*;

use super::*;
use crate::{
    Accepted, Attempt, FactKind, FactQuery, Outcome, QueueId, QueueState, QueuedRecipient,
    StoreError,
};

const LOGINS: [&str; 3] = ["alice@nord.test", "bob@nord.test", "carol@nord.test"];
const ADDRESSES: [&str; 4] = ["x@one.test", "y@one.test", "z@two.test", "w@three.test"];

#[derive(Clone, Debug)]
enum Step {
    AddAccount(usize),
    SetPassword(usize, u8),
    Suspend(usize, bool),
    RemoveAccount(usize),
    AddAlias(usize, Vec<usize>),
    RemoveAlias(usize),
    /// Local and remote recipients, the body's length, and perhaps a key.
    Accept(Vec<usize>, Vec<usize>, usize, Option<u8>),
    /// Claims all that is due; an outcome for each claim; whether failures are reported to whom.
    Attempt(Vec<u8>, Option<usize>),
    Hold(usize, bool),
    RetryNow(usize),
    RemoveQueued(usize),
    Delete(usize, Vec<u32>),
    Purge(u64),
    Wait(u64),
    Rebuild,
    Reopen {
        keep_view: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let login = 0..LOGINS.len();
    let logins = prop::collection::vec(0..LOGINS.len(), 0..3);
    let addresses = prop::collection::vec(0..ADDRESSES.len(), 0..4);
    let length = prop_oneof![8 => 0_usize..600, 1 => 3_000_usize..9_000];
    let key = prop::option::weighted(0.3, 0_u8..6);
    prop_oneof![
        6 => login.clone().prop_map(Step::AddAccount),
        1 => (login.clone(), any::<u8>()).prop_map(|(who, hash)| Step::SetPassword(who, hash)),
        1 => (login.clone(), any::<bool>()).prop_map(|(who, on)| Step::Suspend(who, on)),
        1 => login.clone().prop_map(Step::RemoveAccount),
        1 => (login.clone(), logins.clone()).prop_map(|(who, to)| Step::AddAlias(who, to)),
        1 => login.clone().prop_map(Step::RemoveAlias),
        12 => (logins, addresses, length, key).prop_map(|(to, out, len, key)| Step::Accept(to, out, len, key)),
        6 => (prop::collection::vec(0_u8..3, 1..5), prop::option::of(login.clone()))
            .prop_map(|(outcomes, report)| Step::Attempt(outcomes, report)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, held)| Step::Hold(which, held)),
        1 => any::<usize>().prop_map(Step::RetryNow),
        1 => any::<usize>().prop_map(Step::RemoveQueued),
        3 => (login, prop::collection::vec(1_u32..8, 0..4)).prop_map(|(who, uids)| Step::Delete(who, uids)),
        1 => (0_u64..40).prop_map(Step::Purge),
        3 => (1_u64..30).prop_map(Step::Wait),
        1 => Just(Step::Rebuild),
        2 => any::<bool>().prop_map(|keep_view| Step::Reopen { keep_view }),
    ]
}

#[derive(Debug, Default)]
struct Model {
    now: u64,
    accounts: BTreeMap<&'static str, ModelAccount>,
    aliases: BTreeMap<&'static str, Vec<String>>,
    queue: BTreeMap<QueueId, Queued>,
    /// Every queue id ever given, in order.
    given: Vec<QueueId>,
    keys: BTreeMap<u8, (u64, Accepted)>,
}

#[derive(Debug)]
struct ModelAccount {
    hash: String,
    suspended: bool,
    next_uid: u32,
    inbox: BTreeMap<u32, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Queued {
    body: Vec<u8>,
    recipients: BTreeMap<&'static str, QueuedRecipient>,
    facts: Vec<FactKind>,
    ended: Option<u64>,
}

impl Queued {
    fn waiting(&mut self) -> impl Iterator<Item = &mut QueuedRecipient> {
        self.recipients
            .values_mut()
            .filter(|one| one.state == QueueState::Waiting)
    }

    fn settle(&mut self, now: u64) {
        if self.ended.is_none() && self.waiting().next().is_none() {
            self.ended = Some(now);
        }
    }
}

impl Model {
    fn change(&self) -> Change {
        at(self.now)
    }

    /// Expects a refusal where the account is missing.
    fn known(&mut self, login: &'static str) -> Result<&mut ModelAccount, StoreError> {
        self.accounts
            .get_mut(login)
            .ok_or_else(|| StoreError::NoSuchAccount(login.to_owned()))
    }

    fn accept(
        &mut self,
        store: &Store,
        to: &[usize],
        out: &[usize],
        length: usize,
        key: Option<u8>,
    ) {
        let body = vec![b'a' + (length % 26) as u8; length];
        let recipients = to.iter().map(|&who| local(LOGINS[who]));
        let recipients = recipients
            .chain(out.iter().map(|&who| remote(ADDRESSES[who])))
            .collect();
        let change = Change {
            key: key.map(u128::from),
            ..self.change()
        };
        let result = store
            .accept_message(change, message(recipients, body.clone()))
            .wait();
        if let Some((_, answer)) = key.and_then(|key| self.keys.get(&key)) {
            assert_eq!(result.as_ref(), Ok(answer), "the first answer again");
            return;
        }
        let missing = to
            .iter()
            .find(|&&who| !self.accounts.contains_key(LOGINS[who]));
        match (to.is_empty() && out.is_empty(), missing) {
            (true, _) => assert_eq!(result, Err(StoreError::NoRecipients)),
            (_, Some(&who)) => {
                assert_eq!(
                    result,
                    Err(StoreError::NoSuchAccount(LOGINS[who].to_owned()))
                );
            }
            _ => {
                let accepted = result.unwrap();
                let delivered = accepted
                    .delivered
                    .iter()
                    .map(|one| (&*one.account, one.uid));
                let expected = self.deliver(accepted.queue_id, body, to, out);
                assert_eq!(delivered.collect::<Vec<_>>(), expected);
                if let Some(key) = key {
                    self.keys.insert(key, (self.now, accepted));
                }
            }
        }
    }

    fn deliver(
        &mut self,
        queue_id: QueueId,
        body: Vec<u8>,
        to: &[usize],
        out: &[usize],
    ) -> Vec<(&'static str, u32)> {
        let mut queued = Queued {
            body: body.clone(),
            ..Queued::default()
        };
        let mut delivered: Vec<(&'static str, u32)> = Vec::new();
        for &who in to {
            queued.facts.extend([FactKind::Accepted, FactKind::Stored]);
            let account = self.accounts.get_mut(LOGINS[who]).unwrap();
            if delivered.iter().all(|(login, _)| *login != LOGINS[who]) {
                account.inbox.insert(account.next_uid, body.clone());
                delivered.push((LOGINS[who], account.next_uid));
                account.next_uid += 1;
            }
        }
        for address in out.iter().map(|&who| ADDRESSES[who]) {
            let fresh = QueuedRecipient {
                address: address.to_owned(),
                original: address.to_owned(),
                state: QueueState::Waiting,
                held: false,
                attempts: 0,
                due: WallTime(self.now * SECOND),
                words: String::new(),
            };
            if queued.recipients.insert(address, fresh).is_none() {
                queued.facts.push(FactKind::Accepted);
            }
        }
        queued.settle(self.now);
        self.queue.insert(queue_id, queued);
        self.given.push(queue_id);
        delivered
    }

    fn attempt(&mut self, store: &Store, outcomes: &[u8], report_to: Option<usize>) {
        let claimed = store.claim_due(WallTime(self.now * SECOND), 100).unwrap();
        let mut names = Vec::new();
        for (index, claim) in claimed.into_iter().enumerate() {
            let queue_id = claim.message.queue_id;
            let queued = self.queue.get_mut(&queue_id).unwrap();
            assert_eq!(
                store.read_body(claim.message.body, 0, usize::MAX).unwrap(),
                queued.body
            );
            let outcome = outcomes[index % outcomes.len()];
            let mut told = Vec::new();
            for recipient in &claim.message.recipients {
                names.push((queue_id, recipient.address.clone()));
                let mine = queued
                    .recipients
                    .get_mut(recipient.address.as_str())
                    .unwrap();
                assert_eq!(recipient, mine);
                mine.attempts += 1;
                mine.words = format!("{outcome}");
                let (state, kind) = match outcome {
                    0 => (QueueState::Delivered, FactKind::Delivered),
                    1 => (QueueState::Waiting, FactKind::Deferred),
                    _ => (QueueState::Failed, FactKind::Failed),
                };
                mine.state = state;
                queued.facts.push(kind);
                let words = mine.words.clone();
                let until = WallTime((self.now + 10) * SECOND);
                let outcome = match outcome {
                    0 => Outcome::Delivered { words },
                    1 => Outcome::Deferred { until, words },
                    _ => Outcome::Failed { words },
                };
                if matches!(outcome, Outcome::Deferred { .. }) {
                    mine.due = until;
                }
                told.push((recipient.address.clone(), outcome));
            }
            queued.settle(self.now);
            let report_to = report_to.filter(|_| outcome == 2);
            let report = report_to.map(|who| message(vec![local(LOGINS[who])], "report"));
            let attempt = Attempt {
                outcomes: told,
                exchange: None,
                report,
            };
            store
                .finish_attempt(self.change(), claim.lease, attempt)
                .wait()
                .unwrap();
            if let Some(who) = report_to.filter(|&who| self.accounts.contains_key(LOGINS[who])) {
                let facts = store.facts(&FactQuery::All, 1).unwrap();
                self.deliver(facts[0].queue_id, b"report".to_vec(), &[who], &[]);
            }
        }
        names.sort();
        assert!(
            names.windows(2).all(|pair| pair[0] != pair[1]),
            "leased once each: {names:?}"
        );
        let due = |one: &QueuedRecipient| {
            one.state == QueueState::Waiting && !one.held && one.due.0 <= self.now * SECOND
        };
        let left = self
            .queue
            .values()
            .flat_map(|queued| queued.recipients.values())
            .filter(|one| due(one));
        assert_eq!(left.count(), 0, "everything due was claimed");
    }

    /// An operator's word about one message ever accepted.
    fn operate(
        &mut self,
        which: usize,
        ask: impl FnOnce(QueueId, Change) -> Result<(), StoreError>,
        effect: impl Fn(&mut QueuedRecipient, u64),
        fact: Option<FactKind>,
    ) {
        let Some(&queue_id) = self.given.get(which % self.given.len().max(1)) else {
            return;
        };
        let result = ask(queue_id, self.change());
        let queued = self
            .queue
            .get_mut(&queue_id)
            .filter(|queued| queued.ended.is_none());
        let Some(queued) = queued else {
            assert_eq!(result, Err(StoreError::NoSuchQueueEntry(queue_id)));
            return;
        };
        result.unwrap();
        let now = self.now;
        let touched = queued.waiting().map(|one| effect(one, now)).count();
        queued.facts.extend(fact.into_iter().cycle().take(touched));
        queued.settle(now);
    }

    fn step(&mut self, store: &Store, step: &Step) {
        let change = self.change();
        match step {
            Step::AddAccount(who) => {
                let login = LOGINS[*who];
                let result = store.add_account(change, login, "first").wait();
                if self.accounts.contains_key(login) {
                    return assert_eq!(result, Err(StoreError::AccountExists(login.to_owned())));
                }
                result.unwrap();
                let (hash, inbox) = ("first".to_owned(), BTreeMap::new());
                let account = ModelAccount {
                    hash,
                    suspended: false,
                    next_uid: 1,
                    inbox,
                };
                self.accounts.insert(login, account);
            }
            Step::SetPassword(who, hash) => {
                let hash = hash.to_string();
                let result = store.set_password(change, LOGINS[*who], &hash).wait();
                assert_eq!(
                    result,
                    self.known(LOGINS[*who]).map(|account| account.hash = hash)
                );
            }
            Step::Suspend(who, on) => {
                let result = store.set_suspended(change, LOGINS[*who], *on).wait();
                assert_eq!(
                    result,
                    self.known(LOGINS[*who])
                        .map(|account| account.suspended = *on)
                );
            }
            Step::RemoveAccount(who) => {
                let result = store.remove_account(change, LOGINS[*who]).wait();
                assert_eq!(result, self.known(LOGINS[*who]).map(|_| ()));
                self.accounts.remove(LOGINS[*who]);
            }
            Step::AddAlias(who, to) => self.add_alias(store, LOGINS[*who], to),
            Step::RemoveAlias(who) => {
                let result = store.remove_alias(change, LOGINS[*who]).wait();
                assert_eq!(result.is_ok(), self.aliases.remove(LOGINS[*who]).is_some());
            }
            Step::Accept(to, out, length, key) => self.accept(store, to, out, *length, *key),
            Step::Attempt(outcomes, report_to) => self.attempt(store, outcomes, *report_to),
            Step::Hold(which, held) => {
                let ask = |queue_id, change| match held {
                    true => store.hold(change, queue_id).wait(),
                    false => store.release(change, queue_id).wait(),
                };
                self.operate(*which, ask, |one, _| one.held = *held, None);
            }
            Step::RetryNow(which) => {
                let ask = |queue_id, change| store.retry_now(change, queue_id).wait();
                self.operate(
                    *which,
                    ask,
                    |one, now| one.due = WallTime(now * SECOND),
                    None,
                );
            }
            Step::RemoveQueued(which) => {
                let ask = |queue_id, change| store.remove_queued(change, queue_id, "gone").wait();
                let effect = |one: &mut QueuedRecipient, _| {
                    (one.state, one.words) = (QueueState::Removed, "gone".to_owned());
                };
                self.operate(*which, ask, effect, Some(FactKind::Removed));
            }
            Step::Delete(who, uids) => {
                let result = store.delete(change, LOGINS[*who], uids).wait();
                let count = |account: &mut ModelAccount| {
                    let removed = uids
                        .iter()
                        .filter(|uid| account.inbox.remove(uid).is_some());
                    removed.count() as u64
                };
                assert_eq!(result, self.known(LOGINS[*who]).map(count));
            }
            Step::Purge(ago) => {
                let before = self.now.saturating_sub(*ago);
                store
                    .purge(change, WallTime(before * SECOND))
                    .wait()
                    .unwrap();
                self.queue
                    .retain(|_, queued| queued.ended.is_none_or(|ended| ended >= before));
                self.keys.retain(|_, (at, _)| *at >= before);
            }
            Step::Wait(seconds) => self.now += seconds,
            Step::Rebuild => {
                let before = store.dump_view().unwrap();
                store.rebuild_view().wait().unwrap();
                assert_eq!(
                    store.dump_view().unwrap(),
                    before,
                    "replay gives the same view"
                );
            }
            Step::Reopen { .. } => {}
        }
    }

    fn add_alias(&mut self, store: &Store, address: &'static str, to: &[usize]) {
        let targets: Vec<String> = to.iter().map(|&who| LOGINS[who].to_owned()).collect();
        let result = store.add_alias(self.change(), address, &targets).wait();
        if targets.is_empty() {
            assert_eq!(result, Err(StoreError::NoTargets(address.to_owned())));
        } else if self.aliases.contains_key(address) {
            assert_eq!(result, Err(StoreError::AliasExists(address.to_owned())));
        } else {
            result.unwrap();
            self.aliases.insert(address, targets);
        }
    }

    /// Everything that can be looked up is as the model says.
    fn check(&self, store: &Store) {
        let accounts = store.accounts().unwrap();
        assert_eq!(accounts.len(), self.accounts.len());
        for (account, (login, mine)) in accounts.iter().zip(&self.accounts) {
            assert_eq!(
                (&*account.login, &account.password_hash),
                (*login, &mine.hash)
            );
            assert_eq!(account.suspended, mine.suspended);
            let entries = store.maildrop(login).unwrap();
            let inbox: BTreeMap<u32, Vec<u8>> = entries
                .iter()
                .map(|entry| {
                    (
                        entry.uid,
                        store.read_body(entry.body, 0, usize::MAX).unwrap(),
                    )
                })
                .collect();
            assert_eq!(inbox, mine.inbox);
        }
        let aliases = store
            .aliases()
            .unwrap()
            .into_iter()
            .map(|alias| (alias.address, alias.targets));
        let mine = self
            .aliases
            .iter()
            .map(|(address, to)| ((*address).to_owned(), to.clone()));
        assert!(aliases.eq(mine));
        let waiting = store.queue().unwrap();
        let mine = self.queue.values().filter(|queued| queued.ended.is_none());
        assert_eq!(waiting.len(), mine.count());
        for &queue_id in &self.given {
            let kinds = store
                .facts(&FactQuery::QueueId(queue_id), usize::MAX)
                .unwrap();
            let kinds: Vec<FactKind> = kinds.iter().map(|fact| fact.kind).collect();
            let found = store.queued(queue_id).unwrap();
            let Some(mine) = self.queue.get(&queue_id) else {
                assert!(kinds.is_empty() && found.is_none(), "purged");
                continue;
            };
            let mut expected = mine.facts.clone();
            let mut sorted = kinds.clone();
            expected.sort_by_key(|kind| *kind as u8);
            sorted.sort_by_key(|kind| *kind as u8);
            assert_eq!(sorted, expected);
            let recipients = found.map(|message| message.recipients).unwrap_or_default();
            let mut theirs: Vec<&QueuedRecipient> = mine.recipients.values().collect();
            theirs.sort_by(|one, other| one.address.cmp(&other.address));
            assert_eq!(recipients.iter().collect::<Vec<_>>(), theirs);
        }
    }
}

fn play(steps: &[Step]) {
    let dir = scratch();
    let view = dir.path().join("index.db");
    let mut model = Model {
        now: 1_000,
        ..Model::default()
    };
    let mut store = Store::open(small(dir.path())).unwrap();
    for step in steps {
        model.step(&store, step);
        if let Step::Reopen { keep_view } = step {
            let before = store.dump_view().unwrap();
            drop(store);
            if !keep_view {
                std::fs::remove_file(&view).unwrap();
            }
            store = Store::open(small(dir.path())).unwrap();
            assert_eq!(
                store.dump_view().unwrap(),
                before,
                "opening gives the same view"
            );
        }
    }
    model.check(&store);
    let before = store.dump_view().unwrap();
    drop(store);
    std::fs::remove_file(&view).unwrap();
    let store = Store::open(small(dir.path())).unwrap();
    assert_eq!(
        store.dump_view().unwrap(),
        before,
        "replay gives the same view"
    );
    model.check(&store);
    let used: usize = model
        .accounts
        .values()
        .flat_map(|account| account.inbox.values())
        .filter(|body| body.len() > 4096)
        .count();
    let files = std::fs::read_dir(dir.path().join("bodies"))
        .unwrap()
        .count();
    let waiting = model
        .queue
        .values()
        .filter(|queued| queued.ended.is_none())
        .count();
    assert!(
        files <= used + waiting,
        "body files go with their messages: {files}"
    );
}

/// A short run; `PROPTEST_CASES` asks for a longer one.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(48),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        play(&steps);
    }
}
