config-good = { $file } est correct. Domaines : { $domains }.

# Ce qui ne va pas dans un fichier.
config-finding = { $file }:{ $line }: { $what }
config-finding-file = { $file }: { $what }
config-not-toml = Ceci n’est pas du TOML : { $detail }.
config-unknown = La clé `{ $key }` n’existe pas. `guichet explain` les énumère toutes.
config-unknown-nearest = La clé `{ $key }` n’existe pas. Vouliez-vous dire `{ $nearest }` ?
config-not-a-table = `{ $key }` est un groupe de clés, pas une clé : écrivez [{ $key }] et les clés en dessous.
config-refused = `{ $key }` { $what }
config-wrong-value = attend { $expected }, et non { $found }.
config-found = { $text }
config-found-list = une liste
config-found-table = une table
config-missing-in-entry = a une entrée sans `{ $key }`.
config-no-domains = Il manque `domains` : indiquez au moins un domaine, par exemple domains = ["example.org"].
config-retry-order = `mail.queue.first_retry` est plus long que `mail.queue.retry_most` : raccourcissez le premier ou allongez le second.
config-expire-order = `mail.queue.expire` est plus court que `mail.queue.retry_most` : un message serait abandonné avant d’être réessayé.
config-address-twice = `{ $key }` nomme { $address }, que `{ $other }` a déjà : donnez à l’un des deux un autre port ou une autre adresse.

# Ce qu’une clé attend, au milieu d’une phrase.
config-kind-text = un texte comme "guichet"
config-kind-domain = un nom de domaine comme "example.org"
config-kind-domains = une liste de noms de domaine comme ["example.org"]
config-kind-path = un chemin comme "store"
config-kind-choice = l’un des mots { $words }
config-kind-switch = true ou false
config-kind-count = un nombre entier de { $least } à { $most }
config-kind-bytes = une taille comme "10 MB", de { $least } à { $most }
config-kind-duration = une durée avec son unité comme "5m", de { $least } à { $most }
config-kind-seconds = des secondes comme 3, ou une durée comme "500ms", au plus { $most }
config-kind-addresses = une liste d’adresses avec leur port comme ["192.0.2.1:25", "[::]:25"]
config-kind-loopback = une liste d’adresses de cet ordinateur seul comme ["127.0.0.1:53", "[::1]:53"]
config-kind-certificates = une liste comme [{"{"} certificate = "chain.pem", key = "key.pem" {"}"}]
config-kind-dial-map = une table de "hôte:port" vers des adresses comme {"{"} "192.0.2.1:25" = "127.0.0.1:2525" {"}"}

# Les clés.
config-domains = Les domaines que ce serveur sert.
    .why = Il ne répond aux questions de noms, de pages et de courrier que pour eux ; il refuse tout le reste.
config-hostname = Le nom de cet ordinateur : dans les salutations, face aux autres serveurs de messagerie, comme MX des domaines. Sans lui : mail.DOMAINE avec le premier domaine.
    .why = Les autres serveurs de messagerie cherchent ce nom et se méfient d’un serveur dont le nom ne mène pas à lui.
config-language = La langue du journal et des pages destinées aux personnes. Sans elle : celle de l’environnement.
    .why = Un service tourne souvent sans la langue de ceux qui lisent son journal.
config-user = L’utilisateur à devenir une fois les sockets ouvertes, si l’on démarre comme root. Sans lui, l’utilisateur reste.
    .why = Il faut root pour ouvrir les ports en dessous de 1024 ; plus rien n’en a besoin ensuite.
config-control = La socket par laquelle `guichet status`, `stop`, `account` et les autres parlent à ce serveur.
    .why = Elle se trouve à côté du fichier pour que les commandes lancées dans ce dossier la trouvent.
config-store-dir = Le dossier du dépôt : courrier, comptes, file d’attente.
    .why = Tout ce qui doit durer est dans un seul dossier : c’est lui que l’on sauvegarde.
