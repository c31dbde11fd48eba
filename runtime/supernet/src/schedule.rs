//! From a graph to steps over buffers: a convolution takes the rectification behind it, and the sum with what stands
//! already in a buffer, into its own step.

use crate::graph::{Conv, Graph, Operation, Pair, Shape};

/// One step; buffers are named by their places.
#[derive(Debug)]
pub(crate) enum Step {
    Conv {
        /// The place of the convolution among the values.
        value: usize,
        source: usize,
        destination: usize,
        /// What is added to each of its results.
        added: Option<usize>,
        relu: bool,
    },
    Sum {
        left: usize,
        right: Option<usize>,
        destination: usize,
        relu: bool,
    },
}

/// Features in the arena, with zeros around them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    pub(crate) shape: Shape,
    pub(crate) padding: Pair,
}

/// What is done for one inference, in this order.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// The first is the window.
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) steps: Vec<Step>,
    /// What the pool reads.
    pub(crate) features: usize,
}

impl Schedule {
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut uses = vec![0_usize; graph.values.len()];
        uses[graph.classifier.source] += 1;
        for value in &graph.values {
            match &value.operation {
                Operation::Window => {}
                Operation::Conv(Conv { source, .. }) | Operation::Relu(source) => uses[*source] += 1,
                Operation::Sum(one, other) => [one, other].iter().for_each(|source| uses[**source] += 1),
            }
        }
        let mut scheduler = Scheduler {
            graph,
            uses,
            done: vec![None; graph.values.len()],
            schedule: Self { buffers: Vec::new(), steps: Vec::new(), features: 0 },
        };
        scheduler.done[0] = Some(scheduler.buffer(0));
        let features = scheduler.compute(graph.classifier.source);
        let mut schedule = Self { features, ..scheduler.schedule };
        schedule.pad(graph);
        schedule
    }

    /// Gives each buffer the zeros that what reads it wants, and buffers that are added up the same.
    fn pad(&mut self, graph: &Graph) {
        for step in &self.steps {
            if let Step::Conv { value, source, .. } = step
                && let Operation::Conv(conv) = &graph.values[*value].operation
            {
                self.buffers[*source].padding = larger(self.buffers[*source].padding, conv.padding);
            }
        }
        let mut again = true;
        while std::mem::take(&mut again) {
            for step in &self.steps {
                let Step::Conv { destination, added: Some(added), .. } = *step else { continue };
                let both = larger(self.buffers[destination].padding, self.buffers[added].padding);
                for buffer in [destination, added] {
                    again |= self.buffers[buffer].padding != both;
                    self.buffers[buffer].padding = both;
                }
            }
        }
    }
}

fn larger(one: Pair, other: Pair) -> Pair {
    Pair { time: one.time.max(other.time), axes: one.axes.max(other.axes) }
}

struct Scheduler<'a> {
    graph: &'a Graph,
    /// How often each value is read.
    uses: Vec<usize>,
    /// The buffers of the values that are computed already.
    done: Vec<Option<usize>>,
    schedule: Schedule,
}

impl Scheduler<'_> {
    /// A buffer for the value of a place.
    fn buffer(&mut self, value: usize) -> usize {
        let shape = self.graph.values[value].shape;
        self.schedule.buffers.push(Buffer { shape, padding: Pair { time: 0, axes: 0 } });
        self.schedule.buffers.len() - 1
    }

    /// Appends the steps that compute a value, unless they are there; returns its buffer. As deep as the graph, whose
    /// operations the reader bounds.
    fn compute(&mut self, value: usize) -> usize {
        if let Some(buffer) = self.done[value] {
            return buffer;
        }
        let buffer = match &self.graph.values[value].operation {
            Operation::Window => 0,
            Operation::Conv(conv) => self.conv(value, conv, None, false),
            Operation::Sum(one, other) => self.sum(*one, *other, value, false),
            Operation::Relu(inner) => match &self.graph.values[*inner].operation {
                Operation::Conv(conv) if self.uses[*inner] == 1 => self.conv(*inner, conv, None, true),
                Operation::Sum(one, other) if self.uses[*inner] == 1 => self.sum(*one, *other, *inner, true),
                _ => {
                    let left = self.compute(*inner);
                    let destination = self.buffer(value);
                    self.schedule.steps.push(Step::Sum { left, right: None, destination, relu: true });
                    destination
                }
            },
        };
        self.done[value] = Some(buffer);
        buffer
    }

    /// A convolution, whose results are added up with the value `added`.
    fn conv(&mut self, value: usize, conv: &Conv, added: Option<usize>, relu: bool) -> usize {
        let added = added.map(|added| (self.compute(added), self.uses[added] == 1));
        let source = self.compute(conv.source);
        let destination = match added {
            // nothing else reads it
            Some((buffer, true)) => buffer,
            _ => self.buffer(value),
        };
        let added = added.map(|(buffer, _)| buffer);
        self.schedule.steps.push(Step::Conv { value, source, destination, added, relu });
        destination
    }

    fn sum(&mut self, one: usize, other: usize, value: usize, relu: bool) -> usize {
        let carries = |place: usize| match &self.graph.values[place].operation {
            Operation::Conv(conv) if self.uses[place] == 1 => Some(conv),
            _ => None,
        };
        // the one with more input channels, for that of a single one has a kernel that adds nothing
        let (carrier, added) = match (carries(one), carries(other)) {
            (Some(a), Some(b)) if a.inputs >= b.inputs => (Some((one, a)), other),
            (_, Some(b)) => (Some((other, b)), one),
            (Some(a), None) => (Some((one, a)), other),
            (None, None) => (None, one),
        };
        if let Some((place, conv)) = carrier {
            return self.conv(place, conv, Some(added), relu);
        }
        let (left, right) = (self.compute(one), Some(self.compute(other)));
        let destination = self.buffer(value);
        self.schedule.steps.push(Step::Sum { left, right, destination, relu });
        destination
    }
}
