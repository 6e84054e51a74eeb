//! The stage's own certificate authority, and a certificate for each of its names.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use rsa::{
    RsaPrivateKey,
    pkcs1::EncodeRsaPrivateKey,
    pkcs8::{EncodePrivateKey, LineEnding},
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use samklang_verdict::{Problem, message};

/// Certificates begin to be valid this long before now, for servers whose clock is behind.
const DATED_BACK: Duration = Duration::from_secs(24 * 60 * 60);

/// Certificates are valid for this long from now. No run takes longer, and a leaked certificate soon expires.
const GOOD_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The size of an RSA authority's key.
const RSA_BITS: usize = 2048;

/// Which kind of key the stage's authority signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityKey {
    /// P-256: fast to make. The authority never gives its private key away.
    Ecdsa,
    /// RSA with 2048 bits, for a stage with an image that makes its own certificate from the authority's key, as
    /// Complement's images do. Making the key takes about a second: call this where blocking is allowed.
    Rsa,
}

/// Text that no log and no `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// A certificate for one name of the stage, with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The certificate, PEM. The authority signs it directly: there is no chain.
    pub cert_pem: String,
    /// The certificate's private key, PKCS#8 PEM.
    pub key_pem: String,
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

/// The certificate authority of one stage. It exists only during the run.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: Certificate,
    pkcs1: Option<Secret>,
    provider: Arc<CryptoProvider>,
    issued: Mutex<BTreeMap<String, Issued>>,
}

#[derive(Clone)]
struct Issued {
    leaf: Leaf,
    certified: Arc<CertifiedKey>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("root", &self.root.pem()).finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority with a fresh key.
    ///
    /// # Errors
    /// Fails if the machine gives no randomness.
    pub fn new(key: AuthorityKey) -> Result<Self, Problem> {
        let (key, pkcs1) = match key {
            AuthorityKey::Ecdsa => (KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?, None),
            AuthorityKey::Rsa => {
                let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, RSA_BITS).map_err(failed)?;
                let pkcs1 = Secret::new(key.to_pkcs1_pem(LineEnding::LF).map_err(failed)?.as_str());
                let pkcs8 = PrivatePkcs8KeyDer::from(key.to_pkcs8_der().map_err(failed)?.as_bytes().to_vec());
                (
                    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_RSA_SHA256).map_err(failed)?,
                    Some(pkcs1),
                )
            }
        };
        let mut params = dated(CertificateParams::default(), "Samklang stage authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let root = params.self_signed(&key).map_err(failed)?;
        let provider = Arc::new(ring::default_provider());
        Ok(Self { issuer: Issuer::new(params, key), root, pkcs1, provider, issued: Mutex::default() })
    }

    /// The root certificate, PEM. Every server of the stage has to trust it.
    pub fn ca_pem(&self) -> String {
        self.root.pem()
    }

    /// The root's private key, PKCS#1 PEM. Only an [`AuthorityKey::Rsa`] authority gives it away.
    pub fn ca_key_pkcs1_pem(&self) -> Option<Secret> {
        self.pkcs1.clone()
    }

    /// The certificate for `host`, a server name without its port: a DNS name or an IP literal (brackets around IPv6
    /// are accepted). A second call for the same host returns the same certificate.
    ///
    /// # Errors
    /// Fails if `host` is neither.
    pub fn issue(&self, host: &str) -> Result<Leaf, Problem> {
        self.issued(host).map(|issued| issued.leaf)
    }

    /// The same certificate, in the form that rustls presents.
    fn certified(&self, host: &str) -> Result<Arc<CertifiedKey>, Problem> {
        self.issued(host).map(|issued| issued.certified)
    }

    fn issued(&self, host: &str) -> Result<Issued, Problem> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issued) = issued.get(&host) {
            return Ok(issued.clone());
        }
        let new = self.make(&host)?;
        issued.insert(host, new.clone());
        Ok(new)
    }

    fn make(&self, host: &str) -> Result<Issued, Problem> {
        let named = CertificateParams::new([host.to_owned()]).map_err(failed)?;
        // RFC 5280, appendix A.1, limits a common name to 64 characters. Clients check the SAN, not the common name.
        let mut params = dated(named, &host.chars().take(64).collect::<String>());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let cert = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let certified =
            CertifiedKey::from_der(vec![cert.der().clone()], der, &self.provider).map_err(failed)?;
        let leaf = Leaf { cert_pem: cert.pem(), key_pem: key.serialize_pem() };
        Ok(Issued { leaf, certified: Arc::new(certified) })
    }

    /// A store that trusts this authority alone.
    ///
    /// # Errors
    /// Fails only if rustls refuses this root.
    pub fn root_store(&self) -> Result<RootCertStore, Problem> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).map_err(failed)?;
        Ok(roots)
    }

    /// The TLS settings with which the harness connects to a server of the stage. They trust this authority alone.
    ///
    /// # Errors
    /// As [`Authority::root_store`].
    pub fn client_config(&self) -> Result<ClientConfig, Problem> {
        trusting(self.root_store()?)
    }

    /// The TLS settings of a listener of the harness. It presents the certificates that `resolver` chooses.
    ///
    /// # Errors
    /// Fails only if rustls refuses its own defaults.
    pub fn server_config(&self, resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, Problem> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The TLS settings for connections to servers whose certificates are trusted by `roots`.
///
/// # Errors
/// Fails only if rustls refuses its own defaults.
pub fn trusting(roots: RootCertStore) -> Result<ClientConfig, Problem> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Presents a certificate for each name of the stage. It makes the certificate at the first request.
pub struct StageResolver {
    authority: Arc<Authority>,
    known: Box<dyn Fn(&str) -> bool + Send + Sync>,
    unnamed: Option<String>,
    certificate: Option<Arc<CertifiedKey>>,
}

impl fmt::Debug for StageResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageResolver").field("unnamed", &self.unnamed).finish_non_exhaustive()
    }
}

