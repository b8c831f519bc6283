//! Names, settings and folders: what is found, and what is said when it is not.

use super::*;

fn error(name: &str, dir: Option<&Path>) -> String {
    format!("{:#}", load(name, dir).unwrap_err())
}

#[test]
fn names_are_unique_and_the_embedded_dataset_loads_by_name() {
    for (index, entry) in registry().iter().enumerate() {
        assert!(registry()[..index].iter().all(|other| other.name != entry.name));
    }
    let spar = load("spar", None).unwrap();
    assert_eq!((spar.name.as_str(), spar.licence.as_str()), ("spar", registry()[0].licence));
}

#[test]
fn unknown_names_get_the_nearest() {
    assert!(error("spra", None).contains("did you mean spar?"));
    assert!(error("DSADS", None).contains("did you mean dsads?"));
    let far = error("xyzzy", None);
    assert!(far.contains("no dataset and no folder is called \"xyzzy\""), "{far}");
    assert!(far.contains("known: spar, dsads, flo"), "{far}");
}

#[test]
fn settings_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("spar rotations=4", "dataset spar has no setting \"rotations\"; it has generalised"),
        ("dsads turns=4", "no setting \"turns\"; it has rotations, rotation_seed"),
        ("dsads rotations=3", "rotations: expected 1 or 4, got \"3\""),
        ("dsads rotation_seed=x", "rotation_seed: expected a whole number, got \"x\""),
        ("dsads 4", "expected KEY=VALUE after the name, got \"4\""),
    ];
    for (name, expected) in cases {
        let got = error(name, Some(dir.path()));
        assert!(got.contains(expected), "for {name:?} got {got:?}, expected {expected:?}");
    }
    let dsads = &registry()[1];
    let settings = Settings::parse(dsads, "rotations=4 rotation_seed=0".split(' ')).unwrap();
    assert_eq!(settings.full_name("dsads"), "dsads rotations=4");
    assert_eq!((settings.get("rotations"), settings.get("unknown")), (4, 0));
}

#[test]
fn missing_folders_and_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let got = error("dsads", Some(dir.path()));
    assert!(got.contains("dsads/dsads_right_arm.npz, which is not there; --data-dir is"), "{got}");
    let nowhere = dir.path().join("nowhere");
    let got = error("flo", Some(&nowhere));
    assert!(got.contains("nowhere, which is not a folder"), "{got}");
    if std::env::var_os("SMIDGEN_DATA").is_none() {
        let got = error("flo", None);
        let expected = "needs the file flo/flo.npz; name the folder that holds it with --data-dir";
        assert!(got.contains(expected), "{got}");
        assert!(got.contains("SMIDGEN_DATA"), "{got}");
    }
}

#[test]
fn a_damaged_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("flo")).unwrap();
    std::fs::write(dir.path().join("flo/flo.npz"), b"PK\x03\x04 cut short").unwrap();
    let got = error("flo", Some(dir.path()));
    assert!(got.contains("flo/flo.npz: not a whole npz archive"), "{got}");
}
