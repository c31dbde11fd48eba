//! A cascade, as the manifest lists it: a small configuration for every window, and a large one where that leaves doubts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Manifest;
use super::manifest::duplicates;
use crate::control::Pair;

/// The most cascades of a ladder: each is one more plan that is weighed for every window.
pub(super) const MOST_CASCADES: usize = 64;

/// Two configurations that answer together: where the belief is less sure than a threshold after the small one, the window's
/// evidence is taken from the large one in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cascade {
    /// Name of the configuration that every window gets.
    pub small: String,
    /// Name of the one that a window gets as well where the belief is unsure; costlier than the small one.
    pub large: String,
    /// The large one is asked where no activity is believed in with this probability; above 0, below 1.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub threshold: f64,
    /// What of the way from the accuracy of the small configuration to that of the large one it gains, a share: measured with
    /// context, on people held out.
    #[schemars(range(min = 0, max = 1))]
    pub gain: f64,
    /// Share of windows for which the large one was asked, of the same people; what a wearer's windows ask for is learned.
    #[schemars(range(min = 0, max = 1))]
    pub escalates: f64,
}

impl Cascade {
    /// Its name, as settings, reports and decisions have it: `0.10x-96+0.45x-124@0.7`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}+{}@{}", self.small, self.large, self.threshold)
    }

    /// Whether `plan`, the name of a configuration or a cascade, is that of a cascade: no configuration has a `+` in its name.
    #[must_use]
    pub fn is_name(plan: &str) -> bool {
        plan.contains('+')
    }

    /// Everything that is wrong with it in `manifest`, a sentence each.
    fn problems(&self, manifest: &Manifest, problems: &mut Vec<String>) {
        let Self { small, large, threshold, gain, escalates } = self;
        let place = format!("cascades: {}", self.name());
        let macs = |id: &String| {
            manifest.configurations.iter().find(|configuration| configuration.id == *id).map(|found| found.macs)
        };
        for id in [small, large] {
            if macs(id).is_none() {
                problems.push(format!("{place}: there is no configuration {id}; leave the cascade out"));
            }
        }
        // where a manifest does not count them, they are counted after it is read
        let counted = macs(small).zip(macs(large)).filter(|(small, large)| *small > 0 && *large > 0);
        if small == large || counted.is_some_and(|(small, large)| small >= large) {
            problems.push(format!("{place}: {large} costs no more than {small}"));
        }
        if !(*threshold > 0.0 && *threshold < 1.0) {
            problems.push(format!("{place}: threshold is {threshold}, and must be above 0 and below 1"));
        }
        for (key, share) in [("gain", gain), ("escalates", escalates)] {
            if !(0.0..=1.0).contains(share) {
                problems.push(format!("{place}: {key} is {share}, and must be a share from 0 to 1"));
            }
        }
    }
}

impl Manifest {
    /// The names of all plans: of the configurations, then of the cascades.
    #[must_use]
    pub fn plans(&self) -> Vec<String> {
        let configurations = self.configurations.iter().map(|configuration| configuration.id.clone());
        configurations.chain(self.cascades.iter().map(Cascade::name)).collect()
    }

    /// The rungs of `cascade`, which is one of this manifest's.
    pub(crate) fn pair(&self, cascade: &Cascade) -> Option<Pair> {
        let rung = |id: &String| self.configurations.iter().position(|configuration| configuration.id == *id);
        Some(Pair { small: rung(&cascade.small)?, large: rung(&cascade.large)? })
    }

    /// Everything that is wrong with its cascades, a sentence each.
    pub(super) fn problems_of_cascades(&self, problems: &mut Vec<String>) {
        if self.cascades.len() > MOST_CASCADES {
            problems.push(format!("cascades: {} are given, and {MOST_CASCADES} are the most", self.cascades.len()));
        }
        let names: Vec<String> = self.cascades.iter().map(Cascade::name).collect();
        duplicates(names.iter(), "cascades:", problems);
        self.cascades.iter().for_each(|cascade| cascade.problems(self, problems));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ladder::ModelFiles;
    use crate::testing::FakeModel;

    fn manifest() -> Manifest {
        let file = FakeModel::new(3).read("manifest.json").unwrap();
        Manifest { schema: 3, ..Manifest::parse(&file, Path::new("fake")).unwrap() }
    }

    fn cascade() -> Cascade {
        let (small, large) = ("0.33x-128".to_owned(), "1.00x-128".to_owned());
        Cascade { small, large, threshold: 0.75, gain: 0.5, escalates: 0.25 }
    }

    #[test]
    fn a_plan_is_a_configuration_or_a_cascade() {
        let manifest = Manifest { cascades: vec![cascade()], ..manifest() };
        assert_eq!(manifest.problems(), [""; 0]);
        assert_eq!(manifest.plans(), ["0.33x-128", "0.67x-128", "1.00x-128", "0.33x-128+1.00x-128@0.75"]);
        assert_eq!(manifest.pair(&manifest.cascades[0]), Some(Pair { small: 0, large: 2 }));
        let text = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::parse(&text, Path::new("fake")).unwrap(), manifest);
    }

    #[test]
    fn what_is_wrong_with_a_cascade_is_named() {
        let (small, large) = (cascade().small, cascade().large);
        for (wrong, named) in [
            (Cascade { small: "no".into(), ..cascade() }, "there is no configuration no"),
            (Cascade { large: "no".into(), ..cascade() }, "there is no configuration no"),
            (Cascade { small: large.clone(), large: small.clone(), ..cascade() }, "costs no more than"),
            (Cascade { large: small, ..cascade() }, "costs no more than"),
            (Cascade { threshold: 0.0, ..cascade() }, "threshold is 0"),
            (Cascade { threshold: 1.0, ..cascade() }, "threshold is 1"),
            (Cascade { threshold: f64::NAN, ..cascade() }, "threshold is NaN"),
            (Cascade { gain: 1.5, ..cascade() }, "gain is 1.5"),
            (Cascade { escalates: -0.5, ..cascade() }, "escalates is -0.5"),
        ] {
            let problems = Manifest { cascades: vec![wrong], ..manifest() }.problems();
            assert!(problems.len() == 1 && problems[0].contains(named), "{problems:?}");
        }
        let twice = Manifest { cascades: vec![cascade(), cascade()], ..manifest() };
        assert!(twice.problems()[0].contains("stands twice"), "{:?}", twice.problems());
        let old = Manifest { schema: 2, cascades: vec![cascade()], ..manifest() };
        assert_eq!(old.problems(), ["cascades belongs to schema 3, and schema is 2"]);
        let many = (1..=MOST_CASCADES + 1).map(|n| Cascade { threshold: n as f64 / 100.0, ..cascade() }).collect();
        assert_eq!(Manifest { cascades: many, ..manifest() }.problems().len(), 1);
    }
}
