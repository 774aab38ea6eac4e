"""What is this network without a framework? Its training step, as a NumPy program."""

import numpy as np

import tinygrad_nn as tnn

model = tnn.nn.Sequential(
    tnn.nn.Dense(2, 8, rng=0, name="hidden"), np.tanh, tnn.nn.Dense(8, 1, rng=1, name="output")
)
optimizer = tnn.optim.SGD(model.parameters(), learning_rate=0.1, momentum=0.9)


def train_step(x, y):
    """Forward, backward and update, as for any framework."""
    loss = tnn.losses.mean_squared_error(y, model(x))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


rng = np.random.default_rng(2)
x = rng.normal(size=(32, 2))
y = x[:, :1] * x[:, 1:]

compiled = tnn.compile(train_step)
losses = [compiled(x, y).item() for _ in range(200)]
print(f"loss {losses[0]:.3f}, then {losses[-1]:.3f}")
print(compiled.stats)

print("\nThe program, as it runs:\n")
print(compiled.source)

print("The same for a lecture, with the derivative beside each line:\n")
lecture = tnn.compile(train_step, target="teaching")
lecture(x, y)
print(lecture.source)

compiled.save("train_step.py", batch=(x, y))
print("wrote train_step.py, which needs NumPy alone: python train_step.py")
