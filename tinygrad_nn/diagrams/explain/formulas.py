"""From the formulas of the table, which are written in Unicode, to LaTeX.

The converter knows small letters above and below the line, roots, brackets, Greek, the names of
functions, and plain words, which it sets as text. What it does not know becomes text as well, so
that a formula of the user's own always comes out balanced.
"""

import re
import unicodedata

__all__ = ["latex", "latex_number", "latex_text"]

_LONGEST = 400  # characters of a formula; a longer one is shown as text, and cut
_DEEPEST = 8  # roots within roots; what is deeper is shown as text

_SYMBOLS = {
    "·": r"\cdot ", "−": "-", "×": r"\times ", "Σ": r"\sum ", "Π": r"\prod ", "∫": r"\int ",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "…": r"\dots ",
    "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "<": r"\lt ", ">": r"\gt ", "∞": r"\infty ",
    "′": "'", "°": r"^{\circ}", "½": r"\tfrac{1}{2}", "±": r"\pm ", "→": r"\to ", "∂": r"\partial ",
    "∈": r"\in ", "∇": r"\nabla ", "≈": r"\approx ", "←": r"\gets ", "⋅": r"\cdot ", "∗": "*",
}  # fmt: skip
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]"}
_BARS = {"|": ("\\lvert ", "\\rvert "), "‖": ("\\lVert ", "\\rVert ")}
_KNOWN = {"ln", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan",
          "exp", "max", "min", "det"}  # fmt: skip
_NAMED = {"sign", "sinc", "arsinh", "arcosh", "artanh", "trunc", "diag", "skew", "sym", "tril",
          "cov", "ddof", "dx", "round", "erf", "tensordot", "median"}  # fmt: skip
_WORD = re.compile(r"[A-Za-z]{2,}[0-9]*(?:[-'’_][A-Za-z0-9]+)*|[A-Za-z](?:[-'’][A-Za-z]+)*")
_ARTICLE = re.compile(
    r"(?<![^ ])a (?=(?:tie|new|whole|number|shape|grid|polynomial|matrix|common|single)\b)"
)
_GREEK = {
    chr(code): "\\" + name
    for code in (*range(0x391, 0x3AA), *range(0x3B1, 0x3CA))
    if (name := unicodedata.name(chr(code), "").rpartition(" ")[2].lower()).isalpha()
    and name not in ("omicron", "lamda")
}
_GREEK = {
    small: name if unicodedata.category(small) == "Ll" else "\\" + name[1:].capitalize()
    for small, name in _GREEK.items()
} | {"λ": r"\lambda", "Λ": r"\Lambda", "ο": "o"}
# Capitals that look as Latin letters do have no names of their own.
_GREEK |= dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))
_ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
}  # fmt: skip
# Outside text, since Markdown would take them for its own.
_OUTSIDE = {"<": r"{\lt}", ">": r"{\gt}", "|": r"{\vert}", "`": r"\grave{\ }", "*": r"{\ast}"}


def latex(formula: str) -> str:
    r"""A formula of the table in LaTeX.

    Example:
        >>> from tinygrad_nn.diagrams.explain.formulas import latex
        >>> latex("g·(1 − y²)")
        'g\\cdot (1 - y^{2})'
        >>> latex("g / √(1 + a²)")
        'g / \\sqrt{1 + a^{2}}'
    """
    return _converted(formula, 0)


def _converted(formula: str, depth: int) -> str:
    if depth > _DEEPEST:
        return latex_text(formula)
    if len(formula) > _LONGEST:
        return latex_text(f"{formula[: _LONGEST - 1]}…")
    return re.sub(r" +", " ", _Reader(formula, depth).read()).strip()


def latex_text(text: str) -> str:
    r"""Any text as text within a formula, such that neither LaTeX nor Markdown takes it for markup.

    Example:
        >>> from tinygrad_nn.diagrams.explain.formulas import latex_text
        >>> latex_text("a_<b>")
        '\\text{a\\_}{\\lt}\\text{b}{\\gt}'
    """
    parts: list[str] = []
    run = ""
    for c in text:
        if c in _OUTSIDE:
            parts += [f"\\text{{{run}}}"] * bool(run) + [_OUTSIDE[c]]
            run = ""
        else:
            run += _ESCAPED.get(c, c)
    return "".join(parts) + (f"\\text{{{run}}}" if run else "")


def latex_number(text: str) -> str:
    r"""A number, as it is printed, in LaTeX.

    Example:
        >>> from tinygrad_nn.diagrams.explain.formulas import latex_number
        >>> latex_number("-1.5e-07")
        '-1.5 \\times 10^{-7}'
    """
    if text.endswith("NaN"):
        return r"\text{NaN}"
    digits, e, power = text.replace("∞", r"\infty").partition("e")
    return rf"{digits} \times 10^{{{int(power)}}}" if e else digits


