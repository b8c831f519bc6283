//! Settings × seeds: which members a population has.

use anyhow::{Result, ensure};

/// One member: its seed and its settings, those of the grid's point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which combination of values, counted from 0.
    pub point: usize,
    /// `(key, value)` in the order in which they were given.
    pub settings: Vec<(String, String)>,
    /// Seed of initial values and of all that is drawn.
    pub seed: u64,
}

/// Keys with the values that each takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// `(key, values)` in the order in which they were given
    pub axes: Vec<(String, Vec<String>)>,
}

impl Grid {
    /// `KEY=VALUE` or `KEY=A,B,C`; a key given twice takes its last values.
    ///
    /// # Errors
    /// A word without `=`, or an axis without values.
    pub fn of(sets: &[String]) -> Result<Grid> {
        let mut grid = Grid::default();
        for set in sets {
            let (key, values) = set
                .split_once('=')
                .ok_or_else(|| anyhow::anyhow!("--set {set}: KEY=VALUE is expected, or KEY=A,B,C for a grid"))?;
            grid.put(key.trim(), values.split(',').map(|v| v.trim().to_string()).collect())?;
        }
        Ok(grid)
    }

    /// Adds an axis, or replaces the one of that key.
    ///
    /// # Errors
    /// An axis of no values: a grid of no runs.
    pub fn put(&mut self, key: &str, values: Vec<String>) -> Result<()> {
        let values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
        ensure!(!values.is_empty(), "{key} has no values: the grid has no runs; give at least one, as {key}=1");
        match self.axes.iter_mut().find(|(k, _)| k == key) {
            Some(axis) => axis.1 = values,
            None => self.axes.push((key.to_string(), values)),
        }
        Ok(())
    }

    /// All combinations, each with seeds `first..first + seeds`: seeds run fastest.
    ///
    /// # Errors
    /// No seeds.
    pub fn members(&self, first: u64, seeds: u64) -> Result<Vec<Member>> {
        ensure!(seeds > 0, "a population of 0: the grid has no runs; --population needs at least 1");
        let points: usize = self.axes.iter().map(|(_, values)| values.len()).product();
        let mut members = Vec::new();
        for point in 0..points {
            let mut rest = point;
            let mut settings = Vec::new();
            for (key, values) in self.axes.iter().rev() {
                settings.push((key.clone(), values[rest % values.len()].clone()));
                rest /= values.len();
            }
            settings.reverse();
            members.extend((first..first + seeds).map(|seed| Member { point, settings: settings.clone(), seed }));
        }
        Ok(members)
    }
}

impl Member {
    /// The settings that differ over the grid, and the seed: `lr=0.01 seed 3`.
    pub fn label(&self, grid: &Grid) -> String {
        let mut words = self.point_label(grid);
        if !words.is_empty() {
            words.push(' ');
        }
        words + &format!("seed {}", self.seed)
    }

    /// The settings that differ over the grid.
    pub fn point_label(&self, grid: &Grid) -> String {
        let varied = self.settings.iter().zip(&grid.axes).filter(|(_, (_, values))| values.len() > 1);
        varied.map(|((key, value), _)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_the_product_of_its_axes() {
        let sets: Vec<String> = ["lr=0.1,0.2", "task=moons", "width=4,8,16"].map(String::from).into();
        let grid = Grid::of(&sets).unwrap();
        let members = grid.members(7, 2).unwrap();
        assert_eq!(members.len(), 12);
        assert_eq!((members[0].seed, members[1].seed, members[2].seed), (7, 8, 7));
        assert_eq!(members[11].label(&grid), "lr=0.2 width=16 seed 8");
        assert_eq!(members[3].settings[1], ("task".into(), "moons".into()));
    }

    #[test]
    fn a_grid_of_no_runs_is_refused() {
        assert!(Grid::of(&["lr=".into()]).unwrap_err().to_string().contains("no runs"));
        assert!(Grid::of(&["lr".into()]).is_err());
        assert!(Grid::default().members(0, 0).unwrap_err().to_string().contains("no runs"));
    }
}
