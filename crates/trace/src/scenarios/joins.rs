//! Halves that belong together, and halves that do not.

use super::*;

#[test]
fn the_two_halves_of_a_hop_are_listed_once() {
    let view = fixture::letter_tape().0.view();
    let picture = view.picture();
    assert_eq!(view.halves().count(), 14);
    assert_eq!(picture.exchanges().len(), 7);
    for exchange in picture.exchanges() {
        assert!(exchange.client_half.is_some() && exchange.server_half.is_some());
    }
}

fn joined(view: &View, protocol: &str) -> usize {
    let picture = view.picture();
    let both = picture.exchanges().iter().filter(|exchange| {
        exchange.client_half.is_some()
            && exchange.server_half.is_some()
            && exchange.protocol() == protocol
    });
    both.count()
}

#[test]
fn tls_keys_join_halves_that_see_other_addresses() {
    let (tape, _) = fixture::letter_tape();
    // Behind a translating router, and with a clock that is an hour off.
    let translated = |source: Source, record: &mut Record| {
        if source == fixture::SUD {
            record.wall.0 += 3_600_000_000;
            if let Body::Opened(opened) = &mut record.body {
                opened.local = "10.0.0.3:20025".parse().unwrap();
            }
        }
    };
    assert_eq!(joined(&view_with(&tape, translated), "smtp"), 2);
}

#[test]
fn different_tls_keys_never_join_even_with_equal_addresses() {
    let (tape, _) = fixture::letter_tape();
    let other_key = |source: Source, record: &mut Record| {
        if let (fixture::SUD, Body::Secured(secured)) = (source, &mut record.body) {
            secured.key = [99; 16];
        }
    };
    assert_eq!(
        joined(&view_with(&tape, other_key), "smtp"),
        1,
        "the submission only"
    );
}

#[test]
fn without_tls_addresses_join_within_five_seconds() {
    let (tape, _) = fixture::letter_tape();
    let late = |seconds: u64| {
        move |source: Source, record: &mut Record| {
            if source == fixture::SUD {
                record.wall.0 += seconds * 1_000_000;
            }
        }
    };
    assert_eq!(joined(&view_with(&tape, late(4)), "pop3"), 1);
    assert_eq!(joined(&view_with(&tape, late(6)), "pop3"), 0);
    let mapped = |_: Source, record: &mut Record| {
        if let Body::Opened(opened) = &mut record.body
            && opened.role == Role::Server
            && let core::net::SocketAddr::V4(remote) = opened.remote
        {
            let mapped = remote.ip().to_ipv6_mapped();
            opened.remote = core::net::SocketAddr::new(mapped.into(), remote.port());
        }
    };
    assert_eq!(
        joined(&view_with(&tape, mapped), "pop3"),
        1,
        "::ffff:127.0.0.1 is 127.0.0.1"
    );
}

#[test]
fn a_hop_that_only_one_end_wrote_is_still_shown() {
    let (tape, _) = fixture::letter_tape();
    let mut view = View::new();
    for (source, record) in tape
        .records
        .iter()
        .filter(|(source, _)| *source != fixture::SUD)
    {
        view.add(*source, record.clone());
    }
    let picture = view.picture();
    let journey = only(&picture, Kind::Letter);
    assert_eq!(
        journey.state,
        State::Relayed,
        "what became of it there is not known"
    );
    assert!(
        texts(&journey).contains(&"250 delivered"),
        "the client's account"
    );
}

#[test]
fn a_socket_for_every_address_joins_by_its_port() {
    let (tape, _) = fixture::letter_tape();
    let anywhere = view_with(&tape, |_, record| {
        if let Body::Opened(opened) = &mut record.body
            && opened.protocol == "dns"
        {
            opened.local.set_ip([0, 0, 0, 0].into());
        }
    });
    assert_eq!(joined(&anywhere, "dns"), 4);
    let picture = anywhere.picture();
    assert!(
        picture
            .exchanges()
            .iter()
            .all(|exchange| !exchange.server().ip().is_unspecified())
    );
}

#[test]
fn on_one_machine_the_monotonic_clock_orders_what_the_wall_clock_blurs() {
    let (tape, _) = fixture::letter_tape();
    // Each instance reads its wall clock a little late, differently each time.
    let blurred = view_with(&tape, |source, record| {
        record.wall.0 += (record.at.0 / 1_000 * 7 + u64::from(source.0) * 13) % 40_000;
    });
    let (exact, picture) = (tape.view(), blurred.picture());
    let exact = exact.picture();
    let order = |picture: &Picture<'_>| -> Vec<String> {
        let journey = only(picture, Kind::Letter);
        texts(&journey).into_iter().map(String::from).collect()
    };
    assert_eq!(order(&picture), order(&exact));
}
