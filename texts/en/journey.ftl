# The commands that show the trace.
journey-line = { $id }  { $time }  { $kind }  { $title }  { $state }, { $ms } ms
journey-none-yet = Nothing has been recorded yet that fits.
journey-none-such = No journey fits. `guichet trace list` shows them all.
journey-not-an-id = “{ $id }” is not the id of a journey; those begin with j- and stand in `guichet trace list`.
journey-unknown = The trace does not know { $id } (any more). `guichet trace list` shows what it knows.
journey-server-stopped = The server at { $path } has stopped.
journey-wait-for-what = Say which letter to wait for: --to, --from or --message-id.
journey-not-a-time = “{ $text }” is neither a time such as 2026-01-01T10:00:00Z nor a duration such as 10m.
journey-waited = No such letter came to its end within { $seconds } s. Letters begun before the server was started count only with --since.
journey-came-to-nothing = The letter did not arrive: { $state }.

journey-kind-letter = letter
journey-kind-page = page
journey-kind-name = name
journey-kind-collection = look for mail
journey-kind-dialogue = mail dialogue
journey-kind-other = exchange

journey-state-open = under way
journey-state-submitted = accepted by its first server
journey-state-queued = waits to be handed on
journey-state-deferred = will be tried again
journey-state-relayed = handed to another system
journey-state-delivered = delivered
journey-state-fetched = delivered and fetched
journey-state-refused = refused
journey-state-failed = failed
journey-state-answered = answered
journey-state-collected = there was mail
journey-state-empty = there was no mail
journey-state-done = done
journey-state-broken = broke off ({ $reason })
