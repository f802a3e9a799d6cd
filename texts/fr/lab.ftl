lab-base-port = { $base } ne peut pas servir de base aux ports : avec les numéros habituels, on dépasserait 65535. Prenez-en une en dessous de 64000, par exemple 20000.
lab-ports-taken = Trop de ports sont pris pour un laboratoire, par exemple { $address }. Arrêtez ce qui les utilise, ou indiquez une autre base avec --base-port.
lab-files = { $path } ne peut pas être lu ou écrit : { $why }.
lab-running = Un laboratoire tourne déjà dans { $dir }. Arrêtez-le avec `guichet lab stop`, ou indiquez un autre dossier avec --dir.
lab-zone = La zone { $zone } du laboratoire est incorrecte : { $why }.
lab-organisation-failed = { $domain } n’a pas démarré : { $why } Son journal : { $log }.
lab-fault-unknown = { $spec } n’est pas une panne que le laboratoire connaît. Essayez par exemple stop=sud ou stop=sud.smtp.
lab-fault-organisation = { $name } est arrêté. `guichet lab start { $name }` le relance.
lab-fault-service = { $name } ne répond plus pour { $service }. Il le fera de nouveau une fois arrêté et relancé : `guichet fault stop={ $name }`, puis `guichet lab start { $name }`.
lab-not-here = Le laboratoire lui-même ne peut pas faire cela ; demandez-le à l’une de ses organisations avec --org.
lab-letter-subject = Bonjour du nord
lab-letter-text = Bonjour Bob, cette lettre est allée de mon programme à notre serveur, de là au vôtre, et elle a attendu dans votre boîte.
lab-letter-missing = la lettre n’était pas dans la boîte.
lab-letter-changed = la lettre est arrivée, mais son texte n’était plus le même.
lab-letter-stopped = la lettre est dans l’état { $state } : { $why }.
lab-letter-late = la lettre n’est pas arrivée à temps.
lab-page-wrong = la page n’est pas arrivée entière : il fallait un texte, une feuille de style et une image.
lab-hop-missing = le service de noms n’a pas interrogé { $hop }.
lab-step-missing = l’étape n’apparaît pas dans la trace.
lab-step-failed = L’étape { $step } a échoué : { $why }
lab-opening =
    Laboratoire Guichet : deux organisations sur cet ordinateur. Rien n’en sort. Ctrl-C arrête.
    {"  "}{ $organisations }
    {"  "}Mot de passe : lab     Serveur de noms : { $resolver }
    {"  "}Port = { $base } + numéro usuel : { $ports }
    À observer : { $watch }
    À essayer, dans une deuxième fenêtre :
    {"  "}une lettre  { $program } send --from alice@nord.test --to bob@sud.test --text Bonjour
    {"  "}            { $program } fetch --pop3 --login bob@sud.test
    {"  "}une page    { $program } get http://www.sud.test/
    {"  "}à la main   { $program } connect { $ip } { $port }    puis tapez HELP
    Toutes les adresses et plus : { $program } lab help
lab-moved = { $address } est pris : les ports de ce laboratoire commencent à { $base }.
lab-command-missing = Il manque une commande après --.
lab-command = { $program } ne peut pas être lancé : { $why }.
lab-none = Il n’y a pas de laboratoire dans { $dir }. `guichet lab` en démarre un.
lab-reset = Le laboratoire dans { $dir } est oublié ; le prochain démarrage en fera un nouveau.
