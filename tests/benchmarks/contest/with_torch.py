"""PyTorch: eager, with the fused optimiser, and compiled.

What is compiled is the forward and the backward pass; the optimiser beside them is the fused one.
"""

import torch

from .works import BETA1, BETA2, EPSILON, THREADS, Network


def contestant(work, fused=False, compiled=False):
    """A function that does the work once and gives the loss, or the gradients."""
    torch.set_num_threads(THREADS)
    wrap = torch.compile if compiled else lambda function: function
    return network(work, fused, wrap) if isinstance(work, Network) else gradients(work, wrap)


def network(work, fused, wrap):
    values = [torch.from_numpy(v).requires_grad_() for v in work.parameters()]
    inputs, labels = map(torch.from_numpy, work.data())
    if work.rule == "adam":
        optimizer = torch.optim.Adam(
            values, lr=work.rate, betas=(BETA1, BETA2), eps=EPSILON, fused=fused
        )
    else:
        optimizer = torch.optim.SGD(values, lr=work.rate, fused=fused)

    @wrap
    def loss_of(X, y):
        for w, b in zip(values[:-2:2], values[1:-2:2], strict=True):
            X = torch.relu(torch.addmm(b, X, w))
        return torch.nn.functional.cross_entropy(torch.addmm(values[-1], X, values[-2]), y)

    def step():
        loss = loss_of(inputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def gradients(work, wrap):
    arguments = [torch.from_numpy(value).requires_grad_() for value in work.arguments()]
    f = wrap(work.function(torch.tanh, torch.sigmoid, torch.nn.functional.softplus))
    return lambda: torch.autograd.grad(f(*arguments), arguments)
