mod scopes;

use std::fs;

use super::*;
use crate::attest::openssl::{Algorithm, Pair};
use crate::attest::{Claim, Envelope, Statement, statement};
use crate::baseline::Baseline;
use crate::container::{ContainerId, ImageIdentity};
use crate::drift::BaselineStatus;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn container(id: &str, name: &str, role: &str) -> Identity {
    let mut identity = Identity::of_path(ContainerId::parse(&"ab".repeat(32)).unwrap(), None, None);
    identity.name = Some(role.to_owned());
    identity.image = Some(ImageIdentity {
        id: Some(format!("sha256:{id}")),
        name: name.to_owned(),
        repo_digests: vec![format!("{name}@sha256:d{id}")],
        ..ImageIdentity::default()
    });
    identity
}

fn save(directory: &Path, identity: &Identity, architecture: &str) {
    let image =
        Image { architecture: architecture.to_owned(), ..Image::of_container(identity).unwrap() };
    baseline::save(directory, &Baseline::new(image)).unwrap();
}

#[test]
fn the_nearest_baseline_is_chosen_and_says_how_near_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let here = std::env::consts::ARCH;
    let web = container("1111", "registry/shop/web", "web");
    save(directory.path(), &web, here);
    save(directory.path(), &container("2222", "registry/shop/api", "api"), "other");
    let mut catalogue = Catalogue::new(directory.path(), "k".to_owned(), None);
    catalogue.refresh(now());
    assert_eq!((catalogue.len(), catalogue.generation()), (2, 1));
    let status = |id, name, role| {
        catalogue.choose(&container(id, name, role)).map(|choice| choice.map(|c| c.status))
    };
    assert_eq!(status("1111", "registry/shop/web", "web"), Ok(Some(BaselineStatus::Exact)));
    assert_eq!(status("1111", "registry/shop/web", "debug"), Ok(Some(BaselineStatus::Provisional)));
    assert_eq!(status("3333", "registry/shop/web", "web"), Ok(Some(BaselineStatus::Provisional)));
    assert_eq!(status("3333", "registry/shop/db", "db"), Ok(None));
    let why = status("2222", "registry/shop/api", "api").unwrap_err();
    assert!(why.contains("recorded on other"), "{why}");
    // Pulled through a mirror: another name, the same image.
    assert_eq!(status("1111", "mirror/web", "web"), Ok(Some(BaselineStatus::Exact)));
}

#[test]
fn a_changed_directory_is_seen_and_a_broken_file_keeps_what_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let web = container("1111", "registry/shop/web", "web");
    let mut catalogue = Catalogue::new(directory.path(), "k".to_owned(), None);
    catalogue.refresh(now());
    assert!(catalogue.choose(&web).unwrap().is_none());
    save(directory.path(), &web, std::env::consts::ARCH);
    catalogue.refresh(now());
    let generation = catalogue.generation();
    assert!(catalogue.choose(&web).unwrap().is_some());
    catalogue.refresh(now());
    assert_eq!(catalogue.generation(), generation);
    let path = baseline::path_of(directory.path(), &Image::of_container(&web).unwrap());
    fs::write(&path, "{").unwrap();
    catalogue.refresh(now());
    assert!(catalogue.choose(&web).unwrap().is_some());
    fs::remove_file(&path).unwrap();
    catalogue.refresh(now());
    assert!(catalogue.choose(&web).unwrap().is_none());
}

/// A directory with a signed baseline of `web` and one with the public key.
struct Signed {
    baselines: tempfile::TempDir,
    trust: tempfile::TempDir,
    pair: Pair,
    web: Identity,
    path: PathBuf,
}

impl Signed {
    fn new() -> Self {
        let [baselines, trust] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let web = container("1111", "registry/shop/web", "web");
        save(baselines.path(), &web, std::env::consts::ARCH);
        let path = baseline::path_of(baselines.path(), &Image::of_container(&web).unwrap());
        let pair = Pair::new(Algorithm::Ed25519);
        fs::copy(pair.path("pub.pem"), trust.path().join("release.pem")).unwrap();
        let signed = Self { baselines, trust, pair, web, path };
        signed.sign(&signed.pair, None);
        signed
    }

    fn sign(&self, pair: &Pair, expires: Option<&str>) {
        let baseline = baseline::load_file(&self.path).unwrap();
        let expires = expires.map(|time| time.parse().unwrap());
        let claim = Claim { expires, ..Claim::default() };
        let payload = serde_json::to_vec(&Statement::new(&baseline, claim)).unwrap();
        let mut envelope = Envelope::new(statement::PAYLOAD_TYPE, &payload);
        envelope.sign(&pair.signing()).unwrap();
        attest::write_envelope(&self.path, &envelope).unwrap();
    }

    fn catalogue(&self) -> Catalogue {
        let trust = Trust::open(self.trust.path()).unwrap();
        let mut catalogue = Catalogue::new(self.baselines.path(), "k".to_owned(), Some(trust));
        catalogue.refresh(now());
        catalogue
    }

