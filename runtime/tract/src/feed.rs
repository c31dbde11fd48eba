//! From a window to one input of a network: its channels, at its resolution, in its order.

use std::sync::Arc;

use gaitd_core::ladder::InferenceError;
use gaitd_core::window::Resampler;
use tract_core::internal::*;

use crate::wanted::Input;

/// What goes into one input.
#[derive(Clone)]
pub(crate) struct Feed {
    window: usize,
    resampler: Resampler,
    tensor: Arc<Tensor>,
    /// What the network takes.
    datum_type: DatumType,
    order: Order,
}

#[derive(Clone)]
enum Order {
    /// All channels of the window, one after the other.
    Whole,
    /// These channels, one after the other, or all of one time step together; what is resampled waits in `row`.
    Picked { channels: Vec<usize>, time_first: bool, row: Vec<f32> },
}

impl Feed {
    /// What brings a window of `channels` channels and `window` samples into `input`, of `datum_type`.
    pub(crate) fn new(
        input: &Input<'_>,
        datum_type: DatumType,
        channels: usize,
        window: usize,
        resolution: usize,
    ) -> Result<Self, InferenceError> {
        let unusable = |error: String| InferenceError::Unusable(error);
        let resampler = Resampler::new(window, resolution).map_err(|error| unusable(error.to_string()))?;
        let tensor = Tensor::zero::<f32>(&input.shape).map_err(|error| unusable(format!("{error:#}")))?;
        let order = if !input.time_first && input.channels.iter().copied().eq(0..channels) {
            Order::Whole
        } else {
            let (channels, row) = (input.channels.clone(), vec![0.0; resolution]);
            Order::Picked { channels, time_first: input.time_first, row }
        };
        Ok(Self { window, resampler, tensor: Arc::new(tensor), datum_type, order })
    }

    /// The input that `window` makes.
    pub(crate) fn fill(&mut self, window: &[f32]) -> TractResult<TValue> {
        // a state drops its share of the input after each run, so the tensor is not copied
        let mut tensor = Arc::make_mut(&mut self.tensor).try_as_plain_ram_mut()?;
        let values = tensor.as_slice_mut::<f32>()?;
        match &mut self.order {
            Order::Whole => self.resampler.apply(window, values),
            Order::Picked { channels, time_first, row } => {
                let (count, steps) = (channels.len(), row.len());
                for (place, &channel) in channels.iter().enumerate() {
                    self.resampler.apply(&window[channel * self.window..(channel + 1) * self.window], row);
                    if *time_first {
                        row.iter().enumerate().for_each(|(step, value)| values[step * count + place] = *value);
                    } else {
                        values[place * steps..(place + 1) * steps].copy_from_slice(row);
                    }
                }
            }
        }
        if self.datum_type == f32::datum_type() {
            Ok(TValue::from_const(Arc::clone(&self.tensor)))
        } else {
            Ok(self.tensor.cast_to_dt(self.datum_type)?.into_owned().into_tvalue())
        }
    }
}
