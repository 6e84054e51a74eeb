//! Judges a certificate. The verifier itself is the source, also for facts that it does not usually report: it lists
//! the names if it is asked for a name that no certificate has, and the validity if it is asked about a time in the far
//! past or future.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use samklang_verdict::message;

use super::{ProbeFinding, ProbeMark, moment, said};

/// Accepts every certificate, so that all of its properties can be reported; [`judge`] says whether it is valid.
/// Nothing secret is sent over such a connection, and the signature of the handshake is still checked.
#[derive(Debug)]
pub(super) struct Witness(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the certificate at the head of `chain` is valid for `host` at this moment, according to `roots`.
pub(super) fn judge(
    host: &str,
    chain: &[CertificateDer<'static>],
    roots: &RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> ProbeFinding {
    let found = |mark, text| ProbeFinding::new("certificate", mark, text);
    let verified = verify(host, chain, roots, provider);
    let names = chain.first().map(names).unwrap_or_default();
    let names = if names.is_empty() { "none".to_owned() } else { said(names.join(", ")) };
    let (from, until) = chain.first().map(|leaf| validity(leaf, roots, provider)).unwrap_or_default();
    let shown = |seconds: Option<u64>| seconds.map_or_else(|| "?".to_owned(), moment);
    let (from, until) = (shown(from), shown(until));
    match verified {
        Ok(()) => {
            let text = message!("probe.certificate", host = host, names = names, from = from, until = until);
            found(ProbeMark::Good, text)
        }
        Err(Error::InvalidCertificate(
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        )) => {
            let text = message!(
                "probe.certificate-unknown",
                host = said(host),
                names = names,
                from = from,
                until = until
            );
            found(ProbeMark::Unknown, text)
        }
        Err(error) => {
            let why = said(in_words(&error));
            let text = message!(
                "probe.certificate-bad",
                host = said(host),
                why = why,
                names = names,
                from = from,
                until = until
            );
            found(ProbeMark::Bad, text)
        }
    }
}

fn verify(
    host: &str,
    chain: &[CertificateDer<'static>],
    roots: &RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<(), Error> {
    let [leaf, intermediates @ ..] = chain else { return Err(Error::NoCertificatesPresented) };
    let name = ServerName::try_from(host).map_err(|error| Error::General(error.to_string()))?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), Arc::clone(provider)).build();
    let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
    verifier.verify_server_cert(leaf, intermediates, &name, &[], UnixTime::now()).map(drop)
}

fn in_words(error: &Error) -> String {
    let Error::InvalidCertificate(wrong) = error else { return error.to_string() };
    let words = match wrong {
        CertificateError::NotValidForNameContext { .. } => "it is for other names",
        CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody who is trusted here signed it"
        }
        _ => return error.to_string(),
    };
    words.to_owned()
}

/// The names that the certificate is for: DNS names and addresses.
fn names(leaf: &CertificateDer<'_>) -> Vec<String> {
    let (Ok(parsed), Ok(nobody)) =
        (ParsedCertificate::try_from(leaf), ServerName::try_from("nobody.invalid"))
    else {
        return vec![];
    };
    match verify_server_name(&parsed, &nobody) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
            presented.iter().filter_map(|name| plain_name(name)).map(str::to_owned).collect()
        }
        _ => vec![],
    }
}

/// `a.test` of `DnsName("a.test")`, and `127.0.0.1` of `IpAddress(127.0.0.1)`.
fn plain_name(presented: &str) -> Option<&str> {
    let inner = presented.strip_prefix("DnsName(").or_else(|| presented.strip_prefix("IpAddress("))?;
    Some(inner.strip_suffix(')')?.trim_matches('"'))
}

/// The start and the end of its validity, in seconds since 1970. The verifier checks the validity of the certificate
/// itself before it checks the issuer.
fn validity(
    leaf: &CertificateDer<'_>,
    roots: &RootCertStore,
    provider: &CryptoProvider,
) -> (Option<u64>, Option<u64>) {
    let Ok(parsed) = ParsedCertificate::try_from(leaf) else { return (None, None) };
    let at = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, &[], time, algorithms)
    };
    let from = match at(0) {
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Some(not_before.as_secs())
        }
        _ => None,
    };
    let until = match at(u64::MAX / 2) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(not_after.as_secs())
        }
        _ => None,
    };
    (from, until)
}
