//! A plan that is altered so that something points beyond its memory is refused.

use std::sync::Arc;

use super::split::Half;
use super::*;
use crate::graph::{Classifier, Conv, Operation, Pair, Shape, Value};
use crate::kernels::WIDEST;

/// Two convolutions, of one channel and of eight, and five classes.
fn graph() -> Graph {
    let shape = |channels, time| Shape { channels, time, axes: 3 };
    let one = Pair { time: 1, axes: 1 };
    let conv = |source, inputs: usize, outputs: usize, time, axes| Conv {
        source,
        inputs,
        kernel: Pair { time, axes },
        stride: one,
        padding: Pair { time: 1, axes: axes / 2 },
        weights: (0..outputs * inputs * time * axes).map(|place| (place as f32).sin()).collect(),
        bias: vec![0.5; outputs],
    };
    let values = vec![
        Value { shape: shape(1, 20), operation: Operation::Window },
        Value { shape: shape(8, 17), operation: Operation::Conv(conv(0, 1, 8, 6, 1)) },
        Value { shape: shape(40, 17), operation: Operation::Conv(conv(1, 8, 40, 3, 3)) },
    ];
    let classifier = Classifier {
        source: 2,
        windows: vec![(0, 1), (1, 17)],
        weights: (0..5 * 2 * 3 * 40).map(|place| (place as f32).cos()).collect(),
        bias: vec![0.0; 5],
    };
    Graph { values, classifier }
}

fn plan(set: &'static Set) -> Plan {
    Plan::new(&graph(), set, &mut Packer::new(set)).unwrap()
}

fn conv(plan: &mut Plan, place: usize) -> &mut ConvStep {
    match &mut plan.steps[place] {
        Step::Conv(step) => step,
        Step::Sum(_) => panic!("no convolution"),
    }
}

#[test]
fn what_points_beyond_its_memory_is_refused() {
    type Alteration = fn(&mut Plan);
    let alterations: [(&str, Alteration); 22] = [
        ("a shorter arena", |plan| plan.arena -= 40 * 3),
        ("fewer weights", |plan| plan.weights -= 16),
        ("a position that reads late", |plan| conv(plan, 1).from[5] += 100_000),
        ("a position that writes late", |plan| conv(plan, 1).to[7] += 100_000),
        ("a late tap", |plan| conv(plan, 1).taps[2].input += 100_000),
        ("late weights of a tap", |plan| conv(plan, 1).taps[2].weight += 100_000),
        ("late weights", |plan| conv(plan, 1).weights += 100_000),
        ("more channels", |plan| conv(plan, 1).channels += 100_000),
        ("no channels", |plan| conv(plan, 1).channels = 0),
        ("a late destination", |plan| conv(plan, 1).destination += 100_000),
        ("a late sum", |plan| conv(plan, 1).added = Some(100_000)),
        ("a sum where positions are computed twice", |plan| {
            let passes = plan.set.forms.iter().any(|form| form.taps == Some(6));
            let step = conv(plan, 0);
            // where there is no such kernel, there is nothing to refuse
            step.added = Some(if passes { 0 } else { 100_000 });
        }),
        ("distant panels", |plan| {
            let step = conv(plan, 1);
            step.panel = 100_000;
        }),
        ("other panels", |plan| conv(plan, 1).width += 1),
        ("fewer scales", |plan| conv(plan, 1).scale = [0.0; 4].into()),
        ("fewer biases", |plan| conv(plan, 1).bias = [0.0; 4].into()),
        ("another form", |plan| conv(plan, 1).tiles[0].form = 99),
        ("another size", |plan| conv(plan, 1).tiles[0].size = 99),
        ("more positions", |plan| conv(plan, 1).tiles[0].positions += 1),
        ("a late position", |plan| conv(plan, 1).tiles[0].position += 100_000),
        ("late taps", |plan| conv(plan, 1).tiles[0].taps.0 += 100_000),
        ("late outputs", |plan| conv(plan, 1).tiles[0].output += 100_000),
    ];
    for set in kernels::available() {
        assert!(plan(set).is_within());
        for (what, alter) in alterations {
            let mut plan = plan(set);
            alter(&mut plan);
            assert!(!plan.is_within(), "{}: {what}", set.name);
        }
    }
}

