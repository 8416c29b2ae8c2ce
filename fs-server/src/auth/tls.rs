//! TLS (rustls) on both sides: what the server shows and asks for, and whom the client trusts.
//!
//! A connection that shows a certificate of the given authority is the user of its common name; any other has to say a
//! token first. Nobody else gets to speak 9P.

use super::token::{self, Secret};
use super::{Identity, Users};
use crate::fault::Fault;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{WantsServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long a client may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is spoken inside, for those who ask (RFC 7301).
const ALPN: &[u8] = b"9p";

/// What `taskfs serve` is given.
#[derive(clap::Args, Clone, Debug)]
pub struct ServerTls {
    /// The certificate chain that TLS listeners show (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Whose client certificates are taken (PEM); their common names are users
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// Who may connect over TLS: a line a user, as `taskfs token` writes them
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
}

/// What client commands are given.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ClientTls {
    /// Whose certificate a TLS server must show (PEM; default: the authorities that this machine trusts)
    #[arg(long, value_name = "FILE", env = "TASKFS_CA")]
    pub ca: Option<PathBuf>,
    /// Our own certificate, for a TLS server that knows users by theirs (PEM)
    #[arg(long, value_name = "FILE", env = "TASKFS_CERT", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", env = "TASKFS_KEY", requires = "cert")]
    pub key: Option<PathBuf>,
    /// A file that holds our token; it is never said outside TLS
    #[arg(long, value_name = "FILE", env = "TASKFS_TOKEN_FILE", conflicts_with = "cert")]
    pub token_file: Option<PathBuf>,
}

/// Turns TCP connections into connections of a known user.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    users: Users,
}

/// Whom a client trusts, and who it is.
#[derive(Clone)]
pub struct Trusting {
    tls: TlsConnector,
    token: Option<Secret>,
}

fn no_input(path: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::no_input(format!("{}: {error}", path.display()))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let certs = CertificateDer::pem_file_iter(path).map_err(|e| no_input(path, e))?;
    let certs: Vec<_> = certs.collect::<Result<_, _>>().map_err(|e| no_input(path, e))?;
    if certs.is_empty() { Err(no_input(path, "no certificate in it")) } else { Ok(certs) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| no_input(path, e))
}

fn authorities(path: &Path) -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    for cert in chain(path)? {
        store.add(cert).map_err(|e| no_input(path, e))?;
    }
    Ok(store)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl ServerTls {
    /// Fails, naming the option that is missing or the file that is wrong.
    pub fn acceptor(&self) -> Result<Acceptor, Fault> {
        let missing = |option: &str| Fault::usage(format!("a tls:// listener needs {option} FILE"));
        let cert = self.tls_cert.as_deref().ok_or_else(|| missing("--tls-cert"))?;
        let key = self.tls_key.as_deref().ok_or_else(|| missing("--tls-key"))?;
        let users = self.users.as_deref().ok_or_else(|| missing("--users"))?;
        let users = Users::open(users).map_err(|e| Fault::no_input(format!("--users {e}")))?;
        let config = server_config()?;
        let config = match self.tls_client_ca.as_deref() {
            None => config.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(authorities(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                // Who shows none may still have a token.
                let verifier = verifier.allow_unauthenticated().build().map_err(|e| no_input(path, e))?;
                config.with_client_cert_verifier(verifier)
            }
        };
        let mut config = with_certificate(config, cert, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Acceptor { tls: TlsAcceptor::from(Arc::new(config)), users })
    }
}

/// For HTTPS, where no client shows a certificate: HTTP/2 and HTTP/1.1.
pub fn web_acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, Fault> {
    let config = server_config()?.with_no_client_auth();
    let mut config = with_certificate(config, cert, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn server_config() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, Fault> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Fault::software(format!("TLS: {e}")))
}

fn with_certificate(
    config: ConfigBuilder<ServerConfig, WantsServerCert>,
    cert: &Path,
    key: &Path,
) -> Result<ServerConfig, Fault> {
    config
        .with_single_cert(chain(cert)?, private_key(key)?)
        .map_err(|e| Fault::no_input(format!("{}, {}: {e}", cert.display(), key.display())))
}

impl Acceptor {
    /// The handshake, and who the peer is. Fails for whoever is nobody's user, having told him.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<(server::TlsStream<TcpStream>, Identity)> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "did not say in time who it is");
        tokio::time::timeout(PATIENCE, self.identify(stream)).await.map_err(|_| late())?
    }

    async fn identify(&self, stream: TcpStream) -> io::Result<(server::TlsStream<TcpStream>, Identity)> {
        let mut stream = self.tls.accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).cloned();
        let (found, unknown) = match certificate {
            Some(certificate) => {
                let name = common_name(&certificate)?;
                (self.users.by_name(&name), format!("unknown user {name:?}"))
            }
            None => {
                let secret = token::hear(&mut stream).await?;
                (self.users.by_token(secret.hash()), "unknown token".to_owned())
            }
        };
        let by_token = stream.get_ref().1.peer_certificates().is_none();
        let refused = match found {
            Ok(Some(identity)) => {
                if by_token {
                    token::answer(&mut stream, None).await?;
                }
                return Ok((stream, identity));
            }
            Ok(None) => unknown,
            Err(unusable) => {
                // Its path is none of the peer's business.
                tracing::error!("{unusable}");
                "the server cannot tell its users now".to_owned()
            }
        };
        if by_token {
            token::answer(&mut stream, Some(&refused)).await?;
            tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, refused))
    }
}

/// The user whom a certificate names.
fn common_name(certificate: &CertificateDer<'_>) -> io::Result<String> {
    let unnamed = || io::Error::new(io::ErrorKind::InvalidData, "a certificate without a common name");
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| unnamed())?;
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name.as_str().map_err(|_| unnamed())?.to_owned()),
        _ => Err(unnamed()),
    }
}

impl ClientTls {
    /// The same for a process of ours, to which files are named and no secret is said.
    pub fn hand_on(&self, command: &mut std::process::Command) {
        let options = [
            ("--ca", &self.ca),
            ("--cert", &self.cert),
            ("--key", &self.key),
            ("--token-file", &self.token_file),
        ];
        for (option, file) in options {
            if let Some(file) = file {
                command.arg(option).arg(file);
            }
        }
    }

    pub fn trusting(&self) -> Result<Trusting, Fault> {
        let roots = match self.ca.as_deref() {
            Some(path) => authorities(path)?,
            None => {
                let mut store = RootCertStore::empty();
                let found = rustls_native_certs::load_native_certs();
                store.add_parsable_certificates(found.certs);
                store
            }
        };
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| Fault::software(format!("TLS: {e}")))?
            .with_root_certificates(roots);
        let mut config = match (self.cert.as_deref(), self.key.as_deref()) {
            (Some(cert), Some(key)) => config
                .with_client_auth_cert(chain(cert)?, private_key(key)?)
                .map_err(|e| Fault::no_input(format!("{}, {}: {e}", cert.display(), key.display())))?,
            _ => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        let token = match self.token_file.as_deref() {
            None => None,
            Some(path) => Some(Secret::read(path)?),
        };
        Ok(Trusting { tls: TlsConnector::from(Arc::new(config)), token })
    }
}

impl Trusting {
    /// The handshake with the server of that name, and our token where we have one.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not a host's name"))?;
        let mut stream = self.tls.connect(name, stream).await?;
        if let Some(token) = &self.token {
            token::say(&mut stream, token).await?;
        }
        Ok(stream)
    }
}
