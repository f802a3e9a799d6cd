# La socket par laquelle les commandes parlent à un serveur en marche.
control-none = Aucun serveur trouvé : il n’y a pas de guichet.toml dans ce dossier, et aucun de vos labs ne tourne. Démarrez-en un, ou nommez-en un par --dir, --config ou --control.
control-nobody = Aucun serveur ne répond à { $path } ({ $why }). Démarrez-le, ou nommez-en un autre par --dir, --config ou --control.
control-broken = La conversation par { $path } s’est interrompue : { $why }.
control-foreign = La socket { $path } appartient au programme d’un autre utilisateur ; rien ne lui a été dit.
control-garbled = Le serveur de { $path } répond ce que ce programme ne comprend pas ({ $detail }). Sont-ils de la même version ?
control-taken = Un serveur répond déjà à { $path }. Arrêtez-le d’abord : guichet stop --control { $path }
control-bind = La socket de commande { $path } ne peut pas être créée : { $why }. La clé `control` nomme un autre endroit ; un chemin compte au plus 107 octets.
control-no-request = La commande n’a pas été comprise : elle ne s’est pas terminée à temps.
control-unknown = Le serveur ne connaît pas cette commande ({ $detail }). Est-il d’une version plus ancienne ?
control-not-found = { $name } n’existe pas ici.
control-no-such-organisation = Il n’y a pas d’organisation { $org } ici.