#[test]
fn a_linear_layer_that_points_beyond_its_memory_is_refused() {
    type Alteration = fn(&mut ClassifierPlan);
    let alterations: [(&str, Alteration); 9] = [
        ("late sums", |classifier| classifier.sums += 100_000),
        ("late features", |classifier| classifier.features += 100_000),
        ("long steps", |classifier| classifier.step += 100_000),
        ("long rows", |classifier| classifier.row += 100_000),
        ("a late window", |classifier| classifier.windows[0] = (100_000, 100_001)),
        ("an empty window", |classifier| classifier.windows[0] = (1, 1)),
        ("more axes", |classifier| classifier.axes += 100_000),
        ("more blocks", |classifier| classifier.blocks += 100_000),
        ("late weights", |classifier| classifier.weights += 100_000),
    ];
    for set in kernels::available() {
        for (what, alter) in alterations {
            let mut plan = plan(set);
            alter(&mut plan.classifier);
            assert!(!plan.is_within(), "{}: {what}", set.name);
        }
    }
}

/// The same with a second convolution of eight channels, and both added up.
fn residual() -> Graph {
    let mut graph = graph();
    let Operation::Conv(conv) = &graph.values[2].operation else { panic!("no convolution") };
    let other = Conv { weights: conv.weights.clone(), bias: conv.bias.clone(), ..*conv };
    let shape = graph.values[2].shape;
    graph.values.push(Value { shape, operation: Operation::Conv(other) });
    graph.values.push(Value { shape, operation: Operation::Sum(2, 3) });
    graph.classifier.source = 4;
    graph
}

#[test]
fn a_split_that_points_beyond_its_memory_is_refused() {
    type Alteration = fn(&mut Split);
    fn tile(half: &mut Half, part: Part) -> &mut Tile {
        half.tiles.iter_mut().rfind(|tile| tile.part == part).unwrap()
    }
    let alterations: [(&str, Alteration); 18] = [
        ("an arena without its sums", |split| split.arena = split.plan.arena),
        ("an arena shorter than the plan's", |split| split.arena = split.plan.arena - 1),
        ("more windows", |split| split.windows = split.plan.classifier.windows.len() + 1),
        ("late sums", |split| split.sums[1] += 100_000),
        ("late sums beside those that stand already", |split| split.sums[2] += 100_000),
        ("sums of one channel", |split| {
            // where no kernel is for one channel alone, there is nothing to refuse
            let tile = &mut split.head.tiles[0];
            let passes = split.plan.set.forms[tile.form()].taps.is_some();
            (tile.part, split.sums[0]) = (Part::First, if passes { 0 } else { 100_000 });
        }),
        ("another form in the head", |split| tile(&mut split.head, Part::First).form = 99),
        ("another size in the head", |split| tile(&mut split.head, Part::First).size = 99),
        ("more positions in the head", |split| tile(&mut split.head, Part::First).positions += 1),
        ("a late position in the head", |split| tile(&mut split.head, Part::First).position += 100_000),
        ("late taps in the head", |split| tile(&mut split.head, Part::First).taps.0 += 100_000),
        ("late outputs in the head", |split| tile(&mut split.head, Part::First).output += 100_000),
        ("another form in the tail", |split| tile(&mut split.tail, Part::Last).form = 99),
        ("another size in the tail", |split| tile(&mut split.tail, Part::Last).size = 99),
        ("more positions in the tail", |split| tile(&mut split.tail, Part::Last).positions += 1),
        ("a late position in the tail", |split| tile(&mut split.tail, Part::Last).position += 100_000),
        ("late taps in the tail", |split| tile(&mut split.tail, Part::Last).taps.0 += 100_000),
        ("late outputs in the tail", |split| tile(&mut split.tail, Part::Last).output += 100_000),
    ];
    for set in kernels::available() {
        let plan = Arc::new(Plan::new(&residual(), set, &mut Packer::new(set)).unwrap());
        let split = || Split::new(&plan, 14).unwrap().unwrap();
        assert!(split().is_within());
        assert!(split().arena() > plan.arena(), "{}: nothing is added in place", set.name);
        for (what, alter) in alterations {
            let mut split = split();
            alter(&mut split);
            assert!(!split.is_within(), "{}: {what}", set.name);
        }
    }
}

#[test]
fn no_form_is_wider_than_what_leaves_sums() {
    for set in kernels::available() {
        assert!(set.forms.iter().all(|form| form.channels() <= WIDEST), "{}", set.name);
    }
}

