# Ce qui empêche une commande de faire son travail.
error-read = { $file } est illisible : { $why }.
error-stdout = La sortie standard ne peut pas être écrite : { $why }.
error-json = Le résultat ne peut pas être écrit en JSON : { $detail }.

# Les plaintes du système, en fin de phrase.
error-io-not-found = cela n’existe pas
error-io-permission = cet utilisateur n’en a pas le droit
error-io-exists = cela existe déjà
error-io-address-in-use = un autre programme y écoute
error-io-address-not-here = cet ordinateur n’a pas cette adresse
error-io-refused = personne n’y écoute
error-io-reset = l’autre côté a rompu la connexion
error-io-unreachable = aucun chemin n’y mène
error-io-timed-out = aucune réponse n’est venue à temps
error-io-full = le disque est plein
error-io-ended = cela s’est terminé trop tôt
error-io-not-text = ce n’est pas du texte UTF-8
error-io-folder = c’est un dossier
error-io-other = le système dit « { $detail } »

error-stdin = L’entrée standard est illisible : { $why }.
error-runtime = Le programme ne peut pas attendre d’événements : { $why }.
error-unknown-host = Le nom { $host } n’a pas d’adresse. Est-il bien écrit ?
error-unreachable = { $host } port { $port } est hors d’atteinte : { $why }.
error-unknown = Cela a échoué, et il n’y a rien de plus à en dire.
error-write = { $file } ne peut pas être écrit : { $why }.
