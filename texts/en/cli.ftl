cli-heading-usage = Usage:
cli-heading-commands = Commands
cli-heading-arguments = Arguments
cli-heading-options = Options
cli-heading-every = Options of every command
cli-value-command = COMMAND

cli-guichet = Runs the Internet services of a domain and lets people see every exchange.
    .lang = Language: en or fr (default: that of the system)
    .json = Answer in JSON, for programs
    .quiet = Leave out the steps on standard error
    .control = Control socket of the server to talk to
    .config = Configuration file (default: guichet.toml)
    .dir = Folder of the server or of the lab
    .org = One organisation of the lab, for example nord.test
    .help = Show this help
    .version = Show the version
cli-explain = Says what a configuration key means, takes and defaults to, and why.
    .key = The key, for example mail.queue.expire; without it, all keys are listed
cli-check = Checks the configuration and changes nothing.
cli-completions = Prints a script that completes command lines.
    .shell = bash, elvish, fish, powershell or zsh

# What is wrong with a command line.
cli-error-see-help = `guichet --help` lists the commands, `guichet COMMAND --help` the options of one.
cli-error-unknown-argument = There is no option or argument { $argument } here.
cli-error-unknown-command = There is no command “{ $command }”.
cli-error-no-command = A command is missing.
cli-error-suggestion = { $what } Do you mean { $suggested }?
cli-error-no-value = { $argument } needs a value.
cli-error-value-not-one-of = { $argument } does not take “{ $value }”. It takes one of: { $known }.
cli-error-value = { $argument } cannot be “{ $value }”.
cli-error-missing = This is missing: { $arguments }.
cli-error-conflict = { $argument } cannot stand together with { $other }.
cli-error-too-many = { $argument } has too many values.
cli-error-not-text = An argument is not UTF-8 text.
cli-error-other = The command line is wrong: { $detail }
