//! The counts that are known of every built-in system, what a stranger may get wrong, and what a monitor promises.

use super::*;
use crate::compress::Layout;
use crate::infer::{Host, description};

#[test]
fn every_system_has_its_known_count() {
    for (_, name, order, null, independent, _) in reproduce::COUNTS {
        // The larger ones are for `reproduce` and `bench`.
        if order >= 3 && name.starts_with("fluid") {
            continue;
        }
        let (found, _) = measure(name, order, 0).unwrap();
        assert_eq!((null.unwrap_or(found.null), independent), (found.null, found.rank), "{name}, order {order}");
        assert!(found.confidence > 0.95, "{name}: {}", found.confidence);
        assert!(found.known.iter().all(|k| k.1) || order == 1, "{name}: {:?}", found.known);
        assert_eq!(found.independent().count(), found.rank, "{name}");
        assert!(found.laws.iter().all(|l| l.residual < 1e-10), "{name}");
    }
    let (lorenz, _) = measure("lorenz", 0, 0).unwrap();
    assert_eq!((lorenz.null, lorenz.laws.len()), (0, 0));
}

#[test]
fn laws_read_as_in_the_books() {
    let formulas =
        |name: &str| -> Vec<String> { measure(name, 0, 0).unwrap().0.laws.into_iter().map(|l| l.formula).collect() };
    for (name, law) in [
        ("lotka-volterra", "x + y + z"),
        ("lotka-volterra", "x·y·z"),
        ("kepler", "vx² + vy² − 2·(1/r)"),
        ("kepler", "x·vy − y·vx"),
        ("chemistry", "HCHO + CO"),
        ("chemistry", "NO + NO2 + HNO3"),
        ("pendulum", "omega² − 39.24·cos(theta)"),
        ("sir", "2·R + ln(S)"),
    ] {
        assert!(formulas(name).iter().any(|f| f == law), "{name}: {:?}", formulas(name));
    }
}

/// The paper's trap: R9 is so slow that it passes for a law at 1e-8; the stoichiometry knows better.
#[test]
fn a_slow_reaction_is_no_law() {
    let (found, _) = measure("chemistry", 0, 0).unwrap();
    assert_eq!((found.null, found.exact, found.rank), (4, Some(3), 3));
    assert!(!found.sure());
    assert!(found.known.contains(&("third law".into(), true)), "{:?}", found.known);
}

fn error(text: &str) -> String {
    let system = System::parse("mine", text);
    format!("{:#}", system.and_then(|s| detect(&s, 0).map(|_| ())).unwrap_err())
}

#[test]
fn a_strangers_mistakes_are_named() {
    let with = |edit: (&str, &str)| {
        let text = "title = \"t\"\nstates = [\"x\", \"y\"]\n[equations]\nx = \"y\"\ny = \"-x\"\n[basis]\norder = 2\n";
        assert!(text.contains(edit.0));
        error(&text.replace(edit.0, edit.1))
    };
    let e = with(("\"-x\"", "\"-x + vz\""));
    assert!(e.contains("dy/dt") && e.contains("unknown name \"vz\"") && e.contains("known are x, y"), "{e}");
    let e = with(("\"-x\"", "\"1/(x-x)\""));
    assert!(e.contains("dy/dt is inf") && e.contains("division by zero"), "{e}");
    let e = with(("order = 2", "order = 2000"));
    assert!(e.contains("GB") && e.contains("lower basis.order to"), "{e}");
    let e = with(("order = 2", "order = 2\n[sampling]\nsamples = 3"));
    assert!(e.contains("fewer than the 5 terms"), "{e}");
    let e = with(("y = \"-x\"\n", ""));
    assert!(e.contains("none for the state \"y\""), "{e}");
    assert!(error("title = 3").contains("line 1"), "{}", error("title = 3"));
}

