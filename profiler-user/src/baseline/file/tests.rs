use super::*;

fn baseline(name: &str) -> Baseline {
    Baseline::new(Image::here(name))
}

fn write(directory: &Path, image: &str, text: &str) {
    fs::write(path_for(directory, image), text).unwrap();
}

fn message(directory: &Path, image: &str) -> String {
    load(directory, &Image::here(image)).unwrap_err().to_string()
}

#[test]
fn a_file_is_named_after_its_image() {
    let name = |image| path_for(Path::new("/b"), image).display().to_string();
    assert_eq!(name("nginx"), "/b/nginx.json");
    assert_eq!(name("registry:5000/web:1.27"), "/b/registry%3A5000%2Fweb%3A1.27.json");
    assert_eq!(name("../etc"), "/b/%2E.%2Fetc.json");
    assert_eq!(name("é~"), "/b/%C3%A9%7E.json");
    let (one, two) = (name(&"é".repeat(300)), name(&"é".repeat(301)));
    assert!(one.len() < 255 && one != two, "{one} {two}");
}

#[test]
fn what_is_saved_is_loaded_and_listed() {
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("new");
    for image in ["reg/web:1", "app"] {
        save(&inside, &baseline(image)).unwrap();
        assert_eq!(load(&inside, &Image::here(image)).unwrap(), baseline(image));
    }
    let images: Vec<_> = list(&inside).unwrap().into_iter().map(|listed| listed.image).collect();
    assert_eq!(images, ["app", "reg/web:1"]);
    let mode = fs::metadata(path_for(&inside, "app")).unwrap().permissions().mode();
    assert_eq!(mode & 0o600, 0o600);
}

#[test]
fn an_unknown_image_names_the_known_ones() {
    let directory = tempfile::tempdir().unwrap();
    assert!(
        message(directory.path(), "x").ends_with("there is none of any image, record one first")
    );
    save(directory.path(), &baseline("web")).unwrap();
    assert!(message(directory.path(), "x").contains("there is \"web\"; name one of them"));
}

#[test]
fn a_broken_file_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let good = layout::render(&baseline("x"));
    let cases = [
        (good[..good.len() - 3].to_owned(), "restore it or record again"),
        (String::new(), "breaks off after 0 bytes"),
        (good.replace("\"runs\"", "\"rums\""), "unknown field `rums`"),
        (good.replace("\"runs\": {}", "\"runs\": []"), "line 8 column"),
        (good.replace("baseline/v1", "baseline/v2"), "use a newer driftline"),
        (good.replace("\"generaliser\": 2", "\"generaliser\": 3"), "use a newer driftline"),
        (good.replace("driftline.baseline/v1", "other"), "not that of a baseline"),
        (good.replace("\"x\"", "\"y\""), "is of image \"y\", not of \"x\""),
        (good.replace(std::env::consts::ARCH, "pdp11"), "was recorded on pdp11"),
        ("[1]".to_owned(), "malformed"),
        ("[".repeat(100_000), "restore it or record again"),
    ];
    for (text, expected) in cases {
        write(path, "x", &text);
        let message = message(path, "x");
        assert!(message.contains(expected) && message.contains("x.json"), "{expected}: {message}");
    }
    fs::remove_file(path_for(path, "x")).unwrap();
    fs::create_dir(path_for(path, "x")).unwrap();
    assert!(message(path, "x").starts_with("cannot read baseline"));
}

#[test]
fn a_failed_save_leaves_the_old_file_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // A directory where the file should be: the last step, the rename, fails.
    fs::create_dir(path_for(path, "x")).unwrap();
    let error = save(path, &baseline("x")).unwrap_err();
    assert!(error.to_string().contains("cannot write baseline"), "{error}");
    assert_eq!(fs::read_dir(path).unwrap().count(), 1);
}
