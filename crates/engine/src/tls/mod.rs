//! TLS: identities from files, chosen by the name the client asks for and swapped without closing
//! anything; what a client trusts; the lab's own authority.

mod authority;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

pub use authority::{Authority, AuthorityError};

/// What is wrong with a certificate or key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: String,
        /// Why.
        what: String,
    },
    /// Certificate and key do not belong together, or are of no known kind.
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
}

/// Keying material exporter label; both ends of a hop compute the same key with it.
pub(crate) const JOIN_LABEL: &[u8] = b"EXPORTER-guichet-trace-join";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A certificate chain with its key.
#[derive(Clone, Debug)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads PEM files.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let wrong = |path: &Path, what: String| TlsError::File {
            path: path.display().to_string(),
            what,
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(certificate, error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong(certificate, "holds no certificate".to_owned()));
        }
        let key_der =
            PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
        Self::from_der(chain, key_der)
    }

    /// From DER.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let certified = CertifiedKey::from_der(chain, key, &provider())?;
        Ok(Self(Arc::new(certified)))
    }

    fn serves(&self, name: &ServerName<'_>) -> bool {
        self.0
            .cert
            .first()
            .and_then(|der| ParsedCertificate::try_from(der).ok())
            .is_some_and(|certificate| {
                rustls::client::verify_server_name(&certificate, name).is_ok()
            })
    }
}

/// The server's side: a set of identities, replaceable while connections run.
#[derive(Clone, Debug)]
pub struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
    identities: Arc<Identities>,
}

#[derive(Debug)]
struct Identities(ArcSwap<Vec<Identity>>);

impl ResolvesServerCert for Identities {
    /// The first identity that serves the name asked for; the first of all when none does or no
    /// name was asked for: mail programs that connect by address expect some certificate.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let all = self.0.load();
        let named = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok())
            .and_then(|name| all.iter().find(|identity| identity.serves(&name)));
        named.or(all.first()).map(|identity| identity.0.clone())
    }
}

impl ServerTls {
    /// TLS 1.2 and 1.3 with these identities.
    pub fn new(identities: Vec<Identity>) -> Result<Self, TlsError> {
        let identities = Arc::new(Identities(ArcSwap::from_pointee(identities)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(identities.clone());
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        Ok(Self {
            config: Arc::new(config),
            identities,
        })
    }

    /// Replaces the identities for handshakes that begin later. Says whether they are others than
    /// before: a certificate has one key only, so the certificates tell.
    pub fn replace(&self, identities: Vec<Identity>) -> bool {
        let new = Arc::new(identities);
        let old = self.identities.0.swap(new.clone());
        let certificates = |all: &[Identity]| -> Vec<_> {
            all.iter().map(|identity| identity.0.cert.clone()).collect()
        };
        certificates(&old) != certificates(&new)
    }
}

/// The client's side.
#[derive(Clone, Debug)]
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Trusts what these PEM files of authorities vouch for.
    pub fn trusting(authorities: &[&Path]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for path in authorities {
            let wrong = |what: String| TlsError::File {
                path: path.display().to_string(),
                what,
            };
            for certificate in
                CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?
            {
                roots.add(certificate.map_err(|error| wrong(error.to_string()))?)?;
            }
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::Rustls(rustls::Error::General(error.to_string())))?;
        Self::with_verifier(verifier)
    }

    /// Takes any certificate: opportunistic encryption between mail servers (RFC 7435), which
    /// keeps listeners out but does not say who is at the other end.
    pub fn opportunistic() -> Result<Self, TlsError> {
        Self::with_verifier(Arc::new(AnyCertificate(provider())))
    }

    fn with_verifier(verifier: Arc<dyn ServerCertVerifier>) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

/// Signatures are still checked: the other end holds the key of the certificate it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
