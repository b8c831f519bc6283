//! The counts that are known of every built-in system, and what a stranger may get wrong.

use super::*;

/// Terms set, then conserved directions and independent laws.
fn counts(name: &str, edit: &[(&str, &str)]) -> Found {
    let mut text = BUILT_IN.iter().find(|b| b.0 == name).unwrap().1.to_string();
    for (from, to) in edit {
        assert!(text.contains(from), "{name}: no {from}");
        text = text.replace(from, to);
    }
    let found = detect(&System::parse(name, &text).unwrap(), 0).unwrap();
    println!("{name} {edit:?}: {} -> {} ({:.2}) gap {:?}", found.null, found.rank, found.confidence, found.gap);
    for law in &found.laws {
        println!("  {} {:?} {} [{:.1e}]", if law.independent { "*" } else { " " }, law.name, law.formula, law.residual);
    }
    found
}

#[test]
fn every_system_has_its_known_count() {
    let known: [(&str, &[(&str, &str)], usize, usize); 16] = [
        ("lotka-volterra", &[], 4, 2),
        ("fluid-2d", &[("order = 2", "order = 1")], 2, 2),
        ("fluid-2d", &[], 11, 8),
        ("fluid-3d", &[("order = 2", "order = 1")], 3, 3),
        ("fluid-3d", &[], 19, 12),
        ("chemistry", &[], 4, 3),
        ("kepler", &[], 4, 3),
        ("pendulum", &[], 1, 1),
        ("oscillator", &[], 4, 3),
        ("oscillator-anisotropic", &[], 2, 2),
        ("rigid-body", &[], 2, 2),
        ("toda", &[], 7, 4),
        ("henon-heiles", &[], 1, 1),
        ("double-pendulum", &[], 1, 1),
        ("sir", &[], 2, 2),
        ("charged-particle", &[], 10, 4),
    ];
    let mut wrong = Vec::new();
    for (name, edit, null, rank) in known {
        let found = counts(name, edit);
        if (found.null, found.rank) != (null, rank) || found.confidence < 0.95 {
            wrong.push((name, edit, found.null, found.rank, found.confidence));
        }
    }
    let lorenz = counts("lorenz", &[]);
    assert_eq!((lorenz.null, lorenz.laws.len()), (0, 0));
    assert!(wrong.is_empty(), "{wrong:?}");
}
