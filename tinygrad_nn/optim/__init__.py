"""Optimisers and the pure update rules they apply."""

from .optimizers import SGD, Adam, Optimizer
from .rules import AdamRule, Rule, SGDRule, State

__all__ = ["SGD", "Adam", "AdamRule", "Optimizer", "Rule", "SGDRule", "State"]
