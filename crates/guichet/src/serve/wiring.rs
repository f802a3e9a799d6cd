//! The one table that says which protocol and which service stand behind which listener.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use guichet_engine::{Answering, BoundListener, ListenerSettings};
use guichet_proto::http::Scheme;
use guichet_proto::{pop3, smtp};

use super::Instance;
use super::echo::Echo;
use super::mail::{MaildropEntry, ReceptionEntry, SubmissionEntry};
use super::names::{ResolverDatagrams, ZoneDatagrams, ZoneEntry};
use super::pages::PagesEntry;
use crate::config::{Config, Listen, Service};
use crate::output::Message;
use crate::watch::WatchEntry;

/// The bound sockets of a configuration.
pub struct Sockets {
    listeners: BTreeMap<Service, Vec<BoundListener>>,
    datagrams: BTreeMap<Service, Vec<UdpSocket>>,
    resolver: Vec<UdpSocket>,
}

impl Sockets {
    /// Binds every address of the configuration. Services that begin with TLS are left out when
    /// there is no certificate.
    pub fn bind(config: &Config) -> Result<Self, Message> {
        let mut sockets = Self {
            listeners: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            resolver: Vec::new(),
        };
        let organisation: Arc<str> = config.domains.first().map_or("", String::as_str).into();
        for (&service, listen) in &config.listen {
            if service.begins_with_tls() && config.certificates.is_empty() {
                continue;
            }
            for &address in &listen.addresses {
                let bound = bind_listener(service, listen, address, &organisation)
                    .map_err(|error| cannot_bind(service.name(), address, &error))?;
                // UDP on the number that TCP was given.
                let address = bound.local().unwrap_or(address);
                sockets.listeners.entry(service).or_default().push(bound);
                if matches!(service, Service::Dns | Service::Echo) {
                    let socket = bind_datagrams(address)
                        .map_err(|error| cannot_bind(service.name(), address, &error))?;
                    sockets.datagrams.entry(service).or_default().push(socket);
                }
            }
        }
        for &address in &config.names.resolver_listen {
            let socket = bind_datagrams(address)
                .map_err(|error| cannot_bind("resolver", address, &error))?;
            sockets.resolver.push(socket);
        }
        Ok(sockets)
    }
}

fn bind_listener(
    service: Service,
    listen: &Listen,
    address: SocketAddr,
    organisation: &Arc<str>,
) -> io::Result<BoundListener> {
    BoundListener::bind(ListenerSettings {
        service: service.name().into(),
        organisation: organisation.clone(),
        address,
        backlog: listen.backlog,
        most: usize::try_from(listen.connections_most).unwrap_or(usize::MAX),
        implicit_tls: service.begins_with_tls(),
    })
}

fn cannot_bind(service: &str, address: SocketAddr, error: &io::Error) -> Message {
    Message::new("serve-bind")
        .with("service", service)
        .with_shown("address", address)
        .with("why", error)
}

/// A datagram socket; IPv6 ones take IPv6 only, as the listeners do.
pub(crate) fn bind_datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    guichet_engine::datagram::bind(address)
}

/// Puts a session and a service behind every socket.
pub(super) fn wire(instance: &Arc<Instance>, sockets: Sockets) -> Result<(), Message> {
    for &service in instance.config.listen.keys() {
        if service.begins_with_tls() && instance.tls.is_none() {
            instance.remark(service, Message::new("serve-no-certificate"));
        }
    }
    for (service, bound) in sockets.listeners {
        for bound in bound {
            wire_listener(instance, service, bound)?;
        }
    }
    for (service, sockets) in sockets.datagrams {
        for socket in sockets {
            let zones = Arc::new(ZoneDatagrams(instance.names.clone()));
            let name = service.name();
            match service {
                Service::Dns => serve_datagrams(instance, name, socket, zones)?,
                _ => serve_datagrams(instance, name, socket, Arc::new(Echo))?,
            }
        }
    }
    for socket in sockets.resolver {
        let resolver = Arc::new(ResolverDatagrams(instance.resolver.clone()));
        serve_datagrams(instance, "resolver", socket, resolver)?;
    }
    Ok(())
}

fn wire_listener(
    instance: &Arc<Instance>,
    service: Service,
    bound: BoundListener,
) -> Result<(), Message> {
    let mail = || instance.mail.clone();
    let pages = |scheme| PagesEntry {
        pages: instance.pages.clone(),
        scheme,
    };
    let secured = service.begins_with_tls();
    match service {
        Service::Echo => serve(instance, bound, Echo),
        Service::Dns => serve(instance, bound, ZoneEntry(instance.names.clone())),
        Service::Http => serve(instance, bound, pages(Scheme::Http)),
        Service::Https => serve(instance, bound, pages(Scheme::Https)),
        Service::Smtp => {
            let settings = smtp_settings(instance, smtp::Kind::Reception, secured);
            serve(
                instance,
                bound,
                ReceptionEntry {
                    mail: mail(),
                    settings,
                },
            )
        }
        Service::Submission | Service::Submissions => {
            let settings = smtp_settings(instance, smtp::Kind::Submission, secured);
            serve(
                instance,
                bound,
                SubmissionEntry {
                    mail: mail(),
                    settings,
                },
            )
        }
        Service::Pop3 | Service::Pop3s => {
            let settings = pop3::Settings {
                tls_offered: instance.tls.is_some() && !secured,
                secured,
                auth_in_clear: instance.config.mail.clear_logins,
                ..pop3::Settings::new(instance.config.hostname.clone())
            };
            serve(
                instance,
                bound,
                MaildropEntry {
                    mail: mail(),
                    settings,
                },
            )
        }
        Service::Watch => serve(instance, bound, WatchEntry(Arc::new(instance.watch()?))),
    }
}

fn smtp_settings(instance: &Instance, kind: smtp::Kind, secured: bool) -> smtp::Settings {
    smtp::Settings {
        tls_offered: instance.tls.is_some() && !secured,
        secured,
        auth_in_clear: instance.config.mail.clear_logins,
        size_bytes_most: instance.config.mail.size_bytes_most,
        ..smtp::Settings::new(instance.config.hostname.clone(), kind)
    }
}

fn serve<A: Answering>(
    instance: &Instance,
    bound: BoundListener,
    answering: A,
) -> Result<(), Message> {
    let address = bound.local().map_err(|error| Message::io(&error))?;
    instance
        .server
        .serve(bound, Arc::new(answering), instance.tls.clone())
        .map(|_| ())
        .map_err(|error| cannot_bind("", address, &error))
}

fn serve_datagrams<D: guichet_engine::Datagrams>(
    instance: &Instance,
    service: &str,
    socket: UdpSocket,
    datagrams: Arc<D>,
) -> Result<(), Message> {
    instance
        .server
        .serve_datagrams(
            socket,
            datagrams,
            instance.organisation.clone(),
            service.into(),
        )
        .map_err(|error| Message::io(&error))
}