class _Reader:
    """Reads a formula from left to right."""

    def __init__(self, formula: str, depth: int) -> None:
        self.depth = depth
        # An article is no variable: "half at a tie".
        self.text = _ARTICLE.sub("a\u00a0", formula)
        self.at = 0
        self.open: list[str] = []  # bars that are waiting for their other side

    def read(self) -> str:
        """The whole, in LaTeX."""
        parts: list[str] = []
        while self.at < len(self.text):
            parts.append(self._next())
        while self.open:  # of one bar by itself
            parts.append(_BARS[self.open.pop()][1])
        return "".join(parts)

    def _next(self) -> str:
        c = self.text[self.at]
        if _small(c):
            return self._script()
        if c in _ROOTS:
            return self._root()
        if c in _BARS:
            return self._bar(c)
        word = _WORD.match(self.text, self.at)
        if word is not None:
            return self._word(word.group())
        self.at += 1
        if c == " ":
            return r"\ " if self._between_factors() else " "
        if unicodedata.combining(c):
            return ""  # of a letter that is not there
        if c in _SYMBOLS:
            return _SYMBOLS[c]
        if c in _GREEK:
            return _GREEK[c] + " "
        plain = unicodedata.normalize("NFD", c)
        if len(plain) == 2 and plain[1] == "\u0304":  # ā
            return rf"\bar{{{plain[0]}}}"
        return (
            c if c.isascii() and c.isprintable() and c not in _ESCAPED | _OUTSIDE else latex_text(c)
        )

    def _between_factors(self) -> bool:
        """Whether the blank just read stands between two letters that are multiplied: ``a b``."""
        before = _line(self.text[: self.at - 1])
        after = _WORD.match(self.text, self.at)
        if after is None or len(after.group()) > 1:
            return False
        return re.search(r"(?:^|[^A-Za-z_])[A-Za-z]$", before) is not None

    def _script(self) -> str:
        """A run of small letters above or below the line."""
        kind, run = _small(self.text[self.at]), ""
        while self.at < len(self.text) and _small(self.text[self.at]) == kind:
            run += _plain_of(self.text[self.at])
            self.at += 1
        if kind == "<sub>":
            return f"_{{{run}}}"
        above = run.replace("T", r"\top")  # a transpose
        return f"^{{{above}}}"

    def _root(self) -> str:
        """A root, of what is in brackets after it, or up to the next operator."""
        root = _ROOTS[self.text[self.at]]
        self.at += 1
        rest = self.text[self.at :]
        if rest.startswith("("):
            depth = 0
            for end, c in enumerate(rest):
                depth += (c == "(") - (c == ")")
                if depth == 0:
                    self.at += end + 1
                    return f"{root}{{{_converted(rest[1:end], self.depth + 1)}}}"
        under = re.match(r"[^\s·/+−,)\]]*", rest)
        body = under.group() if under else ""
        self.at += len(body)
        return f"{root}{{{_converted(body, self.depth + 1)}}}"

    def _bar(self, bar: str) -> str:
        self.at += 1
        if bar in self.open:
            self.open.remove(bar)
            return _BARS[bar][1]
        self.open.append(bar)
        return _BARS[bar][0]

    def _word(self, word: str) -> str:
        self.at += len(word)
        rest = self.text[self.at :]
        if len(word) == 1:
            if rest.startswith("\u0304"):
                self.at += 1
                return rf"\bar{{{word}}}"
            below = re.match(r"_([A-Za-z]+)", rest)
            if below:  # as in g_V
                self.at += below.end()
                return f"{word}_{{{below.group(1)}}}"
            if not rest.startswith("\u00a0"):  # a variable, and no article
                return word
        if word in _KNOWN:
            return f"\\{word} "
        if word in _NAMED:
            return f"\\operatorname{{{word}}} "
        if word == "mod":
            return r"\bmod "
        return self._words(word)

    def _words(self, word: str) -> str:
        """Plain words in a row, as text."""
        words = [word]
        while self.text[self.at : self.at + 1] in (" ", "\u00a0"):
            more = _WORD.match(self.text, self.at + 1)
            if more is None or more.group() in _KNOWN | _NAMED | {"mod"}:
                break
            if len(more.group()) == 1 and self.text[more.end() : more.end() + 1] != "\u00a0":
                break  # a variable
            words.append(more.group())
            self.at = more.end()
        led = self.text[: self.at - len(" ".join(words))].endswith((" ", "\u00a0"))
        text = "".join(_ESCAPED.get(c, c) for c in " ".join(words))
        after = " " if self.text[self.at : self.at + 1] in (" ", "\u00a0") else ""
        return f"\\text{{{' ' * led}{text}{after}}}"


def _line(text: str) -> str:
    """What stands on the line: without small letters."""
    return "".join(c for c in text if not _small(c) and not unicodedata.combining(c))


def _small(c: str) -> str:
    """Whether a character is a small one: "<super>", "<sub>", or "" if it is not."""
    if c == "ᐟ":
        return "<super>"
    kind = unicodedata.decomposition(c).partition(" ")[0]
    return kind if kind in ("<super>", "<sub>") else ""


def _plain_of(c: str) -> str:
    """What a small character is a small form of."""
    plain = "/" if c == "ᐟ" else unicodedata.normalize("NFKC", c)
    plain = plain.replace("−", "-")
    return plain if plain.isascii() else _GREEK.get(plain, latex_text(plain))
