"""Ordinary networks for activity recognition in PyTorch, small.

Each ends in a linear layer, `head`, which `fit` solves for: the layers before it keep random weights.
"""

import math

import torch
from torch import nn
from torch.nn import functional


class Cnn(nn.Module):
    """Convolutions along time on [N, C, T]."""

    def __init__(self, channels, labels):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv1d(channels, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(24, 32, 5, padding="same"), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(32, 48, 3, stride=2), nn.BatchNorm1d(48), nn.LeakyReLU(0.1)),
            *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(0.5)),
        )
        self.head = nn.Linear(48, labels)

    def forward(self, x):
        return self.head(self.body(x))


class Cnn2d(nn.Module):
    """Convolutions over an image of one colour, [N, 1, C, T]."""

    def __init__(self, channels, labels):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 12, (1, 7), padding=(0, 3)), nn.BatchNorm2d(12), nn.ELU(), nn.MaxPool2d((1, 4))),
            *(nn.Conv2d(12, 24, (3, 5), padding=(1, 2)), nn.BatchNorm2d(24), nn.ReLU6(), nn.MaxPool2d((2, 4))),
            *(nn.Conv2d(24, 16, 1), nn.PReLU(16)),
        )
        self.head = nn.Linear(16 * (channels // 2) * 8, labels)

    def forward(self, x):
        return self.head(torch.flatten(self.body(x), 1))


class ResNet(nn.Module):
    """Residual blocks on [N, T, C], which they turn to channels first, as much published code does."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = nn.Conv1d(inputs, outputs, 7, stride, padding=3, bias=False)
            self.second = nn.Conv1d(outputs, outputs, 5, padding=2, bias=False)
            self.norms = nn.ModuleList([nn.BatchNorm1d(outputs), nn.BatchNorm1d(outputs)])
            self.shortcut = nn.Sequential(nn.Conv1d(inputs, outputs, 1, stride), nn.BatchNorm1d(outputs))

        def forward(self, x):
            y = self.norms[1](self.second(torch.relu(self.norms[0](self.first(x)))))
            return functional.relu(y + self.shortcut(x))

    def __init__(self, channels, labels):
        super().__init__()
        self.blocks = nn.Sequential(self.Block(channels, 16, 1), self.Block(16, 24, 2), self.Block(24, 32, 2))
        self.head = nn.Linear(64, labels)

    def forward(self, x):
        x = self.blocks(x.permute(0, 2, 1))
        return self.head(torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1))


class DeepConvLstm(nn.Module):
    """Ordóñez and Roggen (2016): convolutions along time on [N, 1, T, C], two LSTMs, the last step."""

    def __init__(self, channels, labels):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(1 if i == 0 else 8, 8, (5, 1)) for i in range(4)])
        self.lstm = nn.LSTM(8 * channels, 32, num_layers=2, batch_first=True)
        # as large as in a trained one, or the head has to tell apart what hardly differs
        for convolution in self.convolutions:
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        self.head = nn.Linear(32, labels)

    def forward(self, x):
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))
        x = x.permute(0, 2, 1, 3).flatten(2)
        steps, _ = self.lstm(x)
        return self.head(steps[:, -1, :])


class Gru(nn.Module):
    """Two GRUs over patches of [N, T, C], and the last state.

    Patches keep PyTorch's newer exporter quick, which follows each step of a GRU.
    """

    def __init__(self, channels, labels, patch=8):
        super().__init__()
        self.embed = nn.Conv1d(channels, 24, patch, stride=patch)
        self.gru = nn.GRU(24, 32, num_layers=2, batch_first=True, dropout=0.2)
        self.head = nn.Linear(32, labels)

    def forward(self, x):
        _, state = self.gru(self.embed(x.transpose(1, 2)).transpose(1, 2))
        return self.head(state[-1])


class BiLstm(nn.Module):
    """An LSTM in both directions over the steps of [N, T, C], and the mean of all steps."""

    def __init__(self, channels, labels):
        super().__init__()
        self.lstm = nn.LSTM(channels, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, labels)

    def forward(self, x):
        steps, _ = self.lstm(x)
        return self.head(steps.mean(dim=1))


class InceptionTime(nn.Module):
    """Ismail Fawaz and others (2020) on [N, C, T]: kernels of several lengths side by side."""

    class Block(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.bottleneck = nn.Conv1d(inputs, 8, 1, bias=False)
            self.branches = nn.ModuleList([nn.Conv1d(8, 8, k, padding=k // 2, bias=False) for k in (9, 19, 39)])
            self.pool = nn.MaxPool1d(3, stride=1, padding=1)
            self.last = nn.Conv1d(inputs, 8, 1, bias=False)
            self.norm = nn.BatchNorm1d(32)

        def forward(self, x):
            narrow = self.bottleneck(x)
            parts = [branch(narrow) for branch in self.branches] + [self.last(self.pool(x))]
            return torch.relu(self.norm(torch.cat(parts, dim=1)))

    def __init__(self, channels, labels):
        super().__init__()
        self.blocks = nn.ModuleList([self.Block(channels if i == 0 else 32) for i in range(3)])
        self.shortcut = nn.Sequential(nn.Conv1d(channels, 32, 1), nn.BatchNorm1d(32))
        self.head = nn.Linear(32, labels)

    def forward(self, x):
        y = x
        for block in self.blocks:
            y = block(y)
        return self.head(torch.relu(y + self.shortcut(x)).mean(-1))


class MobileNet(nn.Module):
    """Inverted residuals on [N, C, T]: depthwise convolutions, squeeze and excitation, hard swish."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            wide = 3 * inputs
            self.expand = nn.Sequential(nn.Conv1d(inputs, wide, 1), nn.BatchNorm1d(wide), nn.Hardswish())
            self.depthwise = nn.Sequential(
                nn.Conv1d(wide, wide, 5, stride, padding=2, groups=wide), nn.BatchNorm1d(wide), nn.Hardswish()
            )
            self.excitation = nn.Sequential(
                *(nn.AdaptiveAvgPool1d(1), nn.Conv1d(wide, wide // 4, 1), nn.ReLU()),
                *(nn.Conv1d(wide // 4, wide, 1), nn.Hardsigmoid()),
            )
            self.project = nn.Sequential(nn.Conv1d(wide, outputs, 1), nn.BatchNorm1d(outputs))
            self.residual = stride == 1 and inputs == outputs

        def forward(self, x):
            y = self.depthwise(self.expand(x))
            y = self.project(y * self.excitation(y))
            return x + y if self.residual else y

    def __init__(self, channels, labels):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(channels, 16, 3, 2, 1, bias=False), nn.BatchNorm1d(16), nn.SiLU())
        self.blocks = nn.Sequential(self.Block(16, 16, 1), self.Block(16, 24, 2), self.Block(24, 24, 1))
        self.head = nn.Linear(24, labels)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.head(functional.adaptive_avg_pool1d(x, 1).squeeze(-1))


class TinyHar(nn.Module):
    """Zhou and others (2022) on [N, 1, T, C]: attention across channels, fusion, an LSTM, attention over time."""

    def __init__(self, channels, labels):
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, 8, (5, 1), stride=(2, 1)), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, (5, 1), stride=(2, 1)), nn.BatchNorm2d(8), nn.ReLU()),
        )
        self.query, self.key, self.value = (nn.Linear(8, 8, bias=False) for _ in range(3))
        self.gamma = nn.Parameter(torch.tensor(0.5))
        self.fusion = nn.Linear(8 * channels, 24)
        self.lstm = nn.LSTM(24, 24, batch_first=True)
        self.norm = nn.LayerNorm(24)
        self.score = nn.Linear(24, 1)
        self.head = nn.Linear(24, labels)

    def forward(self, x):
        x = self.convolutions(x).permute(0, 2, 3, 1)  # [N, T', C, features]
        similar = torch.matmul(self.query(x), self.key(x).transpose(-1, -2)) / math.sqrt(8)
        x = x + self.gamma * torch.matmul(torch.softmax(similar, dim=-1), self.value(x))
        x = self.norm(self.lstm(torch.relu(self.fusion(x.reshape(x.shape[0], x.shape[1], -1))))[0])
        weights = torch.softmax(torch.tanh(self.score(x)), dim=1)
        return self.head((weights * x).sum(dim=1))


class Transformer(nn.Module):
    """Self-attention over patches of [N, T, C]: an embedding, learned positions, an encoder, the first token."""

    class Encoder(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.norms = nn.ModuleList([nn.LayerNorm(size), nn.LayerNorm(size)])
            self.attention = nn.MultiheadAttention(size, 4, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))

        def forward(self, x):
            y = self.norms[0](x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.norms[1](x))

    def __init__(self, channels, labels):
        super().__init__()
        self.embed = nn.Conv1d(channels, 32, 8, stride=8)
        self.token = nn.Parameter(0.3 * torch.randn(1, 1, 32))
        self.positions = nn.Parameter(0.3 * torch.randn(1, 17, 32))
        self.encoders = nn.Sequential(self.Encoder(32), self.Encoder(32))
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, labels)

    def forward(self, x):
        x = self.embed(x.transpose(1, 2)).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.encoders(x))[:, 0])


