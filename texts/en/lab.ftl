lab-base-port = { $base } cannot be a port base: the usual numbers on top of it would pass 65535. Take one below 64000, such as 20000.
lab-ports-taken = Too many ports are taken for a lab: { $address } for one. Stop what uses them, or name another base with --base-port.
lab-files = { $path } cannot be read or written: { $why }.
lab-running = A lab runs in { $dir } already. Stop it with `guichet lab stop`, or name another folder with --dir.
lab-zone = The lab's own zone { $zone } is faulty: { $why }.
lab-organisation-failed = { $domain } did not start: { $why } Its log: { $log }.
lab-fault-unknown = { $spec } is not a fault the lab knows. Try stop=sud or stop=sud.smtp, for example.
lab-fault-organisation = { $name } is stopped. `guichet lab start { $name }` starts it again.
lab-fault-service = { $name } no longer answers for { $service }. It does again once { $name } is stopped and started: `guichet fault stop={ $name }`, then `guichet lab start { $name }`.
lab-not-here = The lab itself cannot do this; ask one of its organisations with --org.
lab-letter-subject = Hello from the north
lab-letter-text = Hello Bob, this letter went from my program to our server, from there to yours, and waited in your mailbox.
lab-letter-missing = the letter was not in the mailbox.
lab-letter-changed = the letter arrived, but its text was not the same.
lab-letter-stopped = the letter is { $state }: { $why }.
lab-letter-late = the letter did not arrive in time.
lab-page-wrong = the page did not arrive whole: a text, a style sheet and a picture were expected.
lab-hop-missing = the name service did not ask { $hop }.
lab-step-missing = the step does not appear in the trace.
lab-step-failed = Step { $step } failed: { $why }
lab-opening =
    Guichet lab: two organisations on this computer. Nothing leaves it. Ctrl-C stops.
    {"  "}{ $organisations }
    {"  "}Password: lab     Name server: { $resolver }
    {"  "}Port = { $base } + usual number: { $ports }
    Watch: { $watch }
    Try, in a second window:
    {"  "}a letter  { $program } send --from alice@nord.test --to bob@sud.test --text Hello
    {"  "}          { $program } fetch --pop3 --login bob@sud.test
    {"  "}a page    { $program } get http://www.sud.test/
    {"  "}by hand   { $program } connect { $ip } { $port }    then type HELP
    All addresses and more: { $program } lab help
lab-moved = { $address } is taken, so this lab's ports begin at { $base }.
lab-command-missing = A command is expected after --.
lab-command = { $program } cannot be started: { $why }.
lab-none = There is no lab in { $dir }. `guichet lab` starts one.
lab-reset = The lab in { $dir } is forgotten; the next start makes a new one.
