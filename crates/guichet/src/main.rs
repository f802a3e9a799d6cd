//! The program `guichet`; everything it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    guichet::run(std::env::args_os().collect())
}
