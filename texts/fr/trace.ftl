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

# Ce que nos propres programmes écrivent dans la trace.
trace-said-bytes = { $count } octets
trace-said-referral = renvoi : { $about }
trace-said-no-record = { $about } : pas d’enregistrement de ce type
trace-said-no-name = { $about } : ce nom n’existe pas
trace-said-truncated = { $about } tronquée : à redemander par TCP
trace-said-no-question = { $about } sans question
trace-said-more = { $about }, et { $count } de plus
trace-said-unreadable = { $size } octets qui ne sont pas un message DNS lisible
trace-said-request-refused = une requête refusée : { $why }
trace-said-reply-refused = une réponse refusée : { $why }
trace-said-continue = 100 le corps peut venir
trace-said-unwanted-body = un corps dont on ne voulait pas
trace-said-long-head = un en-tête plus long que permis
trace-said-long-line = une ligne plus longue que permis
trace-said-too-long = plus long que permis
trace-said-empty-line = une ligne vide avant une requête
trace-said-stream-end = la fin du flux
trace-said-in-pieces = { $about } en morceaux
trace-said-before-greeting = (avant les salutations)
trace-said-no-command = (pas une commande)
trace-said-long = (trop long)
trace-said-secret = (un secret)
trace-said-port-silent = le port { $port } ne répond pas : { $why }

# Ce que le système dit d’une connexion, au milieu d’une phrase.
trace-system-refused = la connexion a été refusée
trace-system-reset = l’autre côté a rompu la connexion
trace-system-timed-out = rien n’est venu à temps
trace-system-pipe = l’autre côté avait déjà fermé
trace-system-no-route = aucun chemin ne mène à cette adresse
trace-system-no-network = ce réseau ne peut pas être atteint

# Ce qui retient une lettre, dans « la lettre est dans l’état … ».
trace-state-deferred = « remise à plus tard »
trace-state-failed = « impossible à remettre »
trace-state-refused = « refusée »

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
trace-story-again = { $client } a réessayé avec { $server }, tout aussi vainement. Tentatives : { $count }.
trace-story-open = L’échange avec { $server } est encore ouvert.
