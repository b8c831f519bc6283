//! The user's folder: what it gives, and each mistake in it by file, row and column.

use super::*;
use crate::data::{Task, load};
use proptest::prelude::*;

#[path = "../../../examples/make_kettle.rs"]
#[expect(dead_code, reason = "the example's main is not called here")]
mod make_kettle;

const CLASSES_CSV: &str = "name,split,fast\nrest,seen,0\nshake,seen,1\n";
const CONFIG: &str = "window = 2\nstride = 1\n";
const ROWS: &str = "ax,ay\n1,2\n3,4\n5,6\n";

/// Files by name, and what the error must say.
type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);

/// A folder with these files; a name given twice keeps its last text.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let good = [
        ("classes.csv", CLASSES_CSV),
        ("dataset.toml", CONFIG),
        ("rest_anna_1.csv", ROWS),
        ("shake_anna_1.csv", ROWS),
        ("rest_ben_1.csv", ROWS),
    ];
    for (name, text) in good.iter().chain(files) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn load_folder(files: &[(&str, &str)]) -> anyhow::Result<Dataset> {
    super::load(folder(files).path())
}

#[test]
fn cuts_windows_and_leaves_subjects_out() {
    let dataset = load_folder(&[]).unwrap();
    assert_eq!(dataset.len(), 6);
    assert_eq!(dataset.input.window(1).unwrap(), [3, 4, 5, 6]);
    assert_eq!(dataset.class, [0, 0, 0, 0, 1, 1]);
    assert_eq!(dataset.subject_names, ["anna", "ben"]);
    assert_eq!(dataset.tasks(), [Task::Supervised]);
    let splits = dataset.splits(Task::Supervised, 0).unwrap();
    assert_eq!(splits[1].name, "subject ben");
    assert_eq!(splits[1].test_seen, [2, 3]);
}

#[test]
fn takes_class_and_subject_from_columns_and_scales_units() {
    let config = "window = 2\nstride = 2\nclass = { column = 'what' }\nsubject = { column = 'who' }\n\
                  [[channel]]\nname = 'ax'\nscale = 2048\nunit = 'g'\n";
    let rows = "t,what,who,ax\n0.1,rest,a,0.5\n0.2,rest,a,-1\n0.3,,a,9\n0.4,shake,a,1\n\
                0.5,shake,a,0.0001\n0.6,shake,b,1\n0.7,rest,b,1\n";
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("classes.csv", CLASSES_CSV), ("dataset.toml", config), ("all.csv", rows)] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let dataset = load(dir.path().to_str().unwrap(), None).unwrap();
    let Input::Windows { samples, lsb, units, .. } = &dataset.input else { panic!("not windows") };
    // Runs of subject b are shorter than a window and are left out.
    assert_eq!(samples, &[1024, -2048, 2048, 0]);
    assert_eq!((dataset.class.as_slice(), dataset.recording.as_slice()), (&[0, 1][..], &[0, 1][..]));
    assert_eq!((lsb[0], units[0].as_str()), (1.0 / 2048.0, "g"));
}

#[test]
fn one_subject_leaves_recordings_out() {
    let dataset = load_folder(&[("rest_ben_1.csv", ""), ("shake_anna_2.csv", ROWS)]);
    assert!(format!("{:#}", dataset.unwrap_err()).contains("rest_ben_1.csv: the file is empty"));
    let config = "window = 2\nclass = { file_name = '{class}_*.csv' }";
    let dataset = load_folder(&[("dataset.toml", config), ("shake_2.csv", ROWS)]).unwrap();
    let names = dataset.protocol.fold_names.clone();
    assert_eq!(names, ["recordings, fold 1", "recordings, fold 2"]);
    let split = &dataset.splits(Task::Supervised, 0).unwrap()[0];
    assert_eq!(split.train.len(), split.test_seen.len());
}

