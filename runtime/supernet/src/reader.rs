//! From an ONNX file to a [`Graph`]: what `gaitd-train` writes, in both of its forms. Whatever else a file holds is named,
//! and leaves the ladder to another backend.

use std::collections::HashMap;

use gaitd_onnx::{Attributes, Constant, Node, OnnxError, Values};

use crate::graph::{Classifier, Conv, Graph, Operation, Pair, Shape, Value};

/// The most of anything along one axis, operations included; what goes beyond is no network for a wearable.
const MOST: usize = 1 << 16;
/// The most numbers in one value, or multiply-accumulates of one operation, so that no product of lengths overflows.
const MOST_WORK: u64 = 1 << 40;
/// The most features of one value.
const MOST_FEATURES: u64 = 1 << 24;
/// The most operations.
const MOST_OPERATIONS: usize = 512;

type Result<T> = std::result::Result<T, OnnxError>;

/// Reads the network in `onnx` for windows of `axes` channels and `time` steps, which must give `classes` answers.
///
/// # Errors
/// When it is not ONNX, or not a network of this engine's, in words.
pub(crate) fn read(onnx: &[u8], axes: usize, time: usize, classes: usize, output: Option<&str>) -> Result<Graph> {
    let file = gaitd_onnx::graph(onnx)?;
    let (window, logits) = file.ends()?;
    if output.is_some_and(|name| name != logits) {
        return wrong(format!("its output is {logits}"));
    }
    if file.nodes.len() > MOST_OPERATIONS {
        return wrong(format!("it has more than {MOST_OPERATIONS} operations"));
    }
    let constants = file.constants.iter().map(|constant| (&*constant.name, constant)).collect();
    let values = vec![Value { shape: Shape { channels: 1, time, axes }, operation: Operation::Window }];
    let mut reader = Reader { constants, meanings: HashMap::new(), values, flat: false, classifier: None };
    reader.meanings.insert(window, Meaning::Window);
    for node in &file.nodes {
        let name = node.outputs.first().map_or("", String::as_str);
        let meaning = reader.node(node).map_err(|error| OnnxError(format!("{} {name}: {error}", node.operator)))?;
        if reader.constants.contains_key(name) || reader.meanings.insert(name, meaning).is_some() {
            return wrong(format!("{} makes the value {name} again", node.operator));
        }
    }
    match (reader.meanings.get(logits), reader.classifier) {
        (Some(Meaning::Logits), Some(classifier)) if classifier.bias.len() == classes => {
            Ok(Graph { values: reader.values, classifier })
        }
        _ => wrong(format!("it does not end in a linear layer with {classes} answers")),
    }
}

fn wrong<T>(message: impl Into<String>) -> Result<T> {
    Err(OnnxError(message.into()))
}

/// What a name in the file stands for.
#[derive(Clone)]
enum Meaning {
    /// The window as it comes in.
    Window,
    /// The value of a place.
    Features(usize),
    /// Some time steps of the value of a place.
    Steps {
        value: usize,
        from: usize,
        to: usize,
    },
    /// The largest of each window of time steps of the value of a place.
    Pooled {
        value: usize,
        windows: Vec<(usize, usize)>,
    },
    /// The same in one row.
    Row {
        value: usize,
        windows: Vec<(usize, usize)>,
    },
    Logits,
}

struct Reader<'a> {
    constants: HashMap<&'a str, &'a Constant>,
    meanings: HashMap<&'a str, Meaning>,
    values: Vec<Value>,
    /// The axes are the batch of one-dimensional convolutions.
    flat: bool,
    classifier: Option<Classifier>,
}

