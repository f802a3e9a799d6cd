init-exists = { $path } is there already; nothing was written. Choose another folder with --dir, or move it away first.
init-failed = { $path } cannot be written: { $why }.
init-not-a-domain = “{ $domain }” is not a domain name such as example.org.
init-no-address = This computer has no address through which others could reach it. Name one with --address.
init-not-an-account = “{ $account }” cannot be the first account: name a full address of the domain, such as anna@{ $domain }.
init-no-random = The system gives no random bytes, so no password can be drawn: { $why }. Give one on standard input.
init-done =
    Written for { $domain }:
    {"  "}{ $config }  the configuration, every key explained
    {"  "}{ $zone }  its names
    {"  "}{ $site }/  its web site
    {"  "}{ $store }/  the store, with the account { $login },
    {"    "}to which { $aliases } lead, too (`guichet alias` changes that)
    {"  "}{ $token }  the token that opens the watch address
init-password =
    The password of { $login } is { $password }
    Write it down now: it is kept nowhere in clear. `guichet account passwd { $login }` sets another one.
init-private = Others on the Internet cannot reach { $addresses }. Behind a router, put the router's public address into the zone, and have it pass the ports on.
init-next =
    Tell the registrar of { $domain }:
      name server  ns1.{ $domain }  with the address(es) { $addresses }
    Tell the provider of the address(es):
      reverse name  mail.{ $domain }  (other mail servers ask for it)
      port 25 must be open in both directions
    Put a certificate for { $domain }, *.{ $domain } into [tls] of the configuration; without one nobody can log in.
    Then:
      guichet check --config { $config }
      guichet serve --config { $config }
    While it serves, `guichet account add anna@{ $domain } --config { $config }` adds people.
init-file-head = Guichet's configuration. A key behind # has its default; `guichet explain KEY` says more, `guichet check` checks the file.
init-page-title = Welcome to { $domain }
init-page-text = This page is made of three files: the text, its style and a picture. Each was fetched on its own.
init-page-picture = A house with an open door
