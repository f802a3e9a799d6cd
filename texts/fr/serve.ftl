serve-store = Le dépôt dans { $folder } ne peut pas être ouvert : { $why }.
serve-store-refused = Cela n’a pas été fait : { $why }.
serve-store-failed = Le dépôt n’accepte plus rien : { $why }. Réparez le disque, puis redémarrez.
serve-exists = { $name } existe déjà. Choisissez un autre nom, ou supprimez d’abord l’ancien.
serve-trace = La trace ne peut pas être écrite dans { $folder } : { $why }.
serve-certificate = Un certificat est inutilisable : { $why }. Vérifiez tls.certificates dans la configuration.
serve-no-certificate = Il n’y a pas de certificat : ce service n’écoute donc pas. Indiquez tls.certificates et redémarrez.
serve-zones = Les zones dans { $folder } ne peuvent pas être lues : { $why }. `guichet zone check` en dit plus.
serve-sites = Le dossier des sites, { $folder }, ne peut pas être ouvert : { $why }.
serve-accounts = Les mots de passe ne peuvent pas être vérifiés : { $why }.
serve-token = Le jeton de l’adresse d’observation, { $file }, ne peut pas être lu ou écrit : { $why }.
serve-bind = { $service } ne peut pas écouter sur { $address } : { $why }. Un autre serveur y tourne-t-il, ou le port est-il réservé à root ?
serve-internal = La réponse n’a pas pu être donnée : { $why }.
serve-no-lab = Ceci est un serveur, pas un laboratoire : il ne démarre aucune organisation et ne cause aucune panne.
serve-stopped = Arrêté : { $finished } dialogues achevés, { $cut } coupés.
serve-orphan = Le laboratoire qui a lancé cette instance n’est plus là.
serve-remark = { $service } : { $remark }
serve-watch = À observer : http://{ $address }/?t=… (le jeton est dans { $file })
serve-user = La clé user n’est pas encore suivie. Retirez-la, et indiquez l’utilisateur dans le gestionnaire de services (User= dans une unité systemd, avec AmbientCapabilities=CAP_NET_BIND_SERVICE).
serve-privileges = Les privilèges de root n’ont pas pu être abandonnés : { $why }. Lancez le serveur sous un autre utilisateur.