impl<'a> Reader<'a> {
    fn node(&mut self, node: &'a Node) -> Result<Meaning> {
        node.result()?;
        let mut attributes = Attributes::of(node);
        let inputs: Vec<&str> = node.inputs.iter().map(String::as_str).collect();
        let meaning = match (&*node.operator, &*inputs) {
            ("Reshape", [data, shape]) => self.reshape(data, shape)?,
            ("Conv", [data, weight, bias]) => {
                let (operation, shape) = self.conv(data, weight, bias, &mut attributes)?;
                self.push(operation, shape)
            }
            ("Relu", [data]) => {
                let source = self.features(data)?;
                self.push(Operation::Relu(source), self.values[source].shape)
            }
            ("Add", [one, other]) => {
                let (one, other) = (self.features(one)?, self.features(other)?);
                if self.values[one].shape != self.values[other].shape {
                    return wrong("its two sides have two shapes");
                }
                self.push(Operation::Sum(one, other), self.values[one].shape)
            }
            ("Slice", [data, starts, ends, axes]) => self.slice(data, [starts, ends, axes])?,
            ("MaxPool", [data]) => self.pool(data, &mut attributes)?,
            ("Concat", [_, _, ..]) => {
                if attributes.integer("axis") != Some(self.time_axis()) {
                    return wrong("it is not along time");
                }
                self.concat(&inputs)?
            }
            ("Gemm", [data, weight, bias]) => {
                attributes.only("alpha", |alpha| alpha.float == 1.0)?;
                attributes.only("beta", |beta| beta.float == 1.0)?;
                if attributes.flag("transA") || !attributes.flag("transB") {
                    return wrong("its weights are not transposed, or its input is");
                }
                self.classify(data, weight, bias)?
            }
            _ => return wrong("supernet has no such operator with so many inputs"),
        };
        attributes.end()?;
        Ok(meaning)
    }

    fn push(&mut self, operation: Operation, shape: Shape) -> Meaning {
        self.values.push(Value { shape, operation });
        Meaning::Features(self.values.len() - 1)
    }

    fn meaning(&self, name: &str) -> Result<&Meaning> {
        self.meanings.get(name).ok_or_else(|| OnnxError(format!("{name} is nothing that was computed before it")))
    }

    /// The place of the value `name`, which more can be computed of than by a convolution.
    fn features(&self, name: &str) -> Result<usize> {
        match self.meaning(name)? {
            Meaning::Features(value) if *value > 0 => Ok(*value),
            _ => wrong(format!("{name} are no features")),
        }
    }

    fn constant(&self, name: &str) -> Result<(&'a Constant, Vec<usize>)> {
        let Some(constant) = self.constants.get(name) else { return wrong(format!("{name} is no constant")) };
        Ok((constant, constant.lengths()?))
    }

    /// The weights `name`, which are finite, and their shape.
    fn floats(&self, name: &str) -> Result<(Vec<f32>, Vec<usize>)> {
        let (constant, shape) = self.constant(name)?;
        match constant.values()? {
            Values::Floats(values) if values.iter().all(|value| value.is_finite()) => Ok((values, shape)),
            _ => wrong(format!("some of {name} are no finite numbers")),
        }
    }

    fn integers(&self, name: &str) -> Result<Vec<i64>> {
        match self.constant(name)?.0.values()? {
            Values::Integers(values) => Ok(values),
            Values::Floats(_) => wrong(format!("{name} are no whole numbers")),
        }
    }

    fn time_axis(&self) -> i64 {
        if self.flat { 2 } else { 3 }
    }

    fn reshape(&mut self, data: &str, shape: &str) -> Result<Meaning> {
        let to = self.integers(shape)?;
        let row = |value: usize, windows: Vec<(usize, usize)>| {
            let Shape { channels, axes, .. } = self.values[value].shape;
            if to != [1, (channels * axes * windows.len()) as i64] {
                return wrong(format!("it makes the shape {to:?} of features"));
            }
            Ok(Meaning::Row { value, windows })
        };
        match self.meaning(data)?.clone() {
            Meaning::Window => {
                let Shape { time, axes, .. } = self.values[0].shape;
                let (time, axes) = (time as i64, axes as i64);
                self.flat = to == [axes, 1, time];
                if !self.flat && to != [1, 1, axes, time] {
                    return wrong(format!("it makes the shape {to:?} of the window"));
                }
                Ok(Meaning::Features(0))
            }
            Meaning::Features(value) if value > 0 => row(value, single(0, self.values[value].shape.time)),
            Meaning::Steps { value, from, to } => row(value, single(from, to)),
            Meaning::Pooled { value, windows } => row(value, windows),
            _ => wrong(format!("{data} are no features")),
        }
    }

