# What the trace says about exchanges: lanes of the drawing, the story of a journey.
# One message a line; arguments are already fit for a terminal.

trace-lane-client = client
trace-lane-resolver = resolver
trace-lane-root = root
trace-port = port { $port }
trace-port-mapped = port { $port }, here { $real }
trace-legend = ═ through TLS   ─ in clear
trace-legend-ascii = = through TLS   - in clear
trace-tls-begins = TLS begins ({ $version })
trace-ended = the exchange ended: { $reason }
trace-remembered = known from before
trace-gap = { $time }: { $count } records are missing here; there were more than could be kept.

# Why an exchange ended early, inside a sentence.
trace-reason-reset = the connection was broken off
trace-reason-timeout = no answer came in time
trace-reason-stopped = the server was stopping
trace-reason-refused = it was refused
trace-reason-unreachable = no connection came about
trace-reason-silent = the server gave no answer
trace-reason-panic = an error inside the program ended it
trace-reason-tls = TLS could not be agreed on
trace-reason-cut = it was cut off

# What our own programs write into the records.
trace-said-bytes = { $count } bytes
trace-said-referral = referral: { $about }
trace-said-no-record = { $about }: no such record
trace-said-no-name = { $about }: no such name
trace-said-truncated = { $about } truncated: ask over TCP
trace-said-no-question = { $about } without a question
trace-said-more = { $about }, and { $count } more
trace-said-unreadable = { $size } bytes that are not a readable DNS message
trace-said-request-refused = a request that is refused: { $why }
trace-said-reply-refused = a reply that is refused: { $why }
trace-said-continue = 100 the body may come
trace-said-unwanted-body = a body that was not wanted
trace-said-long-head = a head longer than allowed
trace-said-long-line = a line longer than allowed
trace-said-too-long = longer than allowed
trace-said-empty-line = an empty line before a request
trace-said-stream-end = the end of the stream
trace-said-in-pieces = { $about } in pieces
trace-said-before-greeting = (before the greeting)
trace-said-no-command = (not a command)
trace-said-long = (too long)
trace-said-secret = (a secret)
trace-said-port-silent = port { $port } does not answer: { $why }

# What the operating system says of a connection, inside a sentence.
trace-system-refused = the connection was refused
trace-system-reset = the other side broke the connection
trace-system-timed-out = nothing came in time
trace-system-pipe = the other side had already closed
trace-system-no-route = there is no way to that address
trace-system-no-network = that network cannot be reached

# What holds a letter up, in “the letter is …”.
trace-state-deferred = put off
trace-state-failed = undeliverable
trace-state-refused = refused

trace-story-handed = { $from } handed the letter for { $to } to { $server } ({ $port }), in clear.
trace-story-handed-tls = { $from } handed the letter for { $to } to { $server } ({ $port }), through TLS.
trace-story-refused = { $server } did not accept the letter: { $reason }.
trace-story-names = { $client } asked the name service: { $questions }.
trace-story-names-remembered = { $client } already knew the answer to: { $questions }.
trace-story-walk = To find the answer, these name servers were asked: { $servers }.
trace-story-relayed = { $client } connected to { $server } ({ $port }) and passed the letter on, in clear.
trace-story-relayed-tls = { $client } connected to { $server } ({ $port }) and passed the letter on, through TLS.
trace-story-relay-refused = { $client } connected to { $server } ({ $port }), which did not take the letter: { $reason }.
trace-story-deferred = The letter waits and will be tried again: { $reason }.
trace-story-failed = The letter could not be delivered: { $reason }.
trace-story-delivered = The letter lies in the mailbox of { $to }.
trace-story-report = A report that it failed lies in the mailbox of { $to }.
trace-story-collected = { $person } asked { $server } whether mail had come, and received the letter.
trace-story-seen = { $person } asked { $server } about the letter, and left it there.
trace-story-fetched = { $person } asked { $server } whether mail had come, and received it.
trace-story-none = { $person } asked { $server } whether mail had come: there was none.
trace-story-page = { $client } asked { $server } ({ $port }) for { $page }.
trace-story-page-reply = The reply was: { $status }.
trace-story-page-parts = The page was put together from { $count } replies, { $bytes } bytes in all.
trace-story-no-reply = No reply came.
trace-story-question = { $client } asked { $server }: { $question }
trace-story-answer = The answer was: { $answer }.
trace-story-dialogue = { $client } spoke { $protocol } with { $server } ({ $port }). Messages: { $count }.
trace-story-broken = The exchange with { $server } broke off: { $reason }.
trace-story-again = { $client } tried { $server } again, and it failed in the same way. Attempts: { $count }.
trace-story-open = The exchange with { $server } is still open.