#[test]
fn names_file_row_and_column_of_what_is_wrong() {
    const BY_COLUMN: &str = "window = 2\nclass = { column = 'label' }\n";
    const SCALED: &str = "window = 2\n[[channel]]\nname = 'ax'\nscale = 100000\n[[channel]]\nname = 'ay'\n";
    let cases: [Case; 20] = [
        (
            &[("rest_ben_1.csv", "ax,ay\n1,2\n3,NaN\n")],
            &["rest_ben_1.csv:3: column \"ay\": expected a finite number, got \"NaN\""],
        ),
        (&[("rest_ben_1.csv", "ax,ay\n1,2\ninf,4\n")], &["rest_ben_1.csv:3: column \"ax\""]),
        (&[("rest_ben_1.csv", "ax,ay\n1,2\n3,x\n")], &["finite number, got \"x\""]),
        (&[("rest_ben_1.csv", "ax,ay\n1,2\n3,\n")], &["got an empty cell"]),
        (&[("rest_ben_1.csv", "ax,ay\n1,2\n3\n")], &["rest_ben_1.csv:3: 1 cells, expected 2"]),
        (&[("rest_ben_1.csv", "ax,ay,az\n1,2,3\n")], &["columns ax, ay, az, expected ax, ay as"]),
        (&[("rest_ben_1.csv", "ax,ay\n1,2\n")], &["1 rows of one class (from line 2)", "window's 2"]),
        (
            &[("rest_ben_1.csv", "ax,ay\n1,2\n3,40000\n")],
            &["rest_ben_1.csv:3: column \"ay\": \"40000\" is 40000 counts", "scale below 1"],
        ),
        (&[("dataset.toml", SCALED)], &["column \"ax\": \"1\" is 100000 counts", "lower the scale of channel \"ax\""]),
        (
            &[("rest_ben_1.csv", "ax,ay\n1,2\n3,0.5\n")],
            &["rest_ben_1.csv:3: column \"ay\": expected a whole number of counts, got \"0.5\""],
        ),
        (
            &[("dataset.toml", "window = 2\n[[channel]]\nname = 'az'\n")],
            &["rest_anna_1.csv:1: no column \"az\"; the header has ax, ay"],
        ),
        (&[("rst_ben_1.csv", ROWS)], &["class \"rst\" has no row in classes.csv", "mean \"rest\"?"]),
        (&[("odd.csv", ROWS)], &["odd.csv: the name does not match \"{class}_{subject}_*.csv\""]),
        (
            &[("dataset.toml", BY_COLUMN), ("rest_anna_1.csv", "ax,label\n1,rest\n2,shak\n")],
            &["rest_anna_1.csv:3: column \"label\": class \"shak\" has no row", "mean \"shake\"?"],
        ),
        (
            &[("dataset.toml", BY_COLUMN), ("rest_anna_1.csv", "ax,label\n1,\n2,\n")],
            &["rest_anna_1.csv: no row has a class"],
        ),
        (&[("dataset.toml", BY_COLUMN)], &["no column \"label\""]),
        (&[("dataset.toml", "windo = 2")], &["dataset.toml", "unknown field `windo`"]),
        (
            &[("classes.csv", "name,split,fast\nrest,seen,0\nshake,unseen,\n")],
            &["classes.csv:3: column \"fast\": class \"shake\" has no attribute \"fast\""],
        ),
        (
            &[("classes.csv", "name,fast\nrest,0\nshake,1\nstir,1\n")],
            &["classes.csv: no recording shows class \"stir\""],
        ),
        (&[("dataset.toml", "window = 2\nignore = ['ax', 'ay']")], &["no column is left"]),
    ];
    for (files, expected) in cases {
        let got = format!("{:#}", load_folder(files).unwrap_err());
        for part in expected {
            assert!(got.contains(part), "for {files:?} got {got:?}, expected {part:?}");
        }
    }
}

#[test]
fn says_what_a_folder_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let got = format!("{:#}", super::load(dir.path()).unwrap_err());
    assert!(got.contains("classes.csv; expected a table of the classes"), "{got}");
    std::fs::write(dir.path().join("classes.csv"), CLASSES_CSV).unwrap();
    let got = format!("{:#}", super::load(dir.path()).unwrap_err());
    assert!(got.contains("no recordings; expected CSV files"), "{got}");
}

#[test]
fn the_example_is_what_its_generator_makes() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/kettle");
    let dataset = super::load(&example).unwrap();
    assert_eq!((dataset.classes.len(), dataset.subject_names.len()), (5, 3));
    let splits = dataset.splits(Task::ZeroShot, 0).unwrap();
    assert_eq!((splits[0].seen.len(), splits[0].unseen.as_slice()), (4, &[4][..]));
    assert!(!splits[0].test_seen.is_empty() && splits[0].validation.len() == 6);

    let made = tempfile::tempdir().unwrap();
    make_kettle::write(made.path()).unwrap();
    for file in csv_files(made.path()).unwrap() {
        let cells = |root: &Path| -> Vec<i32> {
            let text = std::fs::read_to_string(root.join(&file)).unwrap();
            let cells = text.lines().skip(1).flat_map(|line| line.split(','));
            cells.map(|cell| cell.parse().unwrap()).collect()
        };
        let (a, b) = (cells(&example), cells(made.path()));
        assert_eq!(a.len(), b.len(), "{}", file.display());
        // A sine's last bit is the platform's own: one count of difference is allowed.
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1), "{}", file.display());
    }
}

proptest! {
    // Each case writes a folder.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_recording_gives_an_answer(text in "[ -~\n\r,0-9.]{0,120}") {
        let _ = load_folder(&[("rest_ben_1.csv", &text)]);
    }

    #[test]
    fn windows_are_the_rows_they_start_at(
        rows in 1usize..40, window in 1usize..12, stride in 1usize..12,
    ) {
        let text = (0..rows).fold("ax\n".to_string(), |text, row| format!("{text}{row}\n"));
        let config = format!("window = {window}\nstride = {stride}\n");
        let files = ["rest_anna_1.csv", "shake_anna_1.csv", "rest_ben_1.csv"];
        let mut all = vec![("dataset.toml", config.as_str())];
        all.extend(files.map(|file| (file, text.as_str())));
        let result = load_folder(&all);
        prop_assert_eq!(result.is_ok(), rows >= window);
        if let Ok(dataset) = result {
            let each = (rows - window) / stride + 1;
            prop_assert_eq!(dataset.len(), 3 * each);
            for index in 0..dataset.len() {
                let start = (index % each * stride) as i16;
                let expected: Vec<i16> = (start..start + window as i16).collect();
                prop_assert_eq!(dataset.input.window(index).unwrap(), expected);
            }
        }
    }
}
