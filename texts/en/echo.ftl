echo-where = Speaking to { $peer } over { $transport }.
echo-again = The other side was full, or it was lost on the way. Next attempt in { $seconds } s.
echo-came-back = “{ $text }” came back unchanged: { $bytes } { $bytes ->
        [one] byte
       *[other] bytes
    } in { $ms } ms.
echo-summary = { $count } times: at least { $least } ms, half within { $median } ms, at most { $most } ms.
echo-differs = What came back is not what was sent: “{ $received }”.
echo-broken = { $host } port { $port } gave no echo: { $why }.
echo-text-size = An echo needs a text, over UDP one of at most { $most } bytes.
