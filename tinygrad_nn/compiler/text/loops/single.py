"""The text of exp, expm1, log, log1p and tanh in single precision, for Numba.

A compiler can compute them for many numbers at once, since they have no branches and call nothing.
The polynomials are those of the Cephes library; results are within three units of the last place.
"""

__all__ = ["single_text"]

_PARTS = '''
@numba.njit(error_model="numpy")
def exp_parts_single(x):
    """e^x = 2^n · e^r with |r| ≤ ln 2 / 2: e^r − 1, and 2^n in two halves, made of their bits."""
    single, integer = np.float32, np.int32
    c = x if x > single(-104) else single(-104)
    c = c if c < single(89) else single(89)
    n = np.floor(c * single(1.44269504088896341) + single(0.5))
    r = c - n * single(0.693359375) + n * single(2.12194440e-4)
    p = single(1.9875691500e-4) * r + single(1.3981999507e-3)
    p = p * r + single(8.3334519073e-3)
    p = p * r + single(4.1665795894e-2)
    p = p * r + single(1.6666665459e-1)
    p = p * r + single(5.0000001201e-1)
    i = integer(n)
    half = integer(i >> integer(1))
    a = integer(integer(half + integer(127)) << integer(23)).view(single)
    b = integer(integer(i - half + integer(127)) << integer(23)).view(single)
    return p * r * r + r, a, b
'''
_EXP = (
    _PARTS
    + '''

@numba.njit(error_model="numpy")
def exp_single(x):
    """e^x."""
    y, a, b = exp_parts_single(x)
    return (y + np.float32(1)) * a * b if x == x else x
'''
)
_EXPM1 = (
    _PARTS
    + '''

@numba.njit(error_model="numpy")
def expm1_single(x):
    """e^x − 1 = 2^n · (e^r − 1) + (2^n − 1), which loses no digits where x is small."""
    single = np.float32
    y, a, b = exp_parts_single(x)
    small = y * a * b + (a * b - single(1))
    large = (y + single(1)) * a * b - single(1)
    y = large if x > single(1) else small
    return y if x == x and x != single(0) else x
'''
)
_TANH = '''
@numba.njit(error_model="numpy")
def tanh_single(x):
    """1 − 2 / (e^2x + 1), and a polynomial where that would lose digits."""
    single = np.float32
    z = abs(x)
    s = z * z
    p = single(-5.70498872745e-3) * s + single(2.06390887954e-2)
    p = p * s - single(5.37397155531e-2)
    p = p * s + single(1.33314422036e-1)
    p = p * s - single(3.33332819422e-1)
    small = p * s * z + z
    large = single(1) - single(2) / (exp_single(z + z) + single(1))
    return math.copysign(large if z >= single(0.625) else small, x)
'''
_LOG = '''
@numba.njit(error_model="numpy")
def log_single(x):
    """ln(m · 2^e) = ln m + e · ln 2 with √½ ≤ m < √2; e and m are read off the bits."""
    single, integer = np.float32, np.int32
    tiny = x < single(1.17549435e-38)
    bits = single(x * (single(8388608) if tiny else single(1))).view(integer)
    e = single(integer(bits >> integer(23)) - integer(126)) - (single(23) if tiny else single(0))
    m = integer((bits & integer(0x7FFFFF)) | integer(0x3F000000)).view(single)
    low = m < single(0.707106781186547524)
    e = e - single(1) if low else e
    m = m + m - single(1) if low else m - single(1)
    z = m * m
    p = single(7.0376836292e-2) * m - single(1.1514610310e-1)
    p = p * m + single(1.1676998740e-1)
    p = p * m - single(1.2420140846e-1)
    p = p * m + single(1.4249322787e-1)
    p = p * m - single(1.6668057665e-1)
    p = p * m + single(2.0000714765e-1)
    p = p * m - single(2.4999993993e-1)
    p = p * m + single(3.3333331174e-1)
    y = p * m * z - single(2.12194440e-4) * e - single(0.5) * z
    y = m + y + single(0.693359375) * e
    y = y if x < single(np.inf) else x
    y = y if x != single(0) else single(-np.inf)
    return y if x >= single(0) else single(np.nan)
'''
_LOG1P = '''
@numba.njit(error_model="numpy")
def log1p_single(x):
    """ln(u) · x / (u − 1) with u = 1 + x as it is rounded, which makes up for the rounding."""
    single = np.float32
    u = single(1) + x
    d = u - single(1)
    y = log_single(u) * (x / d)
    y = y if u < single(np.inf) else u
    return y if d != single(0) else x
'''
_TEXTS = {
    "exp_single": _EXP,
    "expm1_single": _EXPM1,
    "tanh_single": _EXP + "\n\n" + _TANH,
    "log_single": _LOG,
    "log1p_single": _LOG + "\n\n" + _LOG1P,
}
NAMES = tuple(_TEXTS)


def single_text(body: str) -> str:
    """The functions that a text calls, each once."""
    found: list[str] = []
    for name, text in _TEXTS.items():
        if f"{name}(" in body:
            found += [p for p in text.strip().split("\n\n\n") if p not in found]
    return "\n\n\n".join(found)
