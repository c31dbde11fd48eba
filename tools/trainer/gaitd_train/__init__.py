"""gaitd_train: trains the model ladders that gaitd runs.

Data flows one way through the modules:

    fetch -> datasets -> data -> training -> calibrate -> evaluate -> summary, evaluation_report, report
                            (recipe, networks)          \\-> ladder (onnx_form, golden)

`export` makes a ladder of any other PyTorch networks, with the same golden vectors and calibration.
`plan` makes whole sets of runs; `markdown` and `figures` are what reports are written with. Each module does
one thing; `cli` turns flags into a call of one of them.
"""

__version__ = "0.1.0"
