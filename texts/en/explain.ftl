# Labels of `guichet explain` and of the documentation of the configuration.
explain-type = Takes:
explain-default = Default:
explain-why = Why:
explain-change = After a change:
explain-no-default = none
explain-reload = `guichet reload` is enough.
explain-restart = the server must be started again.
explain-page =
    # The configuration

    Generated from the declarations in `crates/guichet/src/config/declare.rs`; `guichet explain KEY`
    says the same. In a name, `*` stands for a service: dns, http, https, smtp, submission,
    submissions, pop3, pop3s, echo, watch. Relative paths are relative to the file.