class Tcn(nn.Module):
    """Bai and others (2018) on [N, C, T]: causal convolutions, dilated more in each layer, and the last step."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs, dilation):
            super().__init__()
            self.cut = 2 * dilation
            convolutions = (nn.Conv1d(i, outputs, 3, padding=self.cut, dilation=dilation) for i in (inputs, outputs))
            self.convolutions = nn.ModuleList(map(nn.utils.parametrizations.weight_norm, convolutions))
            self.shortcut = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

        def forward(self, x):
            y = x
            for convolution in self.convolutions:
                y = torch.relu(convolution(y)[:, :, : -self.cut])
            return torch.relu(y + self.shortcut(x))

    def __init__(self, channels, labels):
        super().__init__()
        self.blocks = nn.Sequential(*(self.Block(channels if d == 1 else 20, 20, d) for d in (1, 2, 4, 8, 16)))
        self.head = nn.Linear(20, labels)

    def forward(self, x):
        return self.head(self.blocks(x)[:, :, -1])


class Mlp(nn.Module):
    """Dense layers on a flattened window, [N, C * T]."""

    def __init__(self, channels, labels):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Linear(128 * channels, 32), nn.BatchNorm1d(32), nn.GELU(), nn.Dropout(0.3)),
            *(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.SELU()),
        )
        self.head = nn.Linear(32, labels)

    def forward(self, x):
        return self.head(self.body(x))


class Normalised(nn.Module):
    """Normalises each window by itself before convolutions on [N, C, T], and groups of channels between them."""

    def __init__(self, channels, labels):
        super().__init__()
        self.raw = nn.Linear(channels, 8)
        self.body = nn.Sequential(
            *(nn.InstanceNorm1d(channels), nn.Conv1d(channels, 24, 9, stride=2), nn.GroupNorm(4, 24), nn.Mish()),
            *(nn.Conv1d(24, 24, 5, groups=4), nn.GroupNorm(1, 24), nn.Softplus(), nn.AvgPool1d(4)),
        )
        self.head = nn.Linear(32, labels)

    def forward(self, x):
        level = self.raw(x.mean(dim=-1))
        return self.head(torch.cat([self.body(x).mean(dim=-1), level], dim=-1))


class TwoSensors(nn.Module):
    """A branch for each of two inputs, [N, 3, T]."""

    def __init__(self, channels, labels):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv1d(channels // 2, 16, 7, stride=2), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(4))
            for _ in range(2)
        )
        self.mix = nn.Conv1d(32, 32, 3)
        self.head = nn.Linear(32, labels)

    def forward(self, acc, gyro):
        x = torch.cat([self.branches[0](acc), self.branches[1](gyro)], dim=1)
        return self.head(torch.relu(self.mix(x)).amax(dim=-1))


class WithEmbedding(nn.Module):
    """A network that tells the input of its head beside its logits."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.head = network.head
        network.head = nn.Identity()

    def forward(self, *inputs):
        embedding = self.network(*inputs)
        return embedding, self.head(embedding)


