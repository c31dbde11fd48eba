"""gaitd_train: trains the model ladders that gaitd runs.

Data flows one way through the modules:

    fetch -> datasets -> data -> collaborative -> calibrate -> evaluate -> summary, report -> figures
                                 (recipe, networks)              \\-> export (onnx_form, golden)

`plan` makes whole sets of runs. Each module does one thing; `cli` turns flags into one call of one of them.
"""

__version__ = "0.1.0"
