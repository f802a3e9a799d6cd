# Les commandes qui montrent la trace.
journey-line = { $id }  { $time }  { $kind }  { $title }  { $state }, { $ms } ms
journey-none-yet = Rien de tel n’a encore été enregistré.
journey-none-such = Aucun trajet ne convient. `guichet trace list` les montre tous.
journey-not-an-id = « { $id } » n’est pas l’identifiant d’un trajet ; ils commencent par j- et se trouvent dans `guichet trace list`.
journey-unknown = La trace ne connaît pas (ou plus) { $id }. `guichet trace list` montre ce qu’elle connaît.
journey-server-stopped = Le serveur de { $path } s’est arrêté.
journey-wait-for-what = Indiquez quelle lettre attendre : --to, --from ou --message-id.
journey-not-a-time = « { $text } » n’est ni un instant tel que 2026-01-01T10:00:00Z, ni une durée telle que 10m.
journey-waited = Aucune lettre de ce genre n’est arrivée à sa fin en { $seconds } s. Les lettres parties avant le démarrage du serveur ne comptent qu’avec --since.
journey-came-to-nothing = La lettre n’est pas arrivée : { $state }.

journey-kind-letter = lettre
journey-kind-page = page
journey-kind-name = nom
journey-kind-collection = relève
journey-kind-dialogue = dialogue de courrier
journey-kind-other = échange

journey-state-open = en cours
journey-state-submitted = acceptée par son premier serveur
journey-state-queued = attend d’être remise plus loin
journey-state-deferred = sera réessayée
journey-state-relayed = remise à un autre système
journey-state-delivered = remise
journey-state-fetched = remise et relevée
journey-state-refused = refusée
journey-state-failed = échec
journey-state-answered = réponse reçue
journey-state-collected = il y avait du courrier
journey-state-empty = il n’y avait pas de courrier
journey-state-done = fini
journey-state-broken = interrompu ({ $reason })