    /// What the catalogue says of `web` after looking again.
    fn verdict(
        &self,
        catalogue: &mut Catalogue,
        now: Timestamp,
    ) -> Result<BaselineSignature, Reason> {
        catalogue.refresh(now);
        let choice = catalogue.choose(&self.web).unwrap();
        let refused = catalogue.refused(&self.web, choice.as_ref());
        match (choice, refused) {
            (Some(choice), None) => Ok(choice.signature),
            (None, Some(refused)) => Err(refused.reason),
            (choice, refused) => panic!("{} {}", choice.is_some(), refused.is_some()),
        }
    }
}

#[test]
fn with_trust_only_what_is_signed_is_judged_by() {
    let signed = Signed::new();
    let mut catalogue = signed.catalogue();
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Verified));
    let generation = catalogue.generation();
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Verified));
    assert_eq!(catalogue.generation(), generation);

    let envelope = attest::envelope_path(&signed.path);
    let kept = fs::read(&envelope).unwrap();
    fs::remove_file(&envelope).unwrap();
    assert_eq!(signed.verdict(&mut catalogue, now()), Err(Reason::Unsigned));
    assert_eq!((catalogue.len(), catalogue.reasons()), (0, vec![Reason::Unsigned]));
    fs::write(&envelope, kept).unwrap();
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Verified));

    let text = fs::read_to_string(&signed.path).unwrap();
    fs::write(&signed.path, text.replace("\"runs\": {}", "\"redaction_key\": [\"k\"]")).unwrap();
    assert_eq!(signed.verdict(&mut catalogue, now()), Err(Reason::Altered));
    fs::write(&signed.path, "{").unwrap();
    assert_eq!(signed.verdict(&mut catalogue, now()), Err(Reason::Malformed));
    fs::write(&signed.path, text).unwrap();
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Verified));

    signed.sign(&Pair::new(Algorithm::P256), None);
    assert_eq!(signed.verdict(&mut catalogue, now()), Err(Reason::Untrusted));
}

#[test]
fn a_signature_expires_while_it_is_judged_by_and_a_key_can_be_taken_out() {
    let signed = Signed::new();
    signed.sign(&signed.pair, Some("2026-12-01T00:00:00Z"));
    let mut catalogue = signed.catalogue();
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Verified));
    let later = "2026-12-01T00:00:00Z".parse().unwrap();
    assert_eq!(signed.verdict(&mut catalogue, later), Err(Reason::Expired));
    signed.sign(&signed.pair, None);
    assert_eq!(signed.verdict(&mut catalogue, later), Ok(BaselineSignature::Verified));
    fs::remove_file(signed.trust.path().join("release.pem")).unwrap();
    assert_eq!(signed.verdict(&mut catalogue, later), Err(Reason::Untrusted));
    fs::copy(signed.pair.path("pub.pem"), signed.trust.path().join("again.pub")).unwrap();
    assert_eq!(signed.verdict(&mut catalogue, later), Ok(BaselineSignature::Verified));
}

#[test]
fn a_refused_file_does_not_push_out_a_baseline_that_is_believed() {
    let signed = Signed::new();
    let junk = signed.baselines.path().join("junk.json");
    fs::copy(&signed.path, &junk).unwrap();
    let mut catalogue = signed.catalogue();
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Verified));
    assert_eq!(catalogue.reasons(), [Reason::Unsigned]);
    // Another image of the repository is judged by it, as before.
    let newer = container("2222", "registry/shop/web", "web");
    let choice = catalogue.choose(&newer).unwrap().unwrap();
    assert_eq!(choice.status, BaselineStatus::Provisional);
    assert!(catalogue.refused(&newer, Some(&choice)).is_none());
}

#[test]
fn without_trust_it_is_only_said_whether_there_is_a_signature() {
    let signed = Signed::new();
    let mut catalogue = Catalogue::new(signed.baselines.path(), "k".to_owned(), None);
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Untrusted));
    fs::remove_file(attest::envelope_path(&signed.path)).unwrap();
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Unsigned));
}

/// As the kubelet fills a `ConfigMap`'s directory: flat names that lead through one link, which is swapped.
#[test]
fn a_config_map_is_swapped_as_a_whole() {
    let signed = Signed::new();
    let mount = tempfile::tempdir().unwrap();
    let at = |name: &str| mount.path().join(name);
    let envelope = attest::envelope_path(&signed.path);
    let files = [&signed.path, &envelope].map(|path| (path, path.file_name().unwrap()));
    let publish = |version: &str| {
        fs::create_dir(at(version)).unwrap();
        for (path, name) in files {
            fs::copy(path, at(version).join(name)).unwrap();
        }
        std::os::unix::fs::symlink(version, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
    };
    publish("..2026_01_02");
    for (_, name) in files {
        std::os::unix::fs::symlink(Path::new("..data").join(name), mount.path().join(name))
            .unwrap();
    }
    let trust = Trust::open(signed.trust.path()).unwrap();
    let mut catalogue = Catalogue::new(mount.path(), "k".to_owned(), Some(trust));
    assert_eq!(signed.verdict(&mut catalogue, now()), Ok(BaselineSignature::Verified));
    assert_eq!(catalogue.len(), 1);
    signed.sign(&Pair::new(Algorithm::Ed25519), None);
    publish("..2026_01_03");
    assert_eq!(signed.verdict(&mut catalogue, now()), Err(Reason::Untrusted));
}
