serve-store = The store in { $folder } cannot be opened: { $why }.
serve-store-refused = It was not done: { $why }.
serve-store-failed = The store takes nothing any more: { $why }. Repair the disk, then restart.
serve-exists = { $name } exists already. Choose another name, or remove the old one first.
serve-trace = The trace cannot be written to { $folder }: { $why }.
serve-certificate = A certificate cannot be used: { $why }. Check tls.certificates in the configuration.
serve-no-certificate = There is no certificate, so this service does not listen. Set tls.certificates and restart.
serve-zones = The zones in { $folder } cannot be read: { $why }. `guichet zone check` tells more.
serve-sites = The folder of the sites, { $folder }, cannot be opened: { $why }.
serve-accounts = Passwords cannot be checked: { $why }.
serve-token = The token of the watch address, { $file }, cannot be read or written: { $why }.
serve-bind = { $service } cannot listen on { $address }: { $why }. Is another server running there, or is the port reserved for root?
serve-internal = The answer could not be given: { $why }.
serve-no-lab = This is a server, not a lab: it starts no organisation and causes no fault.
serve-stopped = Stopped: { $finished } dialogues finished, { $cut } cut.
serve-orphan = The lab that started this instance is gone.
serve-remark = { $service }: { $remark }
serve-watch = Watch: http://{ $address }/?t=… (the token is in { $file })
serve-user = The key user is not followed yet. Leave it out, and name the user in the service manager (User= in a systemd unit, with AmbientCapabilities=CAP_NET_BIND_SERVICE).
serve-privileges = Root's privileges could not be given up: { $why }. Start the server as another user.
