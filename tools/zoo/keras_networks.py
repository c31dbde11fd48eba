"""Ordinary networks for activity recognition in Keras 3 on PyTorch, small; channels last, as Keras has them."""

import os

import numpy as np

os.environ["KERAS_BACKEND"] = "torch"

import keras
from keras import layers
from pytorch_networks import ridge


def cnn(x):
    for filters in (16, 32):
        x = layers.Conv1D(filters, 5, padding="same", activation="relu")(x)
        x = layers.MaxPooling1D(2)(layers.BatchNormalization(momentum=0.0)(x))
    return layers.Dropout(0.5)(layers.GlobalAveragePooling1D()(x))


def separable(x):
    """Separable convolutions with squeeze and excitation."""
    for filters in (16, 24):
        x = layers.SeparableConv1D(filters, 5, padding="same", use_bias=False)(x)
        x = layers.Activation("hard_silu")(layers.BatchNormalization(momentum=0.0)(x))
        weights = layers.Dense(filters // 4, activation="relu")(layers.GlobalAveragePooling1D()(x))
        weights = layers.Reshape((1, filters))(layers.Dense(filters, activation="hard_sigmoid")(weights))
        x = layers.AveragePooling1D(2)(layers.Multiply()([x, weights]))
    return layers.GlobalMaxPooling1D()(x)


def cnn2d(x):
    """Convolutions over an image of one colour, (T, C, 1)."""
    x = layers.MaxPooling2D((4, 1))(layers.Conv2D(12, (7, 1), padding="same", activation="elu")(x))
    x = layers.MaxPooling2D((4, 1))(layers.Conv2D(24, (5, 3), padding="same", activation="relu")(x))
    return layers.Flatten()(x)


def lstm(x):
    """DeepConvLSTM: the steps are few, because this backend writes each of them out."""
    x = layers.Conv1D(16, 8, strides=4, activation="relu")(x)
    return layers.LSTM(24)(layers.MaxPooling1D(2)(x))


def gru(x):
    x = layers.Conv1D(16, 8, strides=8, activation="tanh")(x)
    return layers.GRU(24)(x)


def attention(x):
    x = layers.Conv1D(24, 8, strides=8)(x)
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(num_heads=3, key_dim=8)(y, y)])
    y = layers.Dense(48, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(24)(y)])
    return layers.GlobalAveragePooling1D()(x)


def mlp(x):
    x = layers.BatchNormalization(momentum=0.0)(layers.Dense(32, activation="relu")(x))
    return layers.Dense(32, activation="swish")(x)


def build(body, inputs, labels, count, *, static, seed):
    """Makes a network around `body` for arranged windows `inputs`, told apart by its last layer as `fit` does it."""
    keras.utils.set_random_seed(seed)
    shape = inputs.shape[1:]
    window = keras.Input(batch_shape=(1, *shape)) if static else keras.Input(shape)
    features = body(window)
    head = layers.Dense(count)
    network = keras.Model(window, head(features))
    beneath = keras.Model(window, features)
    chance = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, *statistics = layer.get_weights()
            gamma, beta = chance.uniform(0.6, 1.4, gamma.shape), chance.uniform(-0.3, 0.3, beta.shape)
            layer.set_weights([gamma, beta, *statistics])
    beneath(inputs, training=True)
    weight, bias = ridge(beneath(inputs, training=False).detach(), labels, count)
    head.set_weights([weight.T.numpy(), bias.numpy()])
    return network


def export(network, path, output):
    """Writes `network` as Keras does it; with `output` "probabilities" a softmax ends it.

    Keras takes PyTorch's newer exporter where all of the shape is given, and the older one else.
    """
    if output == "probabilities":
        network = keras.Model(network.inputs, layers.Softmax()(network.outputs[0]))
    network(np.zeros([1, *network.input_shape[1:]], np.float32))  # or Keras takes it to be unfinished
    static = network.input_shape[0] is not None
    signature = [keras.InputSpec(shape=network.input_shape, dtype="float32", name="window")] if static else None
    network.export(str(path), format="onnx", verbose=False, input_signature=signature)
