# Étiquettes de `guichet explain` et de la documentation de la configuration.
explain-type = Valeur :
explain-default = Par défaut :
explain-why = Pourquoi :
explain-change = Après un changement :
explain-no-default = rien
explain-reload = `guichet reload` suffit.
explain-restart = il faut redémarrer le serveur.
explain-page =
    # La configuration

    Produite à partir des déclarations de `crates/guichet/src/config/declare.rs` ; `guichet explain CLÉ`
    dit la même chose. Dans un nom, `*` tient la place d’un service : dns, http, https, smtp, submission,
    submissions, pop3, pop3s, echo, watch. Les chemins relatifs partent du dossier du fichier.
