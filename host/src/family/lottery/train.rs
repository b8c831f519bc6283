//! Training of a population of lottery networks, and what it leaves behind.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::settings::Settings;
use super::ticket::Neuron;
use crate::engine::{Engine, Fused, Samples, State};
use crate::population::{self, Member, Outcome, Saved, Standing, Watch, Work};

/// Steps between two looks at a member.
const STRETCH: usize = 500;
/// Time between two writes of the checkpoint.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A network that came to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Its parameters, in the order of its network's tensors.
    pub parameters: Vec<f32>,
    /// Mean square error over the points, at these parameters.
    pub loss: f64,
}

impl Trained {
    /// Its hidden neurons.
    pub fn neurons(&self) -> impl Iterator<Item = Neuron> + '_ {
        // w (N), b (N), v (N), c (1)
        let n = (self.parameters.len() - 1) / 3;
        let at = |i: usize| f64::from(self.parameters[i]);
        (0..n).map(move |i| Neuron { w: at(i), b: at(n + i), v: at(2 * n + i) })
    }

    /// What it adds to the sum of its neurons.
    pub fn offset(&self) -> f32 {
        self.parameters[self.parameters.len() - 1]
    }
}

/// What became of a population: one entry a member.
pub type Population = Vec<Result<Trained, String>>;

/// Trains `members`; those that fail say why.
///
/// # Errors
/// A stop that was asked for, or a checkpoint that does not fit or cannot be written.
pub fn train(members: &[Member], run: &population::Run, watch: &Watch) -> Result<Population> {
    let networks = Networks::new(members)?;
    let outcomes = population::train(&networks, members.len(), run, watch)?;
    let end = |outcome| match outcome {
        Outcome::Done(Model::Done(trained)) => Ok(trained),
        Outcome::Done(Model::Training(_)) => Err("it was stopped before its end".to_string()),
        Outcome::Failed { step, reason } => Err(format!("step {step}: {reason}")),
    };
    Ok(outcomes.into_iter().map(end).collect())
}

/// How a population runs without a checkpoint.
pub fn unsaved(threads: usize) -> population::Run {
    population::Run { threads, checkpoint: None, resume: false, identity: String::new(), every: SAVE_EVERY }
}

/// How a population runs that can be gone on with.
pub fn saved(threads: usize, folder: &std::path::Path, resume: bool, identity: String) -> population::Run {
    let checkpoint = Some(folder.join("population.safetensors"));
    population::Run { threads, checkpoint, resume, identity, every: SAVE_EVERY }
}

/// The members' settings; samples are shared by those that have as many points.
struct Networks {
    settings: Vec<Settings>,
    samples: Vec<Arc<Samples<f32>>>,
    seeds: Vec<u64>,
}

/// A member in training, or at its end: then its buffers are gone.
enum Model {
    Training(Box<Fused<f32>>),
    Done(Trained),
}

impl Networks {
    fn new(members: &[Member]) -> Result<Networks> {
        let settings = members.iter().map(Settings::of).collect::<Result<Vec<Settings>>>()?;
        let mut samples: Vec<Arc<Samples<f32>>> = Vec::new();
        for (i, s) in settings.iter().enumerate() {
            let same = settings[..i].iter().position(|other| other.points == s.points);
            samples.push(same.map_or_else(|| Arc::new(s.samples()), |j| samples[j].clone()));
        }
        Ok(Networks { settings, samples, seeds: members.iter().map(|m| m.seed).collect() })
    }

    fn fresh(&self, index: usize) -> Result<Fused<f32>> {
        let s = &self.settings[index];
        Fused::new(&s.network()?, self.samples[index].clone(), s.training(), self.seeds[index])
    }
}

impl Work for Networks {
    type Model = Model;

    fn start(&self, index: usize) -> Result<Model> {
        Ok(Model::Training(Box::new(self.fresh(index)?)))
    }

    fn advance(&self, index: usize, model: &mut Model) -> Result<Standing> {
        let steps = self.settings[index].steps;
        if let Model::Training(engine) = model {
            let advance = engine.run(STRETCH);
            ensure!(advance.failed.is_none(), "the loss is not finite; a lower rate may help");
            if advance.step < steps {
                return Ok(Standing { step: advance.step, steps, loss: advance.last, done: false });
            }
            let loss = engine.gradients()?[0].loss;
            ensure!(loss.is_finite(), "the loss is not finite; a lower rate may help");
            *model = Model::Done(Trained { parameters: engine.at().parameters.clone(), loss });
        }
        let Model::Done(trained) = model else { unreachable!("made above") };
        Ok(Standing { step: steps, steps, loss: trained.loss, done: true })
    }

    fn save(&self, model: &Model) -> Result<Saved> {
        Ok(match model {
            Model::Training(engine) => Saved::of(engine.at()),
            Model::Done(trained) => {
                let mut saved = Saved::default();
                saved.put("parameters", &trained.parameters);
                saved.put("loss", &[trained.loss]);
                saved
            }
        })
    }

    fn restore(&self, index: usize, saved: &Saved) -> Result<Model> {
        let parameters: Vec<f32> = saved.get("parameters")?;
        let expected = 3 * self.settings[index].width + 1;
        ensure!(parameters.len() == expected, "{} parameters, expected {expected}", parameters.len());
        if let Ok(loss) = saved.get::<f64>("loss") {
            ensure!(loss.len() == 1, "{} losses, expected 1", loss.len());
            return Ok(Model::Done(Trained { parameters, loss: loss[0] }));
        }
        let mut engine = self.fresh(index)?;
        let state: State<f32> = saved.state()?;
        engine.edit(0, &mut |s| *s = state.clone())?;
        Ok(Model::Training(Box::new(engine)))
    }
}
