# The socket through which commands speak to a running server.
control-none = No server was found: there is no guichet.toml in this folder, and no lab of yours runs. Start one, or name one with --dir, --config or --control.
control-nobody = No server answers at { $path } ({ $why }). Start it, or name another with --dir, --config or --control.
control-broken = The conversation over { $path } broke off: { $why }.
control-foreign = The socket { $path } belongs to another user's program; nothing was said to it.
control-garbled = The server at { $path } answers what this program does not understand ({ $detail }). Are they of the same version?
control-taken = A server already answers at { $path }. Stop it first: guichet stop --control { $path }
control-bind = The control socket { $path } cannot be made: { $why }. The key `control` names another place; a path has at most 107 bytes.
control-no-request = The command was not understood: it did not end in time.
control-unknown = The server does not know this command ({ $detail }). Is it of an older version?
control-not-found = { $name } does not exist here.
control-no-such-organisation = There is no organisation { $org } here.