#[test]
fn halves_of_sums_in_place_give_what_the_whole_gives() {
    for set in kernels::available() {
        let mut packer = Packer::new(set);
        let plan = Arc::new(Plan::new(&residual(), set, &mut packer).unwrap());
        let weights = packer.finish();
        let fill = |channel: usize, first: usize, row: &mut [f32]| {
            (first..).zip(row).for_each(|(time, it)| *it = (channel * 20 + time) as f32 % 7.0 - 2.7);
        };
        let mut expected = [0.0; 5];
        let mut arena = vec![f32::NAN; plan.arena()];
        plan.enter(&mut arena);
        plan.run(&weights, &mut arena, &mut expected, fill);
        for known in 1..20 {
            let Some(split) = Split::new(&plan, known).unwrap() else { continue };
            let (mut arena, mut found) = (vec![f32::NAN; split.arena()], [0.0; 5]);
            plan.enter(&mut arena);
            assert!(split.head(&weights, &mut arena, fill, &mut || true));
            split.tail(&weights, &mut arena, &mut found, fill);
            assert_eq!(found, expected, "{} {known}", set.name);
        }
        assert!(Split::new(&plan, 12).unwrap().is_some() && Split::new(&plan, 0).unwrap().is_none(), "{}", set.name);
    }
}

#[test]
#[should_panic = "the plan was made for other weights"]
fn shorter_weights_are_refused_before_anything_runs() {
    let set = kernels::available()[0];
    let mut packer = Packer::new(set);
    let plan = Plan::new(&graph(), set, &mut packer).unwrap();
    let weights = packer.finish();
    let mut arena = vec![0.0; plan.arena()];
    plan.run(&weights[1..], &mut arena, &mut [0.0; 5], |_, _, row| row.fill(1.0));
}

#[test]
fn padding_is_what_is_no_feature() {
    let set = kernels::available()[0];
    let mut packer = Packer::new(set);
    let plan = Plan::new(&graph(), set, &mut packer).unwrap();
    let weights = packer.finish();
    let run = |arena: &mut [f32]| {
        let mut logits = [0.0; 5];
        plan.enter(arena);
        plan.run(&weights, arena, &mut logits, |channel, _, row| row.fill(channel as f32 - 0.7));
        logits
    };
    let clean = run(&mut vec![0.0; plan.arena()]);
    // whatever another configuration left
    assert_eq!(run(&mut vec![f32::NAN; plan.arena()]), clean);
}

#[test]
fn the_tail_is_what_reads_missing_samples() {
    let graph = residual();
    let set = &kernels::plain::SET;
    let plan = Arc::new(Plan::new(&graph, set, &mut Packer::new(set)).unwrap());
    for known in 7..20 {
        // by the definition: for each value which of its time steps need none that is missing
        let mut free: Vec<Vec<bool>> = Vec::new();
        let mut macs = 0;
        for value in &graph.values {
            let times = 0..value.shape.time;
            free.push(match &value.operation {
                Operation::Window => times.map(|time| time < known).collect(),
                Operation::Conv(conv) => times
                    .map(|time| {
                        let source = &free[conv.source];
                        let missing = |tap: &Pair| {
                            let place = (time * conv.stride.time + tap.time).checked_sub(conv.padding.time);
                            place.is_some_and(|place| source.get(place) == Some(&false))
                        };
                        for axis in 0..value.shape.axes {
                            let beside = |tap: &Pair| {
                                let place = (axis * conv.stride.axes + tap.axes).checked_sub(conv.padding.axes);
                                place.is_some_and(|place| place < 3)
                            };
                            let taps = conv.taps().filter(|tap| missing(tap) && beside(tap)).count();
                            macs += taps * conv.inputs * conv.outputs();
                        }
                        !conv.taps().any(|tap| missing(&tap))
                    })
                    .collect(),
                Operation::Relu(source) => free[*source].clone(),
                Operation::Sum(one, other) => times.map(|time| free[*one][time] && free[*other][time]).collect(),
            });
        }
        for &(from, to) in &graph.classifier.windows {
            let steps = &free[graph.classifier.source][from..to];
            macs += if steps.iter().all(|free| *free) { 0 } else { 3 * 40 * 5 };
        }
        let split = Split::new(&plan, known).unwrap().unwrap();
        assert_eq!(split.tail_macs(), macs as u64, "{known}");
    }
}
