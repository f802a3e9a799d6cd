connect-where = Connected to { $peer }.
connect-typing = Connected to { $peer }. What you type is sent line by line; Ctrl-D ends your half.
connect-closed = The other side closed.
connect-broken = The exchange with { $host } port { $port } broke off: { $why }.
