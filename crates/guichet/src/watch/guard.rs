//! Who may look.

use std::net::IpAddr;

use guichet_proto::http::{Field, Request};

const COOKIE: &str = "guichet_watch";

/// Lets in whoever shows the token, from a page of this very address.
pub struct Guard {
    token: String,
    hosts: Vec<String>,
}

pub(super) enum Verdict {
    Welcome,
    /// The token stood in the address: it goes into a cookie and out of sight.
    FirstTime {
        cookie: String,
    },
    /// In words.
    Refused(&'static str),
}

impl Guard {
    /// `hosts`: names under which this address may be called besides its plain IP addresses and
    /// `localhost`.
    pub fn new(token: String, hosts: Vec<String>) -> Self {
        Self { token, hosts }
    }

    pub(super) fn judge(&self, request: &Request) -> Verdict {
        if !self.is_ours(&request.host) {
            return Verdict::Refused("This address does not answer under that name.");
        }
        if !is_from_here(request) {
            return Verdict::Refused("A page of another origin may not ask here.");
        }
        if self.shows_cookie(request) {
            return Verdict::Welcome;
        }
        let given = request
            .query()
            .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("t=")));
        match given {
            Some(token) if same(token, &self.token) => Verdict::FirstTime {
                cookie: format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", self.token),
            },
            _ => Verdict::Refused(
                "Open the watch address with its token, as `guichet lab` or `guichet status` prints it.",
            ),
        }
    }

    /// A foreign name that was made to lead here (DNS rebinding) is not ours.
    fn is_ours(&self, host: &str) -> bool {
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        plain.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || self.hosts.iter().any(|known| known == host)
    }

    fn shows_cookie(&self, request: &Request) -> bool {
        request
            .fields
            .all(Field::Cookie)
            .flat_map(|list| list.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
            .any(|token| same(token, &self.token))
    }
}

/// Browsers say where a request comes from; programs that say nothing carry no one's cookie.
fn is_from_here(request: &Request) -> bool {
    if let Some(site) = request.fields.get(Field::SecFetchSite)
        && !matches!(site, "same-origin" | "none")
    {
        // A link on another page may lead here; what it fetches in the background may not.
        return site != "cross-site" && request.fields.get(Field::SecFetchMode) == Some("navigate");
    }
    match request.fields.get(Field::Origin) {
        None => true,
        Some(origin) => {
            let own = match request.port {
                Some(port) => format!("http://{}:{port}", request.host),
                None => format!("http://{}", request.host),
            };
            origin == own
        }
    }
}

/// Compares without telling by the time taken how much was right.
fn same(given: &str, token: &str) -> bool {
    given.len() == token.len()
        && given
            .bytes()
            .zip(token.bytes())
            .fold(0, |sum, (one, other)| sum | (one ^ other))
            == 0
}
