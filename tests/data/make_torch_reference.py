"""Write torch_reference.json beside this file: what PyTorch computes, stored as data.

Run by hand where ``torch==2.13.0`` and NumPy are installed: ``python make_torch_reference.py``.
PyTorch is imported inside the functions, so that the tests, which collect this file, need none.
Everything is float64. Every loss is taken per element or per sample and pulled back with a random
cotangent, so that each gradient carries information about each output.
"""

import json
from pathlib import Path

import numpy as np

STEPS = 10
draw = np.random.default_rng(20240607)


def normal(*shape, scale=1.0):
    """Draw normal values."""
    return scale * draw.normal(size=shape)


def distribution(*shape):
    """Draw probabilities that sum to one along the last axis."""
    return draw.dirichlet(np.ones(shape[-1]), shape[:-1])


def case(name, options, function, *arrays):
    """Run one function and its pullback; integer inputs get no gradient."""
    import torch

    inputs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = function(*inputs)
    g = normal(*y.shape)
    wanted = [i for i in inputs if i.requires_grad]
    gradients = iter(torch.autograd.grad(y, wanted, torch.tensor(g)))
    return {
        "name": name,
        "options": options,
        "inputs": [a.tolist() for a in arrays],
        "cotangent": g.tolist(),
        "value": y.tolist(),
        "gradients": [next(gradients).tolist() if i.requires_grad else None for i in inputs],
    }


def elementwise_losses():
    """Make the cases of the losses that have one value an element."""
    import torch.nn.functional as f

    def binary(y, p):  # PyTorch's own function gives no gradient by its target
        return -(y * p.log() + (1 - y) * (1 - p).log())

    def binary_from_logits(y, z):
        return f.binary_cross_entropy_with_logits(z, y, reduction="none")

    def pair():
        return normal(3, 4), normal(3, 4)

    targets, logits = draw.uniform(size=(3, 4)), {"from_logits": True}
    return [
        case("mean_squared_error", {}, lambda y, p: f.mse_loss(p, y, reduction="none"), *pair()),
        case("mean_absolute_error", {}, lambda y, p: f.l1_loss(p, y, reduction="none"), *pair()),
        case("huber", {"delta": 0.3}, lambda y, p: f.huber_loss(p, y, "none", 0.3), *pair()),
        case("huber", {"delta": 2.5}, lambda y, p: f.huber_loss(p, y, "none", 2.5), *pair()),
        case("binary_cross_entropy", {}, binary, targets, draw.uniform(0.01, 0.99, (3, 4))),
        case("binary_cross_entropy", logits, binary_from_logits, targets, normal(3, 4, scale=3)),
    ]


def class_losses():
    """Make the cases of the losses that have one value a sample."""
    import torch.nn.functional as f

    def from_logits(y, z):
        return f.cross_entropy(z, y, reduction="none")

    def divergence(y, p):
        return f.kl_div(p.log(), y, reduction="none").sum(-1)

    one_hot, sparse = "categorical_cross_entropy", "sparse_categorical_cross_entropy"
    labels, logits = draw.integers(0, 4, 6), {"from_logits": True}
    p, q, z = distribution(6, 4), distribution(6, 4), normal(6, 4, scale=3)
    return [
        case(one_hot, {}, lambda y, p: -(y * p.log()).sum(-1), q, p),
        case(one_hot, logits, from_logits, q, z),
        case(sparse, {}, lambda y, p: f.nll_loss(p.log(), y, reduction="none"), labels, p),
        case(sparse, logits, from_logits, labels, z),
        case("kl_divergence", {}, divergence, q, p),
    ]


def vector_losses():
    """Make the cases of the losses between vectors."""
    import torch
    import torch.nn.functional as f

    def distance(a, b):
        return torch.linalg.vector_norm(a - b, dim=-1)

    def contrastive(y, a, b):
        d = distance(a, b)
        return y * d**2 + (1 - y) * f.relu(1.5 - d) ** 2

    def triplet(a, p, n):
        return f.triplet_margin_with_distance_loss(
            a, p, n, distance_function=distance, margin=0.5, reduction="none"
        )

    similar = draw.integers(0, 2, 6).astype(float)
    pair = normal(6, 3, scale=0.5), normal(6, 3, scale=0.5)
    return [
        case("contrastive", {"margin": 1.5}, contrastive, similar, *pair),
        case("triplet", {"margin": 0.5}, triplet, normal(6, 3), normal(6, 3), normal(6, 3)),
    ]


def activations():
    """Make the cases of the activation functions."""
    import torch
    import torch.nn.functional as f

    return [
        case("relu", {}, f.relu, normal(3, 4)),
        case("leaky_relu", {"slope": 0.2}, lambda x: f.leaky_relu(x, 0.2), normal(3, 4)),
        case("sigmoid", {}, torch.sigmoid, normal(3, 4, scale=5)),
        case("tanh", {}, torch.tanh, normal(3, 4, scale=3)),
        case("softplus", {}, f.softplus, normal(3, 4, scale=5)),
        case("softmax", {}, lambda x: f.softmax(x, -1), normal(3, 4, scale=3)),
        case("softmax", {"axis": 0}, lambda x: f.softmax(x, 0), normal(3, 4, scale=3)),
        case("log_softmax", {"axis": 1}, lambda x: f.log_softmax(x, 1), normal(2, 3, 4, scale=3)),
    ]


def trajectory(name, ours, theirs):
    """Follow one parameter under gradients that are given, not computed."""
    import torch

    w = torch.tensor(normal(2, 3), requires_grad=True)
    start, gradients, path = w.tolist(), normal(STEPS, 2, 3), []
    optimizer = getattr(torch.optim, name)([w], **theirs)
    for gradient in gradients:
        w.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(w.tolist())
    about = {"name": name, "options": ours, "start": start}
    return {**about, "gradients": gradients.tolist(), "path": path}


def optimizers():
    """Make the cases of the optimisers."""

    def sgd(rate, **options):
        return trajectory("SGD", {"learning_rate": rate, **options}, {"lr": rate, **options})

    def adam(rate, beta1, beta2, epsilon):
        ours = {"learning_rate": rate, "beta1": beta1, "beta2": beta2, "epsilon": epsilon}
        return trajectory("Adam", ours, {"lr": rate, "betas": (beta1, beta2), "eps": epsilon})

    return [
        sgd(0.1),
        sgd(0.1, weight_decay=0.05),
        sgd(0.1, momentum=0.9),
        sgd(0.1, momentum=0.9, nesterov=True),
        sgd(0.1, momentum=0.7, nesterov=True, weight_decay=0.05),
        adam(0.001, 0.9, 0.999, 1e-8),
        adam(0.1, 0.5, 0.8, 0.01),
        adam(0.01, 0.0, 0.0, 1e-8),
    ]


def main():
    """Compute every section and write the file."""
    import torch

    sections = {
        "made_by": f"PyTorch {torch.__version__}, float64, make_torch_reference.py",
        "losses": elementwise_losses() + class_losses() + vector_losses(),
        "activations": activations(),
        "optimizers": optimizers(),
    }
    lines = json.dumps(sections).replace('{"name"', '\n{"name"')  # a case a line
    Path(__file__).with_name("torch_reference.json").write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
