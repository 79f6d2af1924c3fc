//! Throwaway certificates: an authority, the API server, an administrator, and the key that signs
//! the tokens of ServiceAccounts. Must never leave the folder of the control plane.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// The names under which the API server is reached.
const SERVER_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "kubernetes.default.svc"];

/// The group that may do everything (Kubernetes, "Using RBAC Authorization").
const ADMINISTRATORS: &str = "system:masters";

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library refused.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A file cannot be written.
    #[error("cannot write a certificate: {0}")]
    Write(#[from] std::io::Error),
}

/// The files, all in one folder.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) server: Pair,
    pub(crate) administrator: Pair,
    pub(crate) tokens: Pair,
}

/// A certificate, or a bare public key, and the private key.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// Makes them all.
    pub(crate) fn make(folder: &Path) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, "throwaway");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority_file = folder.join("authority.crt");
        fs::write(&authority_file, authority.pem())?;

        let mut server = CertificateParams::new(SERVER_NAMES.map(str::to_owned))?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");

        let mut administrator = CertificateParams::default();
        administrator.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let name = &mut administrator.distinguished_name;
        name.push(DnType::CommonName, "administrator");
        name.push(DnType::OrganizationName, ADMINISTRATORS);

        let tokens = Pair {
            certificate: folder.join("tokens.pub"),
            key: folder.join("tokens.key"),
        };
        let signer = KeyPair::generate()?;
        fs::write(&tokens.certificate, signer.public_key_pem())?;
        fs::write(&tokens.key, signer.serialize_pem())?;
        Ok(Self {
            server: pair(folder, "server", server, &authority)?,
            administrator: pair(folder, "administrator", administrator, &authority)?,
            authority: authority_file,
            tokens,
        })
    }
}

fn pair(
    folder: &Path,
    name: &str,
    params: CertificateParams,
    authority: &CertifiedIssuer<'_, KeyPair>,
) -> Result<Pair, Error> {
    let key = KeyPair::generate()?;
    let made = Pair {
        certificate: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&made.certificate, params.signed_by(&key, authority)?.pem())?;
    fs::write(&made.key, key.serialize_pem())?;
    Ok(made)
}
