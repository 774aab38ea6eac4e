"""From whatever can be drawn to DOT: boxes and links, scopes folded, looks, and the text."""
