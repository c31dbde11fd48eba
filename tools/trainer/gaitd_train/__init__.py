"""gaitd_train: trains the model ladders that gaitd runs.

Data flows one way through the modules:

    fetch -> prepare -> data -> (recipe, cnn, slimmable) -> collaborative -> calibrate -> evaluate -> report
                                                                                      \\-> export (onnx,
                                                                                      golden)

Each module does one thing; `cli` turns flags into one call of one of them.
"""

__version__ = "0.1.0"
