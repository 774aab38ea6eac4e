"""Tracing: a run of a step on arrays that write down what is done to them; what became of it."""
