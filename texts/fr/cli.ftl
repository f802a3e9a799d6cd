cli-heading-usage = Usage :
cli-heading-commands = Commandes
cli-heading-arguments = Arguments
cli-heading-options = Choix
cli-heading-every = Choix de toutes les commandes
cli-value-command = COMMANDE

cli-guichet = Fait tourner les services Internet d’un domaine et montre chaque échange.
    .lang = Langue : en ou fr (par défaut : celle du système)
    .json = Répondre en JSON, pour les programmes
    .quiet = Taire les étapes sur la sortie d’erreur
    .control = Socket de commande du serveur auquel parler
    .config = Fichier de configuration (par défaut : guichet.toml)
    .dir = Dossier du serveur ou du lab
    .org = Une organisation du lab, par exemple nord.test
    .help = Montrer cette aide
    .version = Montrer la version
cli-explain = Dit ce qu’une clé de configuration signifie, attend et vaut par défaut, et pourquoi.
    .key = La clé, par exemple mail.queue.expire ; sans elle, toutes sont énumérées
cli-check = Vérifie la configuration et ne change rien.
cli-completions = Écrit un script qui complète les lignes de commande.
    .shell = bash, elvish, fish, powershell ou zsh

# Ce qui ne va pas dans une ligne de commande.
cli-error-see-help = `guichet --help` énumère les commandes, `guichet COMMANDE --help` les choix de l’une d’elles.
cli-error-unknown-argument = { $argument } n’a pas de sens ici.
cli-error-unknown-command = La commande « { $command } » n’existe pas.
cli-error-no-command = Il manque une commande.
cli-error-suggestion = { $what } Vouliez-vous dire { $suggested } ?
cli-error-no-value = { $argument } demande une valeur.
cli-error-value-not-one-of = { $argument } ne peut pas être « { $value } », mais : { $known }.
cli-error-value = { $argument } ne peut pas être « { $value } ».
cli-error-missing = Il manque : { $arguments }.
cli-error-conflict = { $argument } ne va pas avec { $other }.
cli-error-too-many = { $argument } a trop de valeurs.
cli-error-not-text = Un argument n’est pas du texte UTF-8.
cli-error-other = La ligne de commande est fausse : { $detail }
