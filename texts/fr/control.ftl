# La socket par laquelle les commandes parlent à un serveur en marche.
control-none = Aucun serveur trouvé : il n’y a pas de guichet.toml dans ce dossier, et aucun de vos laboratoires ne tourne. Démarrez-en un, ou indiquez-en un avec --dir, --config ou --control.
control-nobody = Aucun serveur ne répond à { $path } ({ $why }). Démarrez-le, ou indiquez-en un autre avec --dir, --config ou --control.
control-organisation-down = { $domain } ne tourne pas ; relancez-le avec `guichet lab start { $name }`.
control-broken = La conversation par { $path } s’est interrompue : { $why }.
control-foreign = La socket { $path } appartient au programme d’un autre utilisateur ; rien ne lui a été dit.
control-garbled = Le serveur de { $path } répond ce que ce programme ne comprend pas ({ $detail }). Sont-ils de la même version ?
control-taken = Un serveur répond déjà à { $path }. Arrêtez-le d’abord : guichet stop --control { $path }
control-bind = La socket de commande { $path } ne peut pas être créée : { $why }. La clé `control` permet d’indiquer un autre endroit ; un chemin compte au plus 107 octets.
control-no-request = La commande n’a pas été comprise : elle ne s’est pas terminée à temps.
control-unknown = Le serveur ne connaît pas cette commande ({ $detail }). Est-il d’une version plus ancienne ?
control-not-found = { $name } n’existe pas ici.
control-no-such-organisation = Il n’y a pas d’organisation { $org } ici.

# Ce qu’a répondu un serveur en marche.
control-status = { $domains } : guichet { $version }, processus { $pid }, depuis { $since }.
control-status-lab = Laboratoire : guichet { $version }, processus { $pid }, depuis { $since }.
control-status-organisation = { $domain } : processus { $pid }
control-status-dead = { $domain } : ne tourne pas
control-service-on = { $addresses }  ouvertes : { $connections }, refusées : { $away }
control-service-off = n’écoute pas
control-status-queue = { $count ->
        [0] Aucun message n’attend.
        [one] Un message attend.
       *[other] { $count } messages attendent.
    }
control-stopped = Arrêté. Dialogues : { $finished } terminés, { $cut } coupés.
control-reloaded = { $server } : changé et relu : { $changed }.
control-reloaded-same = { $server } : rien n’a changé.
control-needs-restart = { $server } : changé, mais ces clés demandent un redémarrage : { $keys }.

control-account = { $login }  { $messages ->
        [one] { $messages } message
       *[other] { $messages } messages
    }, { $bytes } octets, depuis { $created }
control-account-is-suspended = { $login }  suspendu, { $messages ->
        [one] { $messages } message
       *[other] { $messages } messages
    }, { $bytes } octets, depuis { $created }
control-account-added = { $name } peut maintenant ouvrir une session.
control-account-password = { $name } a un nouveau mot de passe.
control-account-suspended = { $name } ne peut plus ouvrir de session ; son courrier est toujours reçu.
control-account-resumed = { $name } peut de nouveau ouvrir une session.
control-account-removed = { $name } n’est plus là, ni son courrier.

control-alias-added = { $name } est un alias : son courrier va désormais aux adresses indiquées.
control-alias-removed = { $name } n’est plus un alias.

control-domain = { $name } : { $accounts ->
        [one] { $accounts } compte
       *[other] { $accounts } comptes
    }, { $aliases ->
        [one] { $aliases } alias
       *[other] { $aliases } alias
    }
control-domain-sites = {"  "}sites : { $sites }
control-domain-zone = {"  "}zone : numéro de série { $serial }
control-domain-no-zone = {"  "}zone : pas sur ce serveur

control-queue-empty = Aucun message n’attend.
control-queued = { $id}  de { $sender }, { $bytes } octets, accepté { $accepted }
control-queued-report = { $id}  un rapport de ce serveur, { $bytes } octets, accepté { $accepted }
control-queued-waiting = à { $address } : essayé { $attempts ->
        [one] une fois
       *[other] { $attempts } fois
    }, de nouveau { $due }
control-queued-now = à { $address } : en route, essais jusqu’ici : { $attempts }
control-queued-held = à { $address } : retenu ; `guichet queue release` le laisse partir
control-queued-delivered = à { $address } : remis
control-queued-failed = à { $address } : abandonné
control-queued-removed = à { $address } : retiré
control-queue-retried = Un nouvel essai de { $name } commence.
control-queue-all-retried = Un nouvel essai commence pour tout ce qui attend.
control-queue-held = { $name } est retenu jusqu’à `guichet queue release { $name }`.
control-queue-released = { $name } sera réessayé à son heure.
control-queue-removed = { $name } est retiré de la file ; son expéditeur n’en est pas averti.

# Mots de passe.
control-password = Mot de passe de { $login } :
control-password-new = Nouveau mot de passe de { $login } :
control-password-first = Mot de passe de { $login } (Entrée seule en fait tirer un au hasard) :
control-password-again = Encore une fois :
control-password-differs = Les deux mots de passe diffèrent ; rien n’a changé.
control-password-empty = Le mot de passe est vide.
control-password-long = Le mot de passe compte plus de { $most } octets.
control-password-none = Il manque le mot de passe de { $login } : définissez GUICHET_PASSWORD, indiquez un fichier avec --password-file, ou lancez ceci dans un terminal.
