//! The signal of one bout of one activity, sample by sample.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::model::{AXES, Gait, Manner, Noise, Posture, Wander};
use super::schedule::{choose, uniform};

/// Three standard deviations: further out a normal number says more about itself than about a person.
const REACH: f64 = 3.0;

pub(super) type Axes = [f64; AXES];

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn normals(rng: &mut impl Rng) -> Axes {
    std::array::from_fn(|_| normal(rng))
}

/// `mix` times independent normal numbers; `mix` is lower triangular.
fn mixed(mix: &[Axes; AXES], rng: &mut impl Rng) -> Axes {
    let z = normals(rng);
    std::array::from_fn(|axis| mix[axis][..=axis].iter().zip(&z).map(|(m, z)| m * z).sum())
}

/// A table over the stride at `phase` (0 to 1), linear in between.
fn along(table: &[Axes], phase: f64) -> Axes {
    let place = phase * table.len() as f64;
    let near = place as usize % table.len();
    let (here, next) = (&table[near], &table[(near + 1) % table.len()]);
    let share = place.fract();
    std::array::from_fn(|axis| here[axis] + (next[axis] - here[axis]) * share)
}

/// A quantity that changes from stride to stride around 1 and passes smoothly from one to the next.
#[derive(Clone, Debug, Default)]
struct Wanderer {
    before: f64,
    now: f64,
}

impl Wanderer {
    fn begin(&mut self, wander: Wander, rng: &mut impl Rng) {
        self.now = wander.sd * normal(rng).clamp(-REACH, REACH);
        self.before = self.now;
    }

    fn stride(&mut self, Wander { sd, correlation }: Wander, rng: &mut impl Rng) {
        self.before = self.now;
        let fresh = (1.0 - correlation * correlation).sqrt() * sd * normal(rng);
        self.now = (correlation * self.now + fresh).clamp(-REACH * sd, REACH * sd);
    }

    /// The value `phase` strides (0 to 1) into the stride.
    fn at(&self, phase: f64) -> f64 {
        1.0 + self.before + (self.now - self.before) * phase
    }
}

/// The state of the generator within one bout. Beginning another bout allocates nothing.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    mean: Axes,
    /// Past noise, latest first.
    noise: Vec<Axes>,
    sway: Axes,
    phase: f64,
    stride_hz: f64,
    rate: Wanderer,
    gain: Wanderer,
}

impl Voice {
    /// A voice for noises of at most `order` coefficients.
    pub(super) fn new(order: usize) -> Self {
        Self {
            mean: [0.0; AXES],
            noise: vec![[0.0; AXES]; order],
            sway: [0.0; AXES],
            phase: 0.0,
            stride_hz: 0.0,
            rate: Wanderer::default(),
            gain: Wanderer::default(),
        }
    }

    pub(super) fn begin(&mut self, manner: &Manner<'_>, rng: &mut impl Rng) {
        self.noise.fill([0.0; AXES]);
        match manner {
            Manner::Gait(gait) => {
                self.mean = gait.mean;
                for (mean, sd) in self.mean.iter_mut().zip(gait.mean_sd) {
                    *mean += sd * normal(rng).clamp(-REACH, REACH);
                }
                self.phase = uniform(rng);
                self.stride_hz = gait.stride_hz * (1.0 + gait.bout_stride_sd * normal(rng).clamp(-REACH, REACH));
                self.rate.begin(gait.stride, rng);
                self.gain.begin(gait.gain, rng);
            }
            Manner::Posture(posture) => {
                self.mean = *choose(rng, &posture.means);
                self.sway = mixed(&posture.sway.mix, rng);
            }
        }
    }

    /// The mean around which the bout moves.
    pub(super) fn mean(&self) -> &Axes {
        &self.mean
    }

    /// The next deviation from the mean, `dt` seconds after the one before.
    pub(super) fn next(&mut self, manner: &Manner<'_>, dt: f64, rng: &mut impl Rng) -> Axes {
        match manner {
            Manner::Gait(gait) => {
                let noise = self.next_noise(&gait.noise, rng);
                let envelope = along(&gait.envelope, self.phase);
                let cycle = self.next_cycle(gait, dt, rng);
                std::array::from_fn(|axis| envelope[axis] * noise[axis] + cycle[axis])
            }
            Manner::Posture(posture) => {
                let noise = self.next_noise(&posture.noise, rng);
                self.next_sway(posture, rng);
                std::array::from_fn(|axis| noise[axis] + self.sway[axis])
            }
        }
    }

    fn next_noise(&mut self, noise: &Noise, rng: &mut impl Rng) -> Axes {
        let mut value = mixed(&noise.mix, rng);
        for (axis, ar) in noise.ar.iter().enumerate() {
            value[axis] += ar.iter().zip(&self.noise).map(|(c, past)| c * past[axis]).sum::<f64>();
        }
        self.noise.rotate_right(1);
        if let Some(latest) = self.noise.first_mut() {
            *latest = value;
        }
        value
    }

    fn next_sway(&mut self, posture: &Posture, rng: &mut impl Rng) {
        let pole = posture.sway.pole;
        let fresh = mixed(&posture.sway.mix, rng);
        let share = (1.0 - pole * pole).sqrt();
        for (sway, fresh) in self.sway.iter_mut().zip(fresh) {
            *sway = pole * *sway + share * fresh;
        }
    }

    fn next_cycle(&mut self, gait: &Gait, dt: f64, rng: &mut impl Rng) -> Axes {
        // each harmonic is the one before, turned once more by the fundamental
        let (sin, cos) = (std::f64::consts::TAU * self.phase).sin_cos();
        let (mut re, mut im) = (cos, sin);
        let mut cycle = [0.0; AXES];
        for harmonic in &gait.series {
            for (value, [a, b]) in cycle.iter_mut().zip(harmonic) {
                *value += re * a - im * b;
            }
            (re, im) = (re * cos - im * sin, re * sin + im * cos);
        }
        let gain = self.gain.at(self.phase);
        self.phase += self.stride_hz * self.rate.at(self.phase) * dt;
        if self.phase >= 1.0 {
            self.phase = self.phase.fract();
            self.rate.stride(gait.stride, rng);
            self.gain.stride(gait.gain, rng);
        }
        cycle.map(|value| gain * value)
    }
}
