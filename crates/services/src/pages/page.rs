//! A file as it is served: which one, its validators, its fields, its bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use guichet_proto::http::{Field, HeaderBlock, Request, date};
use rustix::io::Errno;

use super::beneath::Folder;
use super::kinds::kind;
use super::target::Target;

/// Files up to so many bytes are kept in memory and leave in one write with their head.
pub(super) const MEMORY_BYTES_MOST: u64 = 64 * 1024;

/// A page, ready to be sent.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) identity: Identity,
    /// Strong (RFC 9110 8.8.3), with its quotes.
    pub(super) etag: String,
    /// Seconds since 1970.
    pub(super) modified: u64,
    pub(super) length: u64,
    /// For 200 and 206.
    pub(super) fields: HeaderBlock,
    /// For 304 (RFC 9110 15.4.5).
    pub(super) brief_fields: HeaderBlock,
    pub(super) content: Content,
}

#[derive(Clone)]
pub(super) enum Content {
    Memory(Arc<[u8]>),
    File(Arc<File>),
}

/// What changes when a file is written or replaced, or a compressed copy comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified_nanoseconds: i128,
    changed_nanoseconds: i128,
    coding: Option<&'static str>,
    varies: bool,
}

/// Content codings (RFC 9110 8.4.1) of which copies are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Codings {
    br: bool,
    gzip: bool,
}

impl Codings {
    /// What the client takes (RFC 9110 12.5.3).
    pub(super) fn accepted(request: &Request) -> Self {
        let mut codings = Self::default();
        for list in request.fields.all(Field::AcceptEncoding) {
            for item in list.split(',') {
                let mut words = item.split(';').map(str::trim);
                let name = words.next().unwrap_or("");
                let refused = words.any(|word| {
                    let weight = word.strip_prefix("q=").or(word.strip_prefix("Q="));
                    weight.is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
                });
                codings.br |= name.eq_ignore_ascii_case("br") && !refused;
                codings.gzip |= name.eq_ignore_ascii_case("gzip") && !refused;
            }
        }
        codings
    }

    /// One character for each combination.
    pub(super) fn letter(self) -> char {
        match (self.br, self.gzip) {
            (false, false) => '-',
            (false, true) => 'g',
            (true, false) => 'b',
            (true, true) => 'a',
        }
    }
}

/// What a target names.
pub(super) enum Located {
    File(LocatedFile),
    /// A folder whose URL lacks the final slash.
    Folder,
}

/// An open file, not yet read.
pub(super) struct LocatedFile {
    file: File,
    kind: &'static str,
    pub(super) identity: Identity,
    modified: u64,
}

/// Opens what a target means: the file, a folder's `index.html`, or a compressed copy.
pub(super) fn locate(site: &Folder, target: &Target, codings: Codings) -> Result<Located, Errno> {
    let index;
    let path = if target.is_folder {
        let slash = if target.path.is_empty() { "" } else { "/" };
        index = format!("{}{slash}index.html", target.path);
        &index
    } else {
        &target.path
    };
    let plain = open(site, path)?;
    if plain.metadata.is_dir() && !target.is_folder {
        return Ok(Located::Folder);
    }
    if !plain.metadata.is_file() {
        return Err(Errno::NOENT);
    }
    let (kind, compresses) = kind(path);
    let (chosen, coding, varies) = match compresses {
        true => choose(site, path, plain, codings),
        false => (plain, None, false),
    };
    let metadata = &chosen.metadata;
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let identity = Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified_nanoseconds: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed_nanoseconds: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        coding,
        varies,
    };
    Ok(Located::File(LocatedFile {
        kind,
        identity,
        modified: u64::try_from(metadata.mtime()).unwrap_or(0),
        file: chosen.file,
    }))
}

struct Opened {
    file: File,
    metadata: std::fs::Metadata,
}

fn open(site: &Folder, path: &str) -> Result<Opened, Errno> {
    let file = site.file(path)?;
    let metadata = file.metadata().map_err(|_| Errno::IO)?;
    Ok(Opened { file, metadata })
}

/// The best copy the client takes, its coding, and whether there is a choice at all. A copy older
/// than its original is forgotten work and is not used.
fn choose(
    site: &Folder,
    path: &str,
    plain: Opened,
    codings: Codings,
) -> (Opened, Option<&'static str>, bool) {
    let copy = |extension: &str| {
        let copy = open(site, &format!("{path}.{extension}")).ok()?;
        let time = |metadata: &std::fs::Metadata| (metadata.mtime(), metadata.mtime_nsec());
        let is_current = time(&copy.metadata) >= time(&plain.metadata);
        (copy.metadata.is_file() && is_current).then_some(copy)
    };
    let (br, gzip) = (copy("br"), copy("gz"));
    let varies = br.is_some() || gzip.is_some();
    match (br, gzip) {
        (Some(br), _) if codings.br => (br, Some("br"), varies),
        (_, Some(gzip)) if codings.gzip => (gzip, Some("gzip"), varies),
        _ => (plain, None, varies),
    }
}

impl LocatedFile {
    /// Makes the page, reading a small file into memory.
    pub(super) fn load(self) -> io::Result<Page> {
        let length = self.identity.size;
        let (content, etag) = if length <= MEMORY_BYTES_MOST {
            let mut bytes = vec![0; length as usize];
            self.file.read_exact_at(&mut bytes, 0)?;
            let hash = blake3::hash(&bytes).to_hex();
            (
                Content::Memory(bytes.into()),
                format!("\"{}\"", &hash[..32]),
            )
        } else {
            let Identity {
                inode,
                modified_nanoseconds,
                ..
            } = self.identity;
            let etag = format!("\"{length:x}-{modified_nanoseconds:x}-{inode:x}\"");
            (Content::File(Arc::new(self.file)), etag)
        };
        let modified = date::format(self.modified);
        let mut brief = vec![
            ("ETag", etag.as_str()),
            ("Last-Modified", date::text(&modified)),
        ];
        if self.identity.varies {
            brief.push(("Vary", "Accept-Encoding"));
        }
        let mut fields = vec![("Content-Type", self.kind)];
        fields.extend(&brief);
        fields.push(("Accept-Ranges", "bytes"));
        fields.push(("X-Content-Type-Options", "nosniff"));
        if let Some(coding) = self.identity.coding {
            fields.push(("Content-Encoding", coding));
        }
        Ok(Page {
            identity: self.identity,
            modified: self.modified,
            length,
            fields: HeaderBlock::of(fields),
            brief_fields: HeaderBlock::of(brief),
            content,
            etag,
        })
    }
}
