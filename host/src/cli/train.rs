//! `smidgen train FAMILY`: trains and writes a run.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use super::TrainArgs;
use crate::family::{Place, find};
use crate::run::Request;

pub fn run(args: &TrainArgs, place: &Place) -> Result<()> {
    let (request, folder) = match &args.resume {
        Some(folder) => (Request::resumed(folder)?, folder.clone()),
        None => {
            let config = args.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
            let request = Request {
                family: args.family.clone().unwrap_or_default(),
                data: args.data.clone(),
                task: args.task.clone(),
                split: args.split.clone(),
                seed: args.seed.or(config.seed).unwrap_or(0),
                population: args.population.or(config.population).unwrap_or(1),
                // The command line wins: of a key given twice the last counts.
                set: config.set.into_iter().chain(args.set.iter().cloned()).collect(),
                alone: args.alone,
                engine: args.engine.clone(),
                device: args.device.clone(),
                resume: false,
            };
            (request, args.output.clone())
        }
    };
    let place = Place { threads: args.threads.unwrap_or(place.threads), ..place.clone() };
    let result = find(&request.family)?.train(&request, &folder, &place)?;
    place
        .output
        .line(format!("run written to {}; next: smidgen look {0}, smidgen export {0} -o model.smg", folder.display()));
    place.output.result(result);
    Ok(())
}

/// A TOML file of settings: `seed`, `population`, and keys as `--set` takes them, an array for a grid.
#[derive(Default)]
struct Config {
    seed: Option<u64>,
    population: Option<u64>,
    set: Vec<String>,
}

impl Config {
    fn read(path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Config::of(&text).with_context(|| format!("{}", path.display()))
    }

    fn of(text: &str) -> Result<Config> {
        let table: Table =
            text.parse().map_err(|e: toml::de::Error| anyhow::anyhow!("{}", e.to_string().trim_end()))?;
        let mut config = Config::default();
        for (key, value) in &table {
            let whole = || match value {
                Value::Integer(n) if (0..=i64::MAX).contains(n) => Ok(*n as u64),
                _ => bail!("{key} = {value}: a whole number is expected"),
            };
            match key.as_str() {
                "seed" => config.seed = Some(whole()?),
                "population" => {
                    let population = whole()?;
                    ensure!((1..=100_000).contains(&population), "population = {population}: 1 to 100,000 is expected");
                    config.population = Some(population);
                }
                _ => {
                    let values = match value {
                        Value::Array(values) => values.iter().map(word).collect::<Result<Vec<_>>>(),
                        value => Ok(vec![word(value)?]),
                    };
                    let values = values.with_context(|| key.clone())?;
                    ensure!(!values.is_empty(), "{key} = []: the grid has no runs; give at least one value");
                    config.set.push(format!("{key}={}", values.join(",")));
                }
            }
        }
        Ok(config)
    }
}

/// A value as `--set` has it.
fn word(value: &Value) -> Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Boolean(b) => b.to_string(),
        other => bail!("{other} is a {}; a text, a number or a list of them is expected", other.type_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn a_config_is_settings_and_lists_are_grids() {
        let mut config = Config::of("seed = 3\ntask = \"two-moons\"\nrate = [0.001, 0.002]\nsteps = 500\n").unwrap();
        assert_eq!((config.seed, config.population), (Some(3), None));
        config.set.sort_unstable();
        assert_eq!(config.set, ["rate=0.001,0.002", "steps=500", "task=two-moons"]);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| format!("{:#}", Config::of(text).err().expect("refused"));
        assert!(error("rate = []").contains("no runs"));
        assert!(error("population = 0").contains("population"));
        assert!(error("a = { b = 1 }").contains("table"));
        assert!(error("a = ").contains("line 1"));
    }
}
