# Fichiers de zone.
zone-good = { $file } est correct : { $zone }, numéro de série { $serial }, { $records } enregistrements.
zone-error = { $place } : erreur : { $text }
zone-warning = { $place } : remarque : { $text }
zone-bad = { $count ->
        [one] Une zone ne peut pas être servie.
       *[other] { $count } zones ne peuvent pas être servies.
    } Corrigez ce qui se trouve ci-dessus ; un serveur en marche garde les dernières qui étaient correctes.
zone-none = Il n’y a aucun fichier de zone dans { $folder }.
zone-unknown = Il n’y a pas de zone { $zone } ici. `guichet zone check` énumère celles qu’il y a.
zone-no-folder = Une socket de commande ne dit pas où se trouvent les fichiers de zone : indiquez --config, --dir, ou le fichier.
