//! `guichet zone check|show|records`: zone files as they lie on disk. No server is asked.

use std::path::{Path, PathBuf};

use guichet_proto::dns::{Name, data_text};
use guichet_services::names::{Finding, Severity, Zone, check, parse_name};
use guichet_trace::visible;
use serde_json::json;

use crate::cli::{Global, Zone as Args};
use crate::control::find;
use crate::output::{Failure, Message, Outcome, Output};

/// Reads the zone files.
pub(super) fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    match args {
        Args::Check(args) => check_all(&files(args.zone.as_deref(), global)?, output),
        Args::Show(args) => files(Some(&args.zone), global)?
            .iter()
            .try_for_each(|file| show(file, output)),
        Args::Records(args) => files(Some(&args.zone), global)?
            .iter()
            .try_for_each(|file| records(file, output)),
    }
}

/// The files that are meant: the one named, that of a domain, or all.
fn files(zone: Option<&str>, global: &Global) -> Result<Vec<PathBuf>, Failure> {
    let named = zone.map(Path::new).filter(|path| path.is_file());
    if let Some(file) = named {
        return Ok(vec![file.to_owned()]);
    }
    let servers = find(global)?.servers;
    let folders: Vec<_> = servers
        .into_iter()
        .filter_map(|server| server.zones)
        .collect();
    let Some(first) = folders.first() else {
        return Err(Failure::wrong(Message::new("zone-no-folder")));
    };
    let Some(zone) = zone else {
        let mut all = Vec::new();
        for folder in &folders {
            all.extend(zone_files(folder)?);
        }
        let none = || Failure::failed(Message::new("zone-none").with("folder", first.as_path()));
        return if all.is_empty() { Err(none()) } else { Ok(all) };
    };
    let name = format!("{}.zone", zone.trim_end_matches('.').to_ascii_lowercase());
    let file = folders
        .iter()
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file());
    let unknown = || Failure::failed(Message::new("zone-unknown").with("zone", zone));
    file.map(|file| vec![file]).ok_or_else(unknown)
}

fn zone_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "zone"))
        .collect();
    paths.sort();
    Ok(paths)
}

fn check_all(files: &[PathBuf], output: &Output<'_>) -> Outcome {
    let mut bad = 0;
    let mut told = Vec::new();
    for file in files {
        let (zone, findings) = judge(file)?;
        bad += usize::from(zone.is_none());
        if output.json {
            told.push(json!({
                "file": file,
                "served": zone.is_some(),
                "findings": findings.iter().map(finding_json).collect::<Vec<_>>(),
            }));
            continue;
        }
        findings
            .iter()
            .for_each(|finding| output.warn(&finding_message(file, finding)));
        if let Some(zone) = zone {
            output.line(&good(file, &zone).said(output.texts))?;
        }
    }
    if output.json {
        output.json(&told)?;
    }
    match bad {
        0 => Ok(()),
        _ => Err(Failure::failed(
            Message::new("zone-bad").with_shown("count", bad),
        )),
    }
}

fn good(file: &Path, zone: &Zone) -> Message {
    Message::new("zone-good")
        .with("file", file)
        .with_shown("zone", zone.apex())
        .with_shown("serial", zone.serial())
        .with_shown("records", zone.records().len())
}

fn finding_message(file: &Path, finding: &Finding) -> Message {
    let key = match finding.severity {
        Severity::Error => "zone-error",
        Severity::Warning => "zone-warning",
    };
    let file = file.display();
    let place = match finding.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_string(),
    };
    Message::new(key)
        .with("place", place)
        .with("text", finding.text.as_str())
}

fn finding_json(finding: &Finding) -> serde_json::Value {
    json!({
        "severity": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "line": finding.line,
        "text": finding.text,
    })
}

fn show(file: &Path, output: &Output<'_>) -> Outcome {
    let text = read(file)?;
    match output.json {
        true => output.json(&json!({ "file": file, "text": text })),
        false => output.bytes(text.as_bytes()),
    }
}

fn records(file: &Path, output: &Output<'_>) -> Outcome {
    let (zone, findings) = judge(file)?;
    let Some(zone) = zone else {
        findings
            .iter()
            .for_each(|finding| output.warn(&finding_message(file, finding)));
        return Err(Failure::failed(
            Message::new("zone-bad").with_shown("count", 1),
        ));
    };
    if !output.json {
        let mut records = zone.records().iter();
        return records.try_for_each(|record| output.line(&visible(&record.to_string())));
    }
    let records = zone.records().iter().map(|record| {
        json!({
            "name": record.owner.to_string(),
            "ttl_s": record.ttl_seconds,
            "type": record.rtype.to_string(),
            "data": data_text(record.rtype, &record.data),
        })
    });
    output.json(&records.collect::<Vec<_>>())
}

/// A zone file's name without `.zone` is its first origin; `root` stands for the root.
fn judge(file: &Path) -> Result<(Option<Zone>, Vec<Finding>), Failure> {
    let text = read(file)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let origin = match stem.as_ref() {
        "root" => Some(Name::root()),
        stem => parse_name(stem),
    };
    Ok(check(&origin.unwrap_or_else(Name::root), &text))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(
        Message::new("error-read")
            .with("file", path)
            .with("why", error),
    )
}
