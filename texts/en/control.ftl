# The socket through which commands speak to a running server.
control-none = No server was found: there is no guichet.toml in this folder, and no lab of yours runs. Start one, or name one with --dir, --config or --control.
control-nobody = No server answers at { $path } ({ $why }). Start it, or name another with --dir, --config or --control.
control-organisation-down = { $domain } does not run; start it again with `guichet lab start { $name }`.
control-broken = The conversation over { $path } broke off: { $why }.
control-foreign = The socket { $path } belongs to another user's program; nothing was said to it.
control-garbled = The server at { $path } answers what this program does not understand ({ $detail }). Are they of the same version?
control-taken = A server already answers at { $path }. Stop it first: guichet stop --control { $path }
control-bind = The control socket { $path } cannot be made: { $why }. The key `control` names another place; a path has at most 107 bytes.
control-no-request = The command was not understood: it did not end in time.
control-unknown = The server does not know this command ({ $detail }). Is it of an older version?
control-not-found = { $name } does not exist here.
control-no-such-organisation = There is no organisation { $org } here.

# What a running server answered.
control-status = { $domains }: guichet { $version }, process { $pid }, since { $since }.
control-status-lab = Lab: guichet { $version }, process { $pid }, since { $since }.
control-status-organisation = { $domain }: process { $pid }
control-status-dead = { $domain }: not running
control-service-on = { $addresses }  open: { $connections }, turned away: { $away }
control-service-off = does not listen
control-status-queue = { $count ->
        [0] No mail waits.
        [one] One message waits.
       *[other] { $count } messages wait.
    }
control-stopped = Stopped. Dialogues: { $finished } finished, { $cut } cut off.
control-reloaded = { $server }: changed and read again: { $changed }.
control-reloaded-same = { $server }: nothing has changed.
control-needs-restart = { $server }: changed, but these keys need a restart: { $keys }.

control-account = { $login }  { $messages ->
        [one] { $messages } message
       *[other] { $messages } messages
    }, { $bytes } bytes, since { $created }
control-account-is-suspended = { $login }  suspended, { $messages ->
        [one] { $messages } message
       *[other] { $messages } messages
    }, { $bytes } bytes, since { $created }
control-account-added = { $name } can log in now.
control-account-password = { $name } has a new password.
control-account-suspended = { $name } can no longer log in; mail is still received.
control-account-resumed = { $name } can log in again.
control-account-removed = { $name } is gone, with its mail.

control-alias-added = { $name } is an alias: its mail now goes to the addresses given.
control-alias-removed = { $name } is no longer an alias.

control-domain = { $name }: { $accounts ->
        [one] { $accounts } account
       *[other] { $accounts } accounts
    }, { $aliases ->
        [one] { $aliases } alias
       *[other] { $aliases } aliases
    }
control-domain-sites = {"  "}sites: { $sites }
control-domain-zone = {"  "}zone: serial { $serial }
control-domain-no-zone = {"  "}zone: not on this server

control-queue-empty = No mail waits.
control-queued = { $id}  from { $sender }, { $bytes } bytes, accepted { $accepted }
control-queued-report = { $id}  a report of this server, { $bytes } bytes, accepted { $accepted }
control-queued-waiting = to { $address }: tried { $attempts ->
        [one] once
       *[other] { $attempts } times
    }, again { $due }
control-queued-now = to { $address }: on its way, attempts so far: { $attempts }
control-queued-held = to { $address }: held; `guichet queue release` lets it go
control-queued-delivered = to { $address }: delivered
control-queued-failed = to { $address }: given up
control-queued-removed = to { $address }: taken out
control-queue-retried = { $name } is tried now.
control-queue-all-retried = Everything that waits is tried now.
control-queue-held = { $name } is held until `guichet queue release { $name }`.
control-queue-released = { $name } is tried again when it is due.
control-queue-removed = { $name } is taken out of the queue; its sender is not told.

# Passwords.
control-password = Password of { $login }:
control-password-new = New password for { $login }:
control-password-first = Password for { $login } (Enter alone has one drawn):
control-password-again = Once more:
control-password-differs = The two passwords differ; nothing was changed.
control-password-empty = The password is empty.
control-password-long = The password is longer than { $most } bytes.
control-password-none = The password of { $login } is missing: set GUICHET_PASSWORD, name a file with --password-file, or run this at a terminal.