config-names-zones = Le dossier des fichiers de zone : un NOM.zone par domaine.
    .why = Les fichiers de zone (RFC 1035) sont ce que chaque administrateur et chaque outil sait lire.
config-names-roots = Les serveurs de noms racine par lesquels le résolveur commence. Liste vide : les serveurs publics.
    .why = Seul un réseau fermé, comme le laboratoire, a sa propre racine.
config-names-resolver-listen = Où le résolveur répond aux autres programmes de cet ordinateur. Liste vide : nulle part.
    .why = Un résolveur accessible aux inconnus sert à attaquer les autres : il n’a donc de socket que sur demande, et seulement sur la boucle locale.
config-pages-sites = Le dossier des sites : un dossier par nom d’hôte.
    .why = Un site, ce sont ses fichiers ; mettre une page en ligne, c’est copier un fichier.
config-listen-addresses = Où le service écoute. Liste vide : il est arrêté.
    .why = Rien n’écoute que le fichier ne nomme.
config-listen-backlog = Combien de connexions peuvent attendre dans la file du noyau avant d’être acceptées.
    .why = Assez pour une rafale ; le noyau la borne à net.core.somaxconn.
config-listen-most = Combien de connexions le service tient à la fois ; les suivantes sont refusées poliment.
    .why = Une limite empêche un service de prendre les descripteurs et la mémoire des autres.
config-tls-certificates = Les chaînes de certificats avec leurs clés, en fichiers PEM ; `names` réserve une entrée à ces noms d’hôte.
    .why = Sans certificat, rien n’est simulé : STARTTLS n’est pas proposé, les ouvertures de session sont refusées, et les ports qui commencent par TLS restent fermés.
config-mail-size-bytes-most = Le plus gros message accepté (RFC 1870).
    .why = Assez grand pour ce que l’on joint d’ordinaire, assez petit pour qu’un message ne remplisse pas le disque.
config-mail-clear-logins = Si l’on peut donner son mot de passe sans TLS.
    .why = Un mot de passe en clair peut être lu par tous ceux qui sont sur le chemin ; seul un laboratoire peut vouloir le montrer.
config-mail-queue-first-retry = La pause après le premier échec de remise d’un message ; chaque pause suivante est deux fois plus longue.
    .why = La plupart des échecs sont brefs : un serveur qui redémarre, une liste grise.
config-mail-queue-retry-most = La plus longue pause entre deux essais.
    .why = Un serveur qui revient après un jour reçoit son courrier en quelques heures.
config-mail-queue-expire = Quand un message est abandonné et son expéditeur averti.
    .why = La RFC 5321, section 4.5.4.1, demande au moins quatre à cinq jours.
config-dial-map = Où vont en réalité les connexions vers un hôte et un port.
    .why = Elle rend leur sens aux ports usuels là où l’on ne peut pas les ouvrir, comme dans le laboratoire ; la trace montre les deux.
config-trace-level = Ce que l’on enregistre de chaque échange : rien, qui, verbe, réponse et tailles, ou aussi les octets.
    .why = `envelope` dit ce qu’il est advenu d’un message sans le lire.
config-trace-days = Après combien de jours la trace est effacée.
    .why = Assez long pour examiner une plainte, assez court pour ne pas tenir l’histoire des gens.
config-trace-bytes-most = La place que la trace peut prendre sur le disque ; le plus ancien part le premier.
    .why = Une trace ne doit jamais remplir le disque où se trouve le courrier.
config-stop-drain-s = Le temps laissé aux dialogues en cours pour finir quand le serveur s’arrête.
    .why = Ceux qui ne font rien sont avertis aussitôt ; un message en plein transfert peut finir.
config-watch-token-file = Le fichier du jeton qui ouvre l’adresse d’observation. `guichet init` ou le premier démarrage le crée.
    .why = Qui lit la trace lit la vie des gens : connaître l’adresse ne doit pas suffire.
