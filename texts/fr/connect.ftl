connect-where = Connecté à { $peer }.
connect-typing = Connecté à { $peer }. Ce que vous tapez part ligne par ligne ; Ctrl-D ferme votre côté.
connect-closed = L’autre côté a fermé.
connect-broken = L’échange avec { $host } port { $port } s’est interrompu : { $why }.
