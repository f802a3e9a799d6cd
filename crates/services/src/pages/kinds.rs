//! Media types by a file's extension.

/// Extension, media type, and whether a compressed copy beside the file is worth a look.
const KINDS: [(&str, &str, bool); 33] = [
    ("html", "text/html; charset=utf-8", true),
    ("htm", "text/html; charset=utf-8", true),
    ("css", "text/css; charset=utf-8", true),
    ("js", "text/javascript; charset=utf-8", true),
    ("mjs", "text/javascript; charset=utf-8", true),
    ("json", "application/json", true),
    ("map", "application/json", true),
    ("webmanifest", "application/manifest+json", true),
    ("xml", "application/xml", true),
    ("atom", "application/atom+xml", true),
    ("rss", "application/rss+xml", true),
    ("txt", "text/plain; charset=utf-8", true),
    ("md", "text/markdown; charset=utf-8", true),
    ("csv", "text/csv; charset=utf-8", true),
    ("ics", "text/calendar; charset=utf-8", true),
    ("svg", "image/svg+xml", true),
    ("wasm", "application/wasm", true),
    ("png", "image/png", false),
    ("jpg", "image/jpeg", false),
    ("jpeg", "image/jpeg", false),
    ("gif", "image/gif", false),
    ("webp", "image/webp", false),
    ("avif", "image/avif", false),
    ("ico", "image/vnd.microsoft.icon", false),
    ("woff", "font/woff", false),
    ("woff2", "font/woff2", false),
    ("pdf", "application/pdf", false),
    ("zip", "application/zip", false),
    ("gz", "application/gzip", false),
    ("mp3", "audio/mpeg", false),
    ("ogg", "audio/ogg", false),
    ("mp4", "video/mp4", false),
    ("webm", "video/webm", false),
];

/// Bytes nobody knows: to be saved, not guessed at.
const UNKNOWN: (&str, bool) = ("application/octet-stream", false);

/// The media type of a path, and whether a compressed copy may lie beside it.
pub(super) fn kind(path: &str) -> (&'static str, bool) {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, extension)) = name.rsplit_once('.') else {
        return UNKNOWN;
    };
    KINDS
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(extension))
        .map_or(UNKNOWN, |&(_, kind, compresses)| (kind, compresses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_extension_counts() {
        assert_eq!(kind("a/index.HTML").0, "text/html; charset=utf-8");
        assert_eq!(kind("a.tar.gz").0, "application/gzip");
        assert_eq!(kind("a.html/readme"), UNKNOWN);
    }
}
