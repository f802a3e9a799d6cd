//! Running other programs: where the project lies, cargo, and a merged, watched output.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the workspace: asked at run time, because one build directory may serve several
/// checkouts.
pub fn root() -> PathBuf {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = PathBuf::from(manifest);
    manifest
        .parent()
        .map_or(manifest.clone(), Path::to_path_buf)
}

/// Where cargo builds, and where our own reports go.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The cargo that started us, in the root, without standard input.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null());
    // What the outer cargo set for this program is not meant for the inner one.
    for (name, _) in env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if ours {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it with its output shown as usual; false when it failed or could not be started (said).
pub fn succeeds(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("{:?} could not be started: {error}", command.get_program());
            false
        }
    }
}

/// Runs it with both outputs merged in their order, shown, and given line by line to `watch`.
pub fn succeeds_watched(command: &mut Command, mut watch: impl FnMut(&str)) -> bool {
    let mut watched = || -> io::Result<bool> {
        let (reader, writer) = io::pipe()?;
        let mut child = {
            command.stdout(writer.try_clone()?).stderr(writer);
            let child = command.spawn()?;
            // The command keeps its end of the pipe open; without this the reading never ends.
            command.stdout(Stdio::null()).stderr(Stdio::null());
            child
        };
        let mut out = io::stdout().lock();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            watch(&line);
            // A reader who went away (`| head`) must not end the run.
            let _ = writeln!(out, "{line}");
        }
        let _ = out.flush();
        Ok(child.wait()?.success())
    };
    match watched() {
        Ok(well) => well,
        Err(error) => {
            eprintln!("{:?} could not be run: {error}", command.get_program());
            false
        }
    }
}

/// Where the search path has a program of this name.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_seen_and_the_end_is_known() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let well = succeeds_watched(&mut command, |line| lines.push(line.to_owned()));
        assert!(!well);
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure() {
        assert!(!succeeds(&mut Command::new("no-such-program-here")));
        assert!(which("no-such-program-here").is_none());
        assert!(which("sh").is_some());
    }
}
