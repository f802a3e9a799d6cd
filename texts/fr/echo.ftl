echo-where = Échange avec { $peer } en { $transport }.
echo-again = L’autre côté était plein, ou cela s’est perdu en route. Nouvel essai dans { $seconds } s.
echo-came-back = « { $text } » est revenu intact : { $bytes } { $bytes ->
        [one] octet
       *[other] octets
    } en { $ms } ms.
echo-summary = { $count } fois : au moins { $least } ms, la moitié en { $median } ms, au plus { $most } ms.
echo-differs = Ce qui est revenu n’est pas ce qui a été envoyé : « { $received } ».
echo-broken = { $host } port { $port } n’a pas donné d’écho : { $why }.
echo-text-size = Un écho demande un texte, en UDP d’au plus { $most } octets.
