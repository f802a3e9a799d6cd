//! Links of the documentation that point at files of this project.

use super::{Finding, Tree};

/// Every relative link in a Markdown file leads to a file or folder that exists.
pub fn documents_link_to_what_is_there(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        if !path.ends_with(".md") {
            continue;
        }
        let mut fenced = false;
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for link in relative_links(text) {
                if !exists(tree, path, link) {
                    findings.push(Finding::new(
                        path,
                        line,
                        format!("the link `{link}` leads nowhere"),
                    ));
                }
            }
        }
    }
    findings
}

fn relative_links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|behind| {
        let (link, _) = behind.split_once(')')?;
        let (file, _) = link.split_once('#').unwrap_or((link, ""));
        let elsewhere = file.contains("://") || file.starts_with("mailto:");
        (!file.is_empty() && !elsewhere).then_some(file)
    })
}

fn exists(tree: &Tree, from: &str, link: &str) -> bool {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return false;
                }
            }
            name => parts.push(name),
        }
    }
    let wanted = parts.join("/");
    let folder = format!("{wanted}/");
    tree.file(&wanted).is_some() || tree.files.iter().any(|(path, _)| path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text = "[a](b.md) [c](../README.md#d) [e](../crates/) [f](https://example.org/x) [g](#h)\n\
                    [i](none.md)\n[j](../../outside.md)\n```\n[k](code.md)\n```\n";
        let files = [
            ("docs/a.md", text),
            ("docs/b.md", ""),
            ("README.md", ""),
            ("crates/x/y.rs", ""),
        ];
        let found = documents_link_to_what_is_there(&tree(&files));
        let lines: Vec<usize> = found.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
