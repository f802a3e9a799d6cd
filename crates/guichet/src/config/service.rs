//! The services a listener can be opened for.

/// A service with a listener of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Names, over UDP and TCP.
    Dns,
    /// Pages.
    Http,
    /// Pages under TLS.
    Https,
    /// Mail from other servers.
    Smtp,
    /// Mail from the domain's own people, STARTTLS.
    Submission,
    /// Mail from the domain's own people, TLS from the first byte.
    Submissions,
    /// Maildrops, STLS.
    Pop3,
    /// Maildrops, TLS from the first byte.
    Pop3s,
    /// Echo, over UDP and TCP.
    Echo,
    /// The trace in a browser.
    Watch,
}

impl Service {
    /// Every service, in the order of a configuration file.
    pub const ALL: [Self; 10] = [
        Self::Dns,
        Self::Http,
        Self::Https,
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Pop3,
        Self::Pop3s,
        Self::Echo,
        Self::Watch,
    ];

    /// Its name in configuration, JSON and variables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Http => "http",
            Self::Https => "https",
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Echo => "echo",
            Self::Watch => "watch",
        }
    }

    /// The service called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// Its usual port (IANA's registry); 20000 for the watch address, which has none.
    pub fn port(self) -> u16 {
        match self {
            Self::Dns => 53,
            Self::Http => 80,
            Self::Https => 443,
            Self::Smtp => 25,
            Self::Submission => 587,
            Self::Submissions => 465,
            Self::Pop3 => 110,
            Self::Pop3s => 995,
            Self::Echo => 7,
            Self::Watch => 20000,
        }
    }

    /// Whether it begins with TLS, so that it cannot listen without a certificate.
    pub fn begins_with_tls(self) -> bool {
        matches!(self, Self::Https | Self::Submissions | Self::Pop3s)
    }
}
