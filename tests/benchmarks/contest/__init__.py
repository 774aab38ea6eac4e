"""The works and the contestants of compiled_step.py, each of which runs in a process of its own."""
