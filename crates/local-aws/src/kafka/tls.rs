//! The certificates: an authority of the folder's own, and one for all its nodes.
//!
//! By rcgen and not by the openssl command or keytool: neither is on every machine, and their options differ between versions.
//! Its cryptography is aws-lc's, which rustls brings already.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

use super::error::Error;
use super::files;

/// The broker's name in its certificate, by which nodes know each other (`super.users` in server.properties).
const NODE: &str = "broker";

/// The authority's certificate; `None` if none was made.
pub(super) fn authority(folder: &Path) -> Result<Option<String>, Error> {
    files::read(&folder.join("tls/ca.pem"))
}

/// Makes both certificates, unless they are there. The authority's key is thrown away: nothing else is ever to be signed.
pub(super) fn make(folder: &Path) -> Result<(), Error> {
    let place = folder.join("tls");
    if place.is_dir() {
        return Ok(());
    }
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "tickerlake local");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let ca = authority.self_signed(&authority_key)?;

    let mut node = CertificateParams::new(vec!["localhost".to_owned()])?;
    node.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    node.distinguished_name.push(DnType::CommonName, NODE);
    node.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Towards other nodes it is a client, too.
    node.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    node.use_authority_key_identifier_extension = true;
    let node_key = KeyPair::generate()?;
    let certificate = node.signed_by(&node_key, &Issuer::new(authority, authority_key))?;

    let half_made = folder.join("tls.new");
    files::remove_folder(&half_made)?;
    files::make_folder(&half_made)?;
    files::write(&half_made.join("ca.pem"), &ca.pem())?;
    files::write(&half_made.join("broker.pem"), &format!("{}{}", node_key.serialize_pem(), certificate.pem()))?;
    files::put_in_place(&half_made, &place)
}