/// From a recording alone: two runs of an oscillator with noise.
#[test]
fn laws_are_found_in_recorded_data() {
    let mut csv = String::from("t,x,v\n");
    let mut rng = crate::rng::Rng::new(1, "test", 0);
    for (a, phase) in [(1.0, 0.0), (0.4, 1.0), (0.7, 2.0)] {
        for i in 0..400 {
            let t = 0.05 * f64::from(i);
            let mut noise = || 1e-5 * f64::from(rng.normal());
            let (x, v) = (a * (t + phase).sin() + noise(), a * (t + phase).cos() + noise());
            csv += &format!("{t},{x},{v}\n");
        }
    }
    let recording = Recording::parse("r.csv", &csv).unwrap();
    let system = System::unknown(&recording.columns, 2).unwrap();
    let found = detect_in_data(&system, &recording).unwrap();
    assert_eq!((found.null, found.rank), (1, 1), "{found:?}");
    assert_eq!(found.laws[0].terms.iter().map(|t| t.0).collect::<Vec<_>>(), [2, 4], "{}", found.laws[0].formula);
    assert!(found.noise.is_some_and(|n| n > 1e-6 && n < 1e-2));
}

/// Kepler's monitor on the chip's own code, in fixed point and in f32.
fn kepler(watch: &Watch) -> (System, Vec<(String, Expr)>, Sensors, crate::compress::Aligned) {
    let system = System::load("kepler").unwrap();
    let found = detect(&system, 0).unwrap();
    let laws = watched(&system, &found, &[]).unwrap();
    let (states, sensors) = orbit(&system).unwrap();
    let counts = recording(&states, &sensors, 0).take(watch.samples);
    let monitor = build(&system, &laws, &sensors, counts, watch).unwrap();
    let inputs: Vec<Vec<f32>> =
        recording(&states, &sensors, 0).take(1000).map(|x| x.iter().map(|v| f32::from(*v)).collect()).collect();
    let description = description(crate::compress::Provenance::default(), Layout::Auto, None).unwrap();
    (system, laws, sensors, crate::compress::export(&monitor.graph, &inputs, &description).unwrap().bytes)
}

/// Over 10⁶ samples with fresh noise, alarms come as often as stated, within 20 %.
#[test]
fn false_alarms_come_at_the_stated_rate() {
    for float in [false, true] {
        let (system, _, _, model) = kepler(&Watch { float, ..Watch::default() });
        let (states, sensors) = orbit(&system).unwrap();
        let mut arena = Vec::new();
        let mut host = Host::new(model.artifact().unwrap(), &mut arena).unwrap();
        let alarms =
            recording(&states, &sensors, 99).take(1_000_000).filter(|x| host.answer(x).unwrap().class > 0).count();
        println!("float {float}: {alarms} alarms of 1000 stated");
        assert!((800..=1200).contains(&alarms), "{alarms} alarms in 10⁶ samples at a stated rate of 1e-3");
    }
}

/// A drift of 1 % of one law, 100 trials: the alarm after the fault's end names that law.
#[test]
fn the_law_that_drifts_is_named() {
    let (system, laws, sensors, model) = kepler(&Watch { rate: 1e-4, smoothing: 5, ..Watch::default() });
    for fault in &system.faults {
        let named = (0..100u64)
            .filter(|&trial| {
                let phases = [200 + 7 * trial as usize, 400, 1];
                let drill = drill(&system, &laws, &sensors, fault, 0.01, phases, trial).unwrap();
                let mut arena = Vec::new();
                let mut host = Host::new(model.artifact().unwrap(), &mut arena).unwrap();
                // The first alarm from the fault's onset on.
                let alarm = drill.samples.iter().enumerate().map(|(t, x)| (t, host.answer(x).unwrap().class));
                let alarm = alarm.filter(|(t, class)| *t >= drill.onset && *class > 0).map(|a| a.1).next();
                alarm.is_some_and(|c| laws[usize::from(c) - 1].0 == fault.breaks)
            })
            .count();
        println!("{}: {named} of 100", fault.breaks);
        assert!(named >= 99, "{}: named in {named} of 100 trials", fault.breaks);
    }
}
