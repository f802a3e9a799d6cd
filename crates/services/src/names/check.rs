//! What is wrong with a zone file, in words that say what to do.

use std::collections::{HashMap, HashSet};
use std::fmt;

use guichet_proto::dns::{Name, Record, Rtype, first_name};

use super::parse::{Line, parse};
use super::zone::{Folded, Found, Zone};

/// Whether a zone may be served in spite of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It may; somebody should look at it.
    Warning,
    /// It may not.
    Error,
}

/// One thing found in a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, 1-based; `None` when it concerns the zone as a whole.
    pub line: Option<usize>,
    /// What is wrong and what was expected.
    pub text: String,
}

impl Finding {
    pub(super) fn error(line: usize, text: String) -> Self {
        Self {
            severity: Severity::Error,
            line: Some(line),
            text,
        }
    }

    fn warning(line: usize, text: String) -> Self {
        Self {
            severity: Severity::Warning,
            line: Some(line),
            text,
        }
    }

    fn whole(text: String) -> Self {
        Self {
            severity: Severity::Error,
            line: None,
            text,
        }
    }
}

impl fmt::Display for Finding {
    /// `line 12: error: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match self.severity {
            Severity::Warning => f.write_str("warning: ")?,
            Severity::Error => f.write_str("error: ")?,
        }
        f.write_str(&self.text)
    }
}

/// Judges a zone file. `origin` completes relative names until the file sets `$ORIGIN`; the zone's
/// name is the owner of its SOA. The zone is there exactly when no finding is an error.
pub fn check(origin: &Name, text: &str) -> (Option<Zone>, Vec<Finding>) {
    let lines = match parse(origin, text) {
        Ok(lines) => lines,
        Err(finding) => return (None, vec![finding]),
    };
    let Some(soa) = lines.iter().find(|line| line.record.rtype == Rtype::SOA) else {
        let text = "the zone has no SOA record; it should be the first record".to_owned();
        return (None, vec![Finding::whole(text)]);
    };
    let apex = soa.record.owner.clone();
    let mut findings = Vec::new();
    let lines = each_record(&apex, lines, &mut findings);
    each_name(&apex, &lines, &mut findings);
    let zone = Zone::build(apex, lines.iter().map(|line| line.record.clone()).collect());
    each_target(&zone, &lines, &mut findings);
    findings.sort_by_key(|finding| finding.line);
    let served = findings
        .iter()
        .all(|finding| finding.severity < Severity::Error);
    (served.then_some(zone), findings)
}

impl Zone {
    /// Reads a zone that will be served.
    ///
    /// # Errors
    /// All findings, when at least one is an error.
    pub fn parse(origin: &Name, text: &str) -> Result<Self, Vec<Finding>> {
        let (zone, findings) = check(origin, text);
        zone.ok_or(findings)
    }
}

/// Rules for a record by itself; what breaks them, and repetitions, are left out of the result.
fn each_record(apex: &Name, lines: Vec<Line>, findings: &mut Vec<Finding>) -> Vec<Line> {
    let mut seen = HashSet::new();
    let mut soa_line = None;
    let mut kept = Vec::with_capacity(lines.len());
    for line in lines {
        let Record {
            owner,
            rtype,
            data,
            ttl_seconds,
        } = &line.record;
        let problem = if !owner.ends_with(apex) {
            Some(Finding::error(
                line.number,
                format!("{owner} is not in the zone {apex}"),
            ))
        } else if rtype.to_int() >= 128 && rtype.to_int() < 256 || *rtype == Rtype::OPT {
            Some(Finding::error(
                line.number,
                format!("{rtype} does not belong into a zone file"),
            ))
        } else if *ttl_seconds >> 31 != 0 {
            let text = "the TTL is above 2147483647 seconds (RFC 2181 section 8)";
            Some(Finding::error(line.number, text.to_owned()))
        } else if *rtype == Rtype::SOA && soa_line.is_some() {
            let text = format!(
                "a second SOA; the first is on line {}",
                soa_line.unwrap_or(0)
            );
            Some(Finding::error(line.number, text))
        } else if !seen.insert((owner.clone(), *rtype, data.clone())) {
            let text = format!("{owner} {rtype}: the same record again, ignored");
            Some(Finding::warning(line.number, text))
        } else {
            None
        };
        if *rtype == Rtype::SOA {
            soa_line.get_or_insert(line.number);
        }
        match problem {
            Some(finding) => findings.push(finding),
            None => kept.push(line),
        }
    }
    kept
}