    fn conv(
        &self,
        data: &str,
        weight: &str,
        bias: &str,
        attributes: &mut Attributes<'_>,
    ) -> Result<(Operation, Shape)> {
        let Meaning::Features(source) = *self.meaning(data)? else { return wrong(format!("{data} are no features")) };
        let (weights, lengths) = self.floats(weight)?;
        let (bias, outputs) = self.floats(bias)?;
        let (inputs, kernel) = match (lengths.as_slice(), self.flat) {
            (&[out, inputs, time], true) if outputs == [out] => (inputs, Pair { time, axes: 1 }),
            (&[out, inputs, axes, time], false) if outputs == [out] => (inputs, Pair { time, axes }),
            _ => return wrong(format!("its weights have the shape {lengths:?}, and its bias {outputs:?}")),
        };
        let [stride, padding] = self.sliding(attributes, kernel)?;
        attributes.only("group", |group| group.integer == 1)?;
        let before = self.values[source].shape;
        let length = |length: usize, pick: fn(Pair) -> usize| {
            let padded = length + 2 * pick(padding);
            (padded >= pick(kernel)).then(|| (padded - pick(kernel)) / pick(stride) + 1)
        };
        let (time, axes) = (length(before.time, |it| it.time), length(before.axes, |it| it.axes));
        let (Some(time), Some(axes), true) = (time, axes, before.channels == inputs) else {
            return wrong("it does not fit what it reads");
        };
        let shape = Shape { channels: bias.len(), time, axes };
        let long = [shape.channels, inputs, kernel.time, kernel.axes].iter().any(|length| !(1..=MOST).contains(length));
        let features = [before, shape].map(|it| {
            let padded = (it.time + 2 * padding.time) as u64 * (it.axes + 2 * padding.axes) as u64;
            padded.saturating_mul(it.channels as u64)
        });
        let work = (weights.len() as u64).saturating_mul(shape.positions() as u64);
        if long || features.iter().any(|&it| it > MOST_FEATURES) || work > MOST_WORK {
            return wrong("it is too large");
        }
        Ok((Operation::Conv(Conv { source, inputs, kernel, stride, padding, weights, bias }), shape))
    }

    /// Strides and padding of a window `kernel` that slides over time and axes.
    fn sliding(&self, attributes: &mut Attributes<'_>, kernel: Pair) -> Result<[Pair; 2]> {
        attributes.only("auto_pad", |auto| auto.text == b"NOTSET")?;
        let pair = |lengths: &[usize]| match (lengths, self.flat) {
            (&[time], true) => Some(Pair { time, axes: if kernel.axes == 1 { 1 } else { 0 } }),
            (&[axes, time], false) => Some(Pair { time, axes }),
            _ => None,
        };
        let given = |lengths: Option<Vec<usize>>, usual: Pair| {
            let fits = |pair: &Pair| pair.time.max(pair.axes) <= MOST;
            lengths.map_or(Some(usual), |it| pair(&it)).filter(fits)
        };
        let one = Pair { time: 1, axes: 1 };
        let shape = given(attributes.lengths("kernel_shape")?, kernel);
        let stride = given(attributes.lengths("strides")?, one);
        let dilation = given(attributes.lengths("dilations")?, one);
        let padding = match attributes.lengths("pads")? {
            None => Some(Pair { time: 0, axes: 0 }),
            // the same before and behind
            Some(pads) => {
                let (before, behind) = pads.split_at(pads.len() / 2);
                let before = if before == behind { given(Some(before.to_vec()), one) } else { None };
                before.map(|it| if self.flat { Pair { axes: 0, ..it } } else { it })
            }
        };
        match (shape, stride, dilation, padding) {
            (Some(shape), Some(stride), Some(dilation), Some(padding))
                if shape == kernel && dilation == one && stride.time > 0 && stride.axes > 0 =>
            {
                Ok([stride, padding])
            }
            _ => wrong("its kernel, strides, pads or dilations are not those of one of this engine's layers"),
        }
    }

