"""Blocks: groups of elementwise equations, which are computed together, part by part."""