/// Rules for what may stand together at one name.
fn each_name(apex: &Name, lines: &[Line], findings: &mut Vec<Finding>) {
    let mut names: HashMap<&Name, Vec<&Line>> = HashMap::new();
    for line in lines {
        names.entry(&line.record.owner).or_default().push(line);
    }
    let has = |name: &Name, rtype: Rtype| {
        names
            .get(name)
            .is_some_and(|lines| lines.iter().any(|line| line.record.rtype == rtype))
    };
    if !has(apex, Rtype::NS) {
        let text = format!("the zone has no NS record at {apex}; it needs at least one");
        findings.push(Finding::whole(text));
    }
    for (name, lines) in &names {
        let of = |rtype| lines.iter().filter(move |line| line.record.rtype == rtype);
        if let Some(alias) = of(Rtype::CNAME).next()
            && let Some(other) = lines.iter().find(|line| line.number != alias.number)
            && !matches!(other.record.rtype, Rtype::RRSIG | Rtype::NSEC)
        {
            let text = format!(
                "{name} has a CNAME on line {} and must have nothing else (RFC 2181 section 10.1)",
                alias.number
            );
            findings.push(Finding::error(other.number, text));
        }
        if let Some(second) = of(Rtype::DNAME).nth(1) {
            let text = format!("{name} has two DNAME records; at most one (RFC 6672 section 2.4)");
            findings.push(Finding::error(second.number, text));
        }
        for wild in of(Rtype::NS).chain(of(Rtype::DNAME)) {
            if name.as_slice().starts_with(b"\x01*") {
                let text = format!("a wildcard cannot hold {}", wild.record.rtype);
                findings.push(Finding::error(wild.number, text));
            }
        }
        mixed_ttl(lines, findings);
    }
}

fn mixed_ttl(lines: &[&Line], findings: &mut Vec<Finding>) {
    let mut first: HashMap<Rtype, &Line> = HashMap::new();
    for line in lines {
        let before = first.entry(line.record.rtype).or_insert(line);
        if before.record.ttl_seconds != line.record.ttl_seconds {
            let text = format!(
                "{} {}: the TTL differs from line {}; all are served with the smallest \
                 (RFC 2181 section 5.2)",
                line.record.owner, line.record.rtype, before.number
            );
            findings.push(Finding::warning(line.number, text));
        }
    }
}

/// Rules for the names that records point to, and for records nobody will ever see.
fn each_target(zone: &Zone, lines: &[Line], findings: &mut Vec<Finding>) {
    for line in lines {
        let Record {
            owner, rtype, data, ..
        } = &line.record;
        let node = zone.node(owner.as_slice());
        let below_cut = node.is_some_and(|node| node.hidden);
        let address = matches!(*rtype, Rtype::A | Rtype::AAAA);
        let at_cut = node.is_some_and(|node| node.cut);
        if below_cut && !address || at_cut && !may_stand_at_cut(*rtype) {
            let text = format!("{owner} {rtype} is never served: another zone or DNAME covers it");
            findings.push(Finding::warning(line.number, text));
        }
        if matches!(*rtype, Rtype::NS | Rtype::MX | Rtype::SRV)
            && let Some(target) = first_name(*rtype, data)
            && target.ends_with(&zone.apex)
            && !target.is_root()
        {
            target_in_zone(zone, line, &target, findings);
        }
    }
}

fn may_stand_at_cut(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::NS | Rtype::DS | Rtype::A | Rtype::AAAA | Rtype::RRSIG | Rtype::NSEC
    )
}

/// A name server, mail server or service inside the zone must have an address.
fn target_in_zone(zone: &Zone, line: &Line, target: &Name, findings: &mut Vec<Finding>) {
    let rtype = line.record.rtype;
    let addressed =
        |node: &super::zone::Node| node.set(Rtype::A).is_some() || node.set(Rtype::AAAA).is_some();
    let (known, alias) = match zone.find(&Folded::new(target.as_slice()), false) {
        Found::Exact(node) | Found::Wildcard(node) => {
            (addressed(node), node.set(Rtype::CNAME).is_some())
        }
        // Glue stands below a delegation and answers nobody, but it is there. Only the servers of
        // that delegation must have it (RFC 1034 section 4.2.1).
        Found::Delegation(..) if rtype == Rtype::NS => {
            let below_own_cut = target.ends_with(&line.record.owner);
            (
                !below_own_cut || zone.node(target.as_slice()).is_some_and(addressed),
                false,
            )
        }
        Found::Delegation(..) | Found::Renamed(..) => (true, false),
        Found::Missing => (false, false),
    };
    if alias {
        let text = format!(
            "{rtype} points to {target}, which is a CNAME; it must name a host with an address \
             (RFC 2181 section 10.3)"
        );
        findings.push(Finding::error(line.number, text));
    } else if !known {
        let text = format!("{rtype} points to {target}, which has no A or AAAA record");
        // Without these nobody reaches a zone at all; the rest is one broken reference among many.
        let owner = &line.record.owner;
        let vital = rtype == Rtype::NS && (*owner == zone.apex || target.ends_with(owner));
        findings.push(match vital {
            true => Finding::error(line.number, text),
            false => Finding::warning(line.number, text),
        });
    }
}
