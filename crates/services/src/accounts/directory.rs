//! Where mail for an address leads.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use guichet_store::{Store, StoreError};

use super::address::Address;
use crate::mail::report::Language;

/// Most places one address may lead to.
const TARGETS_MAX: usize = 200;
/// Most addresses looked at for one.
const STEPS_MAX: usize = 1000;

/// A domain whose mail is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// In lower case.
    pub name: String,
    /// Where mail for unknown addresses goes; without it they are refused.
    pub catch_all: Option<String>,
    /// The language of its delivery reports.
    pub language: Language,
}

/// Where a copy goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// This account.
    Account(String),
    /// An address elsewhere.
    Remote(String),
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its domain is not ours.
    Elsewhere,
    /// Its domain is ours, and it leads here; at least one.
    Leads(Vec<Target>),
    /// Its domain is ours, and nobody has it.
    Unknown,
    /// It leads to too many places, or only round in circles.
    Tangled,
}

/// Finds out where addresses lead.
pub struct Directory {
    store: Store,
    domains: ArcSwap<Vec<Domain>>,
}

impl Directory {
    /// The first domain is the main one: a bare `postmaster` is its.
    pub fn new(store: Store, domains: Vec<Domain>) -> Self {
        Self {
            store,
            domains: ArcSwap::from_pointee(domains),
        }
    }

    /// Takes other domains from now on.
    pub fn replace(&self, domains: Vec<Domain>) {
        self.domains.store(Arc::new(domains));
    }

    /// The domain of that name (in lower case), if it is ours.
    pub fn domain(&self, name: &str) -> Option<Domain> {
        self.domains
            .load()
            .iter()
            .find(|domain| domain.name == name)
            .cloned()
    }

    /// The language of reports to `address`.
    pub fn language(&self, address: &str) -> Language {
        self.home(address)
            .map(|domain| domain.language)
            .unwrap_or_default()
    }

    /// Who signs reports to `address`: the host's name may not be a domain that is served, and
    /// whoever answers a report must reach somebody.
    pub fn reporter(&self, address: &str) -> Option<Address> {
        self.home(address)
            .map(|domain| Address::of("postmaster", &domain.name))
    }

    /// The domain of `address` where it is ours, else the main one.
    fn home(&self, address: &str) -> Option<Domain> {
        Address::parse(address)
            .and_then(|address| self.domain(address.domain()))
            .or_else(|| self.domains.load().first().cloned())
    }

    /// Reads an address as RCPT gives it: `postmaster` may stand alone (RFC 5321 section 4.1.1.3).
    pub fn read(&self, text: &str) -> Option<Address> {
        if text.eq_ignore_ascii_case("postmaster") {
            return self
                .domains
                .load()
                .first()
                .map(|main| Address::of("postmaster", &main.name));
        }
        Address::parse(text)
    }

    /// Where `address` leads in the end.
    pub fn find(&self, address: &Address) -> Result<Found, StoreError> {
        if self.domain(address.domain()).is_none() {
            return Ok(Found::Elsewhere);
        }
        let mut walk = Walk {
            directory: self,
            opened: HashSet::new(),
            targets: Vec::new(),
        };
        let mut waiting = vec![address.to_string()];
        let mut steps = 0;
        while let Some(text) = waiting.pop() {
            steps += 1;
            if steps > STEPS_MAX || walk.targets.len() > TARGETS_MAX {
                return Ok(Found::Tangled);
            }
            waiting.extend(walk.step(&text)?.into_iter().rev());
        }
        Ok(match (walk.targets.is_empty(), walk.opened.is_empty()) {
            (false, _) if walk.targets.len() > TARGETS_MAX => Found::Tangled,
            (false, _) => Found::Leads(walk.targets),
            (true, true) => Found::Unknown,
            (true, false) => Found::Tangled,
        })
    }

    /// Whether mail for `address` reaches `account`, so that its owner may write under it.
    pub fn belongs(&self, address: &Address, account: &str) -> Result<bool, StoreError> {
        Ok(match self.find(address)? {
            Found::Leads(targets) => targets.contains(&Target::Account(account.to_owned())),
            Found::Elsewhere | Found::Unknown | Found::Tangled => false,
        })
    }

    fn account(&self, address: &Address) -> Result<Option<String>, StoreError> {
        Ok(self
            .store
            .account(&address.to_string())?
            .map(|account| account.login))
    }

    /// Who reads what is for the postmaster where nobody was named: the domain's first account, else
    /// the first of all.
    fn first_account(&self, domain: &str) -> Result<Option<String>, StoreError> {
        let mut accounts = self.store.accounts()?;
        accounts.sort_by_key(|account| (account.created, account.login.clone()));
        let of_domain = |login: &str| {
            login
                .rsplit_once('@')
                .is_some_and(|(_, name)| name == domain)
        };
        let own = accounts
            .iter()
            .position(|account| of_domain(&account.login));
        Ok(own
            .or((!accounts.is_empty()).then_some(0))
            .map(|at| accounts.swap_remove(at).login))
    }
}

/// One look at where an address leads.
struct Walk<'a> {
    directory: &'a Directory,
    /// Aliases already followed.
    opened: HashSet<String>,
    targets: Vec<Target>,
}

impl Walk<'_> {
    /// Follows one address: notes a target, or gives the addresses that come next.
    fn step(&mut self, text: &str) -> Result<Vec<String>, StoreError> {
        let Some(address) = Address::parse(text) else {
            return Ok(Vec::new());
        };
        let Some(domain) = self.directory.domain(address.domain()) else {
            self.reach(Target::Remote(text.to_owned()));
            return Ok(Vec::new());
        };
        let plain = address.without_detail();
        for known in [Some(&address), plain.as_ref()].into_iter().flatten() {
            if let Some(next) = self.follow(known)? {
                return Ok(next);
            }
        }
        if address.local() == "postmaster" {
            if let Some(account) = self.directory.first_account(address.domain())? {
                self.reach(Target::Account(account));
            }
            return Ok(Vec::new());
        }
        match domain.catch_all {
            Some(catch_all) if self.opened.insert(format!("*@{}", domain.name)) => {
                Ok(vec![catch_all])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// An alias goes before an account of the same name, so that mail can be diverted; an alias that
    /// names itself means that account, so that a copy can be kept.
    fn follow(&mut self, address: &Address) -> Result<Option<Vec<String>>, StoreError> {
        let text = address.to_string();
        if let Some(alias) = self.directory.store.alias(&text)?
            && self.opened.insert(text)
        {
            return Ok(Some(alias.targets));
        }
        let Some(account) = self.directory.account(address)? else {
            return Ok(None);
        };
        self.reach(Target::Account(account));
        Ok(Some(Vec::new()))
    }

    fn reach(&mut self, target: Target) {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }
}
