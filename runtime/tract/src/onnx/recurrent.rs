//! Recurrent operators: RNN, LSTM, GRU and Scan.

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::gru_seq::GruSeq;
use tract_onnx::tract_core::ops::logic::IfThenElse;
use tract_onnx::tract_core::ops::scan::Scan;

/// Lets recurrent operators begin anew with each window, those within branches too: unless told otherwise, they go on where
/// the last run ended.
pub(super) fn begin_anew(model: &mut TypedModel) {
    for node in &mut model.nodes {
        if let Some(scan) = node.op_as_mut::<Scan>() {
            scan.reset_every_turn = true;
        }
        if let Some(branches) = node.op_as_mut::<IfThenElse>() {
            begin_anew(&mut branches.then_body);
            begin_anew(&mut branches.else_body);
        }
        if let Some(gru) = node.op_as_mut::<GruSeq>() {
            gru.reset_every_turn = true;
        }
    }
}