    fn slice(&self, data: &str, bounds: [&str; 3]) -> Result<Meaning> {
        let value = self.features(data)?;
        let [starts, ends, axes] = bounds.map(|name| self.integers(name));
        let time = self.values[value].shape.time;
        match (&*starts?, &*ends?, &*axes?) {
            (&[from], &[to], &[axis]) if axis == self.time_axis() && 0 <= from && from < to && to <= time as i64 => {
                Ok(Meaning::Steps { value, from: from as usize, to: to as usize })
            }
            _ => wrong("it does not cut out time steps"),
        }
    }

    fn pool(&self, data: &str, attributes: &mut Attributes<'_>) -> Result<Meaning> {
        let (value, from, to) = match *self.meaning(data)? {
            Meaning::Features(value) if value > 0 => (value, 0, self.values[value].shape.time),
            Meaning::Steps { value, from, to } => (value, from, to),
            _ => return wrong(format!("{data} are no features")),
        };
        let kernel = match (attributes.lengths("kernel_shape")?.as_deref(), self.flat) {
            (Some(&[time]), true) | (Some(&[1, time]), false) if time > 0 => Pair { time, axes: 1 },
            _ => return wrong("it does not pool over time"),
        };
        attributes.only("ceil_mode", |mode| mode.integer == 0)?;
        attributes.only("storage_order", |order| order.integer == 0)?;
        let [stride, padding] = self.sliding(attributes, kernel)?;
        if (stride.axes, padding) != (1, Pair { time: 0, axes: 0 }) || kernel.time > to - from {
            return wrong("it does not pool over time alone");
        }
        let starts = (from..=to - kernel.time).step_by(stride.time);
        Ok(Meaning::Pooled { value, windows: starts.map(|start| (start, start + kernel.time)).collect() })
    }

    fn concat(&self, inputs: &[&str]) -> Result<Meaning> {
        let mut of = None;
        let mut all = Vec::new();
        for name in inputs {
            let (value, windows) = match self.meaning(name)?.clone() {
                Meaning::Features(value) if value > 0 => (value, single(0, self.values[value].shape.time)),
                Meaning::Steps { value, from, to } => (value, single(from, to)),
                Meaning::Pooled { value, windows } => (value, windows),
                _ => return wrong(format!("{name} are no features")),
            };
            if *of.get_or_insert(value) != value || all.len() > MOST {
                return wrong("its parts are of several layers");
            }
            all.extend(windows);
        }
        of.map(|value| Meaning::Pooled { value, windows: all }).ok_or_else(|| OnnxError("it has no parts".to_owned()))
    }

    fn classify(&mut self, data: &str, weight: &str, bias: &str) -> Result<Meaning> {
        let Meaning::Row { value, windows } = self.meaning(data)?.clone() else {
            return wrong(format!("{data} are no features in a row"));
        };
        let (stored, shape) = self.floats(weight)?;
        let (bias, classes) = self.floats(bias)?;
        let Shape { channels, axes, .. } = self.values[value].shape;
        let (count, row) = (windows.len(), channels * axes * windows.len());
        if shape != [bias.len(), row] || classes != [bias.len()] || self.classifier.is_some() {
            return wrong(format!("its weights have the shape {shape:?}, and its input {row} values"));
        }
        // what ends first stands first, for it is known first
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&window| windows[window].1);
        let mut weights = Vec::with_capacity(stored.len());
        for class in 0..bias.len() {
            for &window in &order {
                for axis in 0..axes {
                    weights.extend((0..channels).map(|channel| {
                        let feature = if self.flat { axis * channels + channel } else { channel * axes + axis };
                        stored[class * row + feature * count + window]
                    }));
                }
            }
        }
        let windows = order.iter().map(|&window| windows[window]).collect();
        self.classifier = Some(Classifier { source: value, windows, weights, bias });
        Ok(Meaning::Logits)
    }
}

/// Each step by itself.
fn single(from: usize, to: usize) -> Vec<(usize, usize)> {
    (from..to).map(|step| (step, step + 1)).collect()
}
