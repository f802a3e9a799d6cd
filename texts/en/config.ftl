config-good = { $file } is good. Domains: { $domains }.

# What is wrong with a file.
config-finding = { $file }:{ $line }: { $what }
config-finding-file = { $file }: { $what }
config-not-toml = This is not TOML: { $detail }.
config-unknown = There is no key `{ $key }`. `guichet explain` lists them all.
config-unknown-nearest = There is no key `{ $key }`. Do you mean `{ $nearest }`?
config-not-a-table = `{ $key }` is a group of keys, not a key: write [{ $key }] and the keys under it.
config-refused = `{ $key }` { $what }
config-wrong-value = takes { $expected }, not { $found }.
config-found = { $text }
config-found-list = a list
config-found-table = a table
config-missing-in-entry = has an entry without `{ $key }`.
config-no-domains = `domains` is missing: name at least one domain, for example domains = ["example.org"].
config-retry-order = `mail.queue.first_retry` is longer than `mail.queue.retry_most`: make the first one shorter or the second one longer.
config-expire-order = `mail.queue.expire` is shorter than `mail.queue.retry_most`: a message would be given up before it is tried again.
config-address-twice = `{ $key }` names { $address }, which `{ $other }` has already: give one of them another port or address.

# What a key takes, in the middle of a sentence.
config-kind-text = a text such as "guichet"
config-kind-domain = a domain name such as "example.org"
config-kind-domains = a list of domain names such as ["example.org"]
config-kind-path = a path such as "store"
config-kind-choice = one of { $words }
config-kind-switch = true or false
config-kind-count = a whole number from { $least } to { $most }
config-kind-bytes = a size such as "10 MB", from { $least } to { $most }
config-kind-duration = a time with its unit such as "5m", from { $least } to { $most }
config-kind-seconds = seconds such as 3, or a time such as "500ms", at most { $most }
config-kind-addresses = a list of addresses with ports such as ["192.0.2.1:25", "[::]:25"]
config-kind-loopback = a list of addresses of this computer alone such as ["127.0.0.1:53", "[::1]:53"]
config-kind-certificates = a list such as [{"{"} certificate = "chain.pem", key = "key.pem" {"}"}]
config-kind-dial-map = a table from "host:port" to addresses such as {"{"} "192.0.2.1:25" = "127.0.0.1:2525" {"}"}

# The keys.
config-domains = The domains this server serves.
    .why = Names, pages and mail are answered for these alone; everything else is refused.
config-hostname = The name of this computer: in greetings, towards other mail servers, as the MX of the domains. Without it: mail.DOMAIN with the first domain.
    .why = Other mail servers look this name up and distrust a server whose name does not lead back to it.
config-language = The language of the log and of pages for people. Without it: that of the environment.
    .why = A service often runs without the locale of the people who read its log.
config-user = The user to become after the sockets are open, when started as root. Without it the user stays.
    .why = Ports below 1024 need root to open; nothing afterwards does.
config-control = The socket through which `guichet status`, `stop`, `account` and the like talk to this server.
    .why = It lies beside the file so that commands in this folder find it.
config-store-dir = The folder of the store: mail, accounts, the queue.
    .why = Everything that must last is in one folder, so that one folder is backed up.
config-names-zones = The folder of zone files: one NAME.zone for each domain.
    .why = Zone files (RFC 1035) are what every administrator and every tool can read.
config-names-roots = The root name servers from which the resolver begins. Empty: the public ones.
    .why = Only a closed network, such as the lab, has a root of its own.
config-names-resolver-listen = Where the resolver answers other programs of this computer. Empty: nowhere.
    .why = A resolver that strangers can reach is used to attack others, so it gets a socket only on request and only on loopback.
config-pages-sites = The folder of sites: one folder for each host name.
    .why = A site is its files; to put a page online is to copy a file.
config-listen-addresses = Where the service listens. Empty: it is off.
    .why = Nothing listens that the file does not name.
config-listen-backlog = How many connections may wait in the kernel's queue until they are accepted.
    .why = Enough for a burst; the kernel caps it at net.core.somaxconn.
config-listen-most = How many connections the service holds at once; further ones are refused politely.
    .why = A limit keeps one service from taking the descriptors and the memory of the others.
config-tls-certificates = Certificate chains with their keys, PEM files; `names` restricts an entry to these host names.
    .why = Without a certificate nothing is faked: no STARTTLS is offered, log-ins are refused, and the ports that begin with TLS stay closed.
config-mail-size-bytes-most = The largest message that is accepted (RFC 1870).
    .why = Large enough for what people attach, small enough that one message does not fill the disk.
config-mail-clear-logins = Whether people may log in without TLS.
    .why = A password in clear can be read by everybody on the way; only a lab may want to show that.
config-mail-queue-first-retry = The pause after the first failed attempt to hand a message over; each further one is twice as long.
    .why = Most failures are short: a server that restarts, greylisting.
config-mail-queue-retry-most = The longest pause between two attempts.
    .why = A server that comes back after a day gets its mail within hours.
config-mail-queue-expire = When a message is given up and its sender is told.
    .why = RFC 5321 section 4.5.4.1 asks for at least four to five days.
config-dial-map = Where connections to a host and port really go.
    .why = It gives standard ports their meaning where they cannot be opened, as in the lab; the trace shows both.
config-trace-level = How much of each exchange is recorded: nothing, who, verb, answer and sizes, or also the bytes.
    .why = `envelope` answers what happened to a message without reading it.
config-trace-days = After how many days the trace is deleted.
    .why = Long enough to look into a complaint, short enough not to keep a history of people.
config-trace-bytes-most = How much disk the trace may take; the oldest part goes first.
    .why = A trace must never fill the disk on which the mail lies.
config-stop-drain-s = How long dialogues under way may take to end when the server stops.
    .why = Idle ones are told at once; a message in the middle of its transfer may finish.
config-watch-token-file = The file with the token that opens the watch address. It is made by `guichet init` or at the first start.
    .why = Whoever can read the trace can read people's lives: knowing the address must not be enough.
