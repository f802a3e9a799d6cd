# What keeps a command from doing its work.
error-read = { $file } cannot be read: { $why }.
error-stdout = Standard output cannot be written: { $why }.
error-json = The result cannot be written as JSON: { $detail }.

# The operating system's complaints, as the end of a sentence.
error-io-not-found = it does not exist
error-io-permission = this user may not
error-io-exists = it is already there
error-io-address-in-use = another program listens there
error-io-address-not-here = this computer does not have that address
error-io-refused = nobody listens there
error-io-reset = the other side broke the connection off
error-io-unreachable = no way leads there
error-io-timed-out = no answer came in time
error-io-full = the disk is full
error-io-ended = it ended too soon
error-io-not-text = it is not UTF-8 text
error-io-folder = it is a folder
error-io-other = the system says “{ $detail }”

error-stdin = Standard input cannot be read: { $why }.
error-runtime = The program cannot wait for events: { $why }.
error-unknown-host = The name { $host } has no address. Is it spelled correctly?
error-unreachable = { $host } port { $port } cannot be reached: { $why }.
error-unknown = It failed, and there is nothing more to say about it.
error-write = { $file } cannot be written: { $why }.
