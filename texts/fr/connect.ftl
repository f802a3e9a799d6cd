connect-where = Relié à { $peer }.
connect-typing = Relié à { $peer }. Ce que vous tapez part ligne par ligne ; Ctrl-D ferme votre moitié.
connect-closed = L’autre côté a fermé.
connect-broken = L’échange avec { $host } port { $port } s’est interrompu : { $why }.
