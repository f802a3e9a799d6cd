# Ce que la trace dit des échanges : les colonnes du dessin, le récit d’un trajet.
# Un message par ligne ; les arguments sont déjà lisibles sans risque sur un terminal.

trace-lane-client = client
trace-lane-resolver = résolveur
trace-lane-root = racine
trace-port = port { $port }
trace-port-mapped = port { $port }, ici { $real }
trace-legend = ═ sous TLS   ─ en clair
trace-legend-ascii = = sous TLS   - en clair
trace-tls-begins = TLS commence ({ $version })
trace-ended = fin de l’échange : { $reason }
trace-remembered = déjà connu
trace-gap = { $time } : il manque ici { $count } enregistrements, il y en avait plus qu’on ne pouvait en garder.

# Pourquoi un échange s’est terminé trop tôt, au milieu d’une phrase.
trace-reason-reset = la connexion a été rompue
trace-reason-timeout = aucune réponse n’est venue à temps
trace-reason-stopped = le serveur s’arrêtait
trace-reason-refused = il a été refusé
trace-reason-unreachable = la connexion n’a pas pu être établie
trace-reason-silent = le serveur n’a pas donné de réponse
trace-reason-panic = une erreur dans le programme y a mis fin
trace-reason-tls = aucun accord sur TLS n’a été trouvé
trace-reason-cut = il a été coupé

trace-story-handed = { $from } a remis la lettre pour { $to } au serveur { $server } ({ $port }), en clair.
trace-story-handed-tls = { $from } a remis la lettre pour { $to } au serveur { $server } ({ $port }), sous TLS.
trace-story-refused = Le serveur { $server } n’a pas accepté la lettre : { $reason }.
trace-story-names = { $client } a interrogé le service de noms : { $questions }.
trace-story-names-remembered = { $client } connaissait déjà la réponse à : { $questions }.
trace-story-walk = Pour trouver la réponse, ces serveurs de noms ont été interrogés : { $servers }.
trace-story-relayed = Le serveur { $client } s’est connecté au serveur { $server } ({ $port }) et lui a transmis la lettre, en clair.
trace-story-relayed-tls = Le serveur { $client } s’est connecté au serveur { $server } ({ $port }) et lui a transmis la lettre, sous TLS.
trace-story-relay-refused = Le serveur { $client } s’est connecté au serveur { $server } ({ $port }), qui n’a pas pris la lettre : { $reason }.
trace-story-deferred = La lettre attend et sera présentée de nouveau : { $reason }.
trace-story-failed = La lettre n’a pas pu être remise : { $reason }.
trace-story-delivered = La lettre est dans la boîte aux lettres de { $to }.
trace-story-report = Un avis d’échec est dans la boîte aux lettres de { $to }.
trace-story-collected = { $person } a demandé au serveur { $server } s’il y avait du courrier et a reçu la lettre.
trace-story-seen = { $person } a interrogé le serveur { $server } sur la lettre et l’y a laissée.
trace-story-fetched = { $person } a demandé au serveur { $server } s’il y avait du courrier et l’a reçu.
trace-story-none = { $person } a demandé au serveur { $server } s’il y avait du courrier : il n’y en avait pas.
trace-story-page = Requête : { $client } a demandé { $page } au serveur { $server } ({ $port }).
trace-story-page-reply = Réponse du serveur : { $status }.
trace-story-page-parts = La page a été assemblée à partir de { $count } réponses, { $bytes } octets en tout.
trace-story-no-reply = Aucune réponse n’est venue.
trace-story-question = { $client } a interrogé { $server } : { $question }
trace-story-answer = Réponse : { $answer }.
trace-story-dialogue = { $client } et le serveur { $server } ({ $port }) ont dialogué en { $protocol }. Messages : { $count }.
trace-story-broken = L’échange avec { $server } s’est interrompu : { $reason }.
trace-story-open = L’échange avec { $server } est encore ouvert.
