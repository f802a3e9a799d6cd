init-exists = { $path } existe déjà ; rien n’a été écrit. Choisissez un autre dossier avec --dir, ou déplacez-le d’abord.
init-failed = { $path } ne peut pas être écrit : { $why }.
init-not-a-domain = « { $domain } » n’est pas un nom de domaine comme example.org.
init-no-address = Cet ordinateur n’a aucune adresse par laquelle d’autres pourraient l’atteindre. Indiquez-en une avec --address.
init-not-an-account = « { $account } » ne peut pas être le premier compte : donnez une adresse complète du domaine, par exemple anna@{ $domain }.
init-no-random = Le système ne donne pas d’octets aléatoires, aucun mot de passe ne peut donc être tiré : { $why }. Donnez-en un sur l’entrée standard.
init-done =
    Écrit pour { $domain } :
    {"  "}{ $config }  la configuration, chaque clé expliquée
    {"  "}{ $zone }  ses noms
    {"  "}{ $site }/  son site
    {"  "}{ $store }/  le dépôt, avec le compte { $login },
    {"    "}auquel mènent aussi { $aliases } (`guichet alias` permet d’en changer)
    {"  "}{ $token }  le jeton qui ouvre l’adresse d’observation
init-password =
    Le mot de passe de { $login } est { $password }
    Notez-le maintenant : il n’est gardé nulle part en clair. `guichet account passwd { $login }` en fixe un autre.
init-private = Les autres, sur Internet, ne peuvent pas atteindre { $addresses }. Derrière une box, mettez son adresse publique dans la zone et faites-lui transmettre les ports.
init-next =
    Dites au bureau d’enregistrement de { $domain } :
      serveur de noms  ns1.{ $domain }  à l’adresse ou aux adresses { $addresses }
    Dites au fournisseur de l’adresse :
      nom inverse  mail.{ $domain }  (les autres serveurs de messagerie le demandent)
      le port 25 doit être ouvert dans les deux sens
    Mettez un certificat pour { $domain }, *.{ $domain } dans [tls] de la configuration ; sans lui, personne ne peut ouvrir de session.
    Ensuite :
      guichet check --config { $config }
      guichet serve --config { $config }
    Pendant qu’il sert, `guichet account add anna@{ $domain } --config { $config }` ajoute des personnes.
init-file-head = La configuration de Guichet. Une clé précédée de # a sa valeur par défaut ; `guichet explain CLÉ` en dit plus, `guichet check` vérifie le fichier.
init-page-title = Bienvenue à { $domain }
init-page-text = Cette page est faite de trois fichiers : le texte, son style et une image. Chacun a été demandé à part.
init-page-picture = Une maison à la porte ouverte
