//! The lab's certificate authority: short-lived, and unable to vouch for anything outside the lab.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
    SanType,
};
use std::time::{Duration, SystemTime};

/// The authority and what it signs live so long.
const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why the authority could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A name is not usable in a certificate, or the library refused.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// An authority that lives in memory while certificates are made; its key is written beside its
/// certificate with mode 0600.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority that may only vouch for names under `.domain` labels given, for 127.0.0.0/8
    /// and for ::1 (critical name constraints, RFC 5280 4.2.1.10).
    pub fn new(name: &str, domains: &[&str]) -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let mut permitted: Vec<GeneralSubtree> = domains
            .iter()
            .map(|domain| GeneralSubtree::DnsName((*domain).to_owned()))
            .collect();
        permitted.push(GeneralSubtree::IpAddress(CidrSubnet::V4(
            [127, 0, 0, 0],
            [255, 0, 0, 0],
        )));
        let mut loopback = [0; 16];
        loopback[15] = 1;
        permitted.push(GeneralSubtree::IpAddress(CidrSubnet::V6(
            loopback, [255; 16],
        )));
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: permitted,
            excluded_subtrees: Vec::new(),
        });
        limit_life(&mut params);
        let key = KeyPair::generate()?;
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, key)?,
        })
    }

    /// Writes `ca.pem` and `ca-key.pem` into the folder.
    pub fn write(&self, folder: &Path) -> Result<(), AuthorityError> {
        write(&folder.join("ca.pem"), &self.issuer.pem(), 0o644)?;
        write(
            &folder.join("ca-key.pem"),
            &self.issuer.key().serialize_pem(),
            0o600,
        )
    }

    /// Makes a certificate for these names and addresses and writes `cert.pem` (with the
    /// authority's behind it) and `key.pem` into the folder.
    pub fn issue(
        &self,
        folder: &Path,
        names: &[String],
        addresses: &[IpAddr],
    ) -> Result<(), AuthorityError> {
        let mut params = CertificateParams::default();
        if let Some(name) = names.first() {
            params
                .distinguished_name
                .push(DnType::CommonName, name.as_str());
        }
        for name in names {
            params
                .subject_alt_names
                .push(SanType::DnsName(Ia5String::try_from(name.as_str())?));
        }
        params
            .subject_alt_names
            .extend(addresses.iter().copied().map(SanType::IpAddress));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        limit_life(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain = format!("{}{}", certificate.pem(), self.issuer.pem());
        write(&folder.join("cert.pem"), &chain, 0o644)?;
        write(&folder.join("key.pem"), &key.serialize_pem(), 0o600)
    }
}

fn limit_life(params: &mut CertificateParams) {
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(3600)).into(); // clocks of other programs
    params.not_after = (now + LIFE).into();
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
    let wrong = |error| AuthorityError::File {
        path: path.to_owned(),
        error,
    };
    let _ = fs::remove_file(path); // so that the mode below holds for an older file too
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(wrong)?;
    file.write_all(text.as_bytes()).map_err(wrong)
}
