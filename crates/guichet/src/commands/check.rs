//! `guichet check`: whether the configuration is good.

use serde_json::json;

use super::config_file;
use crate::cli::Global;
use crate::config::Config;
use crate::output::{Outcome, Output};

/// Reads and checks the configuration and changes nothing.
pub(super) fn run(global: &Global, output: &Output<'_>) -> Outcome {
    let config = Config::load(&config_file(global))?;
    let file = config.file.display().to_string();
    if output.json {
        return output.json(&json!({ "config": file, "domains": config.domains }));
    }
    output.line(&output.say(
        "config-good",
        &[("file", &file), ("domains", &config.domains.join(", "))],
    ))
}