def fit(network, inputs, labels):
    """Gives `network` the statistics of `inputs` in its batch-norms and the head that tells `labels` best.

    Batch-norms get random scales besides. The head is ridge regression on what comes before it, so that the logits of
    different activities lie well apart, as a trained network's do.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.weight.uniform_(0.6, 1.4)
                module.bias.uniform_(-0.3, 0.3)
                module.momentum = None  # the mean of all batches instead of a moving one
        network.train()
        for module in network.modules():
            if isinstance(module, nn.Dropout | nn.GRU):
                module.eval()
        network(*inputs)
        network.eval()
        features = []
        hook = network.head.register_forward_pre_hook(lambda _, arguments: features.append(arguments[0]))
        network(*inputs)
        hook.remove()
        network.head.weight[:], network.head.bias[:] = ridge(features[0], labels, network.head.out_features)
    return network


def ridge(features, labels, count):
    """Weight [count, features] and bias [count] of ridge regression on 6 for a window's own label and -2 for others."""
    features = features.double()
    mean = features.mean(dim=0)
    centred = features - mean
    wanted = functional.one_hot(torch.as_tensor(labels), count).double() * 8 - 2
    size = centred.square().mean()
    gram = centred.T @ centred / len(centred) + 1e-3 * size * torch.eye(centred.shape[1])
    weight = torch.linalg.solve(gram, centred.T @ (wanted - wanted.mean(dim=0)) / len(centred)).T
    return weight.float(), (wanted.mean(dim=0) - weight @ mean).float()