impl StageResolver {
    /// Presents certificates for the hosts that are `known`. A client may name no host (RFC 6066, section 3, allows no
    /// IP literal there). It gets the certificate of `unnamed`, or is refused if there is none.
    pub fn new(
        authority: Arc<Authority>,
        known: impl Fn(&str) -> bool + Send + Sync + 'static,
        unnamed: Option<String>,
    ) -> Self {
        Self { authority, known: Box::new(known), unnamed, certificate: None }
    }

    /// Presents `certificate`, if given, in place of the authority's.
    #[must_use]
    pub fn presenting(self, certificate: Option<Arc<CertifiedKey>>) -> Self {
        Self { certificate, ..self }
    }

    fn certified(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        self.certificate.clone().or_else(|| self.authority.certified(host).ok())
    }

    /// The certificate for a client that names no host.
    pub(crate) fn unnamed(&self) -> Option<Arc<CertifiedKey>> {
        self.certified(self.unnamed.as_deref()?)
    }
}

impl ResolvesServerCert for StageResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match hello.server_name() {
            Some(host) if (self.known)(host) => self.certified(host),
            Some(_) => None,
            None => self.unnamed(),
        }
    }
}

/// The host part of a server name: `a.test` of `a.test:8448`, `::1` of `[::1]:8448`.
pub fn host_of(server_name: &str) -> &str {
    match server_name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((literal, _port)) => literal,
        None => server_name.split_once(':').map_or(server_name, |(host, _port)| host),
    }
}

fn dated(mut params: CertificateParams, name: &str) -> CertificateParams {
    let now = SystemTime::now();
    params.not_before = now.checked_sub(DATED_BACK).unwrap_or(now).into();
    params.not_after = now.checked_add(GOOD_FOR).unwrap_or(now).into();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn failed(error: impl fmt::Display) -> Problem {
    Problem::harness(message!("certificates.failed", detail = error))
}

#[cfg(test)]
mod tests {
    use rustls::{
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    };

    use super::*;

    fn accepts(authority: &Authority, leaf: &Leaf, name: &str, at: UnixTime) -> bool {
        let roots = Arc::new(authority.root_store().unwrap());
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build().unwrap();
        let cert = CertificateDer::from_pem_slice(leaf.cert_pem.as_bytes()).unwrap();
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(&cert, &[], &name, &[], at).is_ok()
    }

    #[test]
    fn a_certificate_is_valid_only_for_its_name_its_week_and_its_authority() {
        let [ours, theirs] = [(); 2].map(|()| Authority::new(AuthorityKey::Ecdsa).unwrap());
        let now = UnixTime::now();
        for (host, other) in [("a.test", "b.test"), ("127.0.0.1", "127.0.0.2"), ("[::1]", "127.0.0.1")] {
            let leaf = ours.issue(host).unwrap();
            let name = host.trim_matches(['[', ']']);
            assert!(accepts(&ours, &leaf, name, now), "{host}");
            assert!(!accepts(&ours, &leaf, other, now), "{host} as {other}");
            assert!(!accepts(&theirs, &leaf, name, now), "{host} by another authority");
            let hours = |n: u64| n * 60 * 60;
            let at = |secs: u64| UnixTime::since_unix_epoch(Duration::from_secs(secs));
            assert!(accepts(&ours, &leaf, name, at(now.as_secs() - hours(23))));
            assert!(accepts(&ours, &leaf, name, at(now.as_secs() + hours(24 * 7 - 1))));
            assert!(!accepts(&ours, &leaf, name, at(now.as_secs() + hours(24 * 7 + 1))));
        }
    }

    #[test]
    fn a_server_name_has_a_host() {
        for (name, host) in
            [("a.test", "a.test"), ("127.0.0.1:40001", "127.0.0.1"), ("[::1]:1", "::1"), ("[::1]", "::1")]
        {
            assert_eq!(host_of(name), host);
        }
    }

    #[test]
    fn the_same_host_gets_the_same_certificate_and_an_invalid_host_gets_an_error() {
        let authority = Authority::new(AuthorityKey::Ecdsa).unwrap();
        assert_eq!(authority.issue("a.test").unwrap(), authority.issue("A.test").unwrap());
        assert_ne!(authority.issue("a.test").unwrap(), authority.issue("b.test").unwrap());
        assert_eq!(authority.issue("å.test").unwrap_err().message.key, "certificates.failed");
    }

    #[test]
    fn only_an_rsa_authority_gives_its_key_away_and_debug_output_shows_no_key() {
        let authority = Authority::new(AuthorityKey::Rsa).unwrap();
        let key = authority.ca_key_pkcs1_pem().unwrap();
        assert!(key.expose().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        let leaf = authority.issue("a.test").unwrap();
        assert!(accepts(&authority, &leaf, "a.test", UnixTime::now()));
        let shown = format!("{authority:?}{key:?}{leaf:?}");
        assert!(shown.contains("BEGIN CERTIFICATE") && !shown.contains("PRIVATE"), "{shown}");
        assert!(Authority::new(AuthorityKey::Ecdsa).unwrap().ca_key_pkcs1_pem().is_none());
    }
}
