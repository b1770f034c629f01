"""Functions of the concentration as one writes them: f(c) = "c*log(c) + (1-c)*log(1-c) +
chi*c*(1-c)".

Numbers, +, -, *, /, **, log, exp, sqrt and tanh of c and of named parameters; read as a formula,
never run as Python. A logarithm goes on below `cut` as its tangent there, so that it is finite and
rises everywhere; a power that is not whole is exp(p log(x)), with that logarithm.
"""

import ast
from functools import lru_cache

import numpy as np
import sympy
from sympy.printing.c import C99CodePrinter

from kernels.arguments import real, shown

C = sympy.Symbol("c", real=True)
CUT = 1e-3  # of an argument of log
LARGEST_POWER = 64
LARGEST_BITS = 1000  # of a number
OPERATIONS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


class TangentLog(sympy.Function):
    """log(x) above the cut, its tangent below it."""

    def fdiff(self, argindex=1):
        return TangentInverse(*self.args)


class TangentInverse(sympy.Function):
    """The derivative of TangentLog: 1 / x above the cut, a constant below it."""

    def fdiff(self, argindex=1):
        return -(TangentInverse(*self.args) ** 2) * AboveCut(*self.args)


class AboveCut(sympy.Function):
    """1 above the cut, 0 below it."""

    def fdiff(self, argindex=1):
        return sympy.Integer(0)


FUNCTIONS = {
    "log": TangentLog,
    "ln": TangentLog,
    "exp": sympy.exp,
    "tanh": sympy.tanh,
    "sqrt": lambda x: raised(x, sympy.Rational(1, 2)),
}


def raised(base, exponent):
    """base^exponent, by the logarithm unless the exponent is whole."""
    if exponent.is_Integer or base.is_number:
        return base**exponent
    return sympy.exp(exponent * TangentLog(base))


def read(name: str, text: str, parameters: dict) -> sympy.Expr:
    """The formula `text` of c, with numbers in place of parameters.  ValueError, one line, on what
    is no formula, or has names that no parameter has.
    """
    unknown = (
        f"expected a formula of c with + - * / ** ( ), {', '.join(FUNCTIONS)}"
        + (f" and {', '.join(parameters)}" if parameters else "")
        + ", as c**2*(1-c)**2"
    )
    for key, value in parameters.items():
        if key == "c" or key in FUNCTIONS or not key.isidentifier() or real(value) is None:
            raise ValueError(
                f"{key} is {shown(value)}; a parameter is a number with a name of its own"
            )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, AttributeError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{name} is {shown(text)}; {unknown}") from None

    def exact(value) -> sympy.Expr:
        return (
            sympy.Integer(value) if isinstance(value, int) else sympy.Rational(repr(float(value)))
        )

    def checked(part: sympy.Expr) -> sympy.Expr:
        huge = part.is_Rational and max(abs(part.p), part.q).bit_length() > LARGEST_BITS
        if huge or degree(part) > LARGEST_POWER:
            raise ValueError(
                f"{name} is {shown(text)}; it has powers beyond {LARGEST_POWER} or numbers beyond 1e300"
            )
        return part

    def term(node) -> sympy.Expr:
        return checked(read_term(node))

    def read_term(node) -> sympy.Expr:
        match node:
            case ast.Constant(value=value) if real(value) is not None:
                return exact(value)
            case ast.Name(id="c"):
                return C
            case ast.Name(id=key) if key in parameters:
                value = parameters[key]
                return exact(value if isinstance(value, int) else float(value))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -term(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return term(operand)
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                exponent = term(right)
                if not exponent.is_number or abs(exponent) > LARGEST_POWER:
                    raise ValueError(
                        f"{name} has an exponent {exponent}; expected a number up to {LARGEST_POWER}"
                    )
                return raised(term(left), exponent)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in OPERATIONS:
                return OPERATIONS[type(op)](term(left), term(right))
            case ast.Name(id=key):
                raise ValueError(
                    f"{name} {shown(text)} has the name {key!r}, which is none of c"
                    + "".join(f", {each}" for each in parameters)
                    + f"; write its value, or give it as {key}=..."
                )
            case ast.BinOp(op=ast.BitXor()):
                raise ValueError(f"{name} is {shown(text)}; a power is written **, as c**2")
            case ast.Call(func=ast.Name(id=key), args=[argument], keywords=[]) if key in FUNCTIONS:
                return FUNCTIONS[key](term(argument))
        raise ValueError(f"{name} has {ast.unparse(node)!r}; {unknown}")

    try:
        found = checked(term(tree))
    except RecursionError:
        raise ValueError(f"{name} is {shown(text)}; it is too long") from None
    unused = sorted(set(parameters) - {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)})
    if unused:
        raise ValueError(f"{name} {shown(text)} has no {', '.join(unused)}; its value is of no use")
    if found.has(sympy.zoo, sympy.oo, sympy.nan):
        raise ValueError(f"{name} is {shown(text)}; it divides by zero")
    if found.has(sympy.I):
        raise ValueError(f"{name} is {shown(text)}; it has the root of a negative number")
    return found


def degree(expression: sympy.Expr) -> int:
    """The largest power of c, as the formula stands."""
    if expression == C:
        return 1
    each = [degree(part) for part in expression.args]
    if isinstance(expression, sympy.Mul):
        return sum(each)
    if isinstance(expression, sympy.Pow) and expression.exp.is_Integer:
        return each[0] * abs(int(expression.exp))
    return max(each, default=0)


def constant(expression: sympy.Expr, cut: float) -> float:
    """Of an expression without c."""
    return float(numeric(expression, cut)(0.0))


def logarithms(expression: sympy.Expr) -> list[sympy.Expr]:
    """What logarithms are taken of."""
    return sorted({each.args[0] for each in expression.atoms(TangentLog)}, key=str)


@lru_cache(maxsize=256)
def numeric(expression: sympy.Expr, cut: float):
    """The expression as a function of a float64 array of c, NumPy's or a GPU's."""

    def log(x):
        inside = np.maximum(x, cut)
        return np.log(inside) + (x - inside) / cut

    modules = {
        "TangentLog": log,
        "TangentInverse": lambda x: 1 / np.maximum(x, cut),
        "AboveCut": lambda x: np.where(x < cut, 0.0, 1.0),
    }
    function = sympy.lambdify(C, expression, [modules, "numpy"])

    def of(c):
        if hasattr(c, "shape") and not isinstance(c, np.ndarray | np.generic):
            return function(c) + 0 * c
        c = np.asarray(c, np.float64)
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(function(c), np.float64), c.shape)

    return of


class Printer(C99CodePrinter):
    """Of an expression, for elementary.h."""

    def __init__(self, cut: float):
        super().__init__()
        self.cut = cut

    def _number(self, value) -> str:
        return f"(REAL){float(value)!r}"

    _print_Float = _print_Integer = _print_Rational = _print_Half = _number
    _print_One = _print_Zero = _print_NegativeOne = _number
    _print_Pi = _print_Exp1 = lambda self, value: self._number(value.evalf(17))

    def _print_Pow(self, power):
        base, exponent = power.args
        if exponent.is_Integer:
            whole = f"power<{abs(int(exponent))}>({self._print(base)})"
            return whole if exponent > 0 else f"((REAL)1 / {whole})"
        if base.is_number and exponent.is_number:
            return self._number(power.evalf(17))
        raise ValueError(f"no code for {power}")

    def _print_exp(self, function):
        return f"exp_of({self._print(function.args[0])})"

    def _print_tanh(self, function):
        return f"tanh_of({self._print(function.args[0])})"

    def _print_TangentLog(self, function):
        return f"log_of({self._print(function.args[0])}, {self._number(self.cut)})"

    def _print_TangentInverse(self, function):
        return f"inverse_above({self._print(function.args[0])}, {self._number(self.cut)})"

    def _print_AboveCut(self, function):
        raise ValueError("no kernel takes a second derivative")


def code(expression: sympy.Expr, cut: float, concentration: str) -> str:
    """C++ statements that return the expression of a Number `u`, whose c is `concentration`."""
    steps, (result,) = sympy.cse(expression, symbols=sympy.numbered_symbols("x"), list=True)
    printer = Printer(cut)
    lines = [f"const Number c = {concentration};"]
    for name, step in steps:  # a constant is one number, and Number may be many
        lanes = "" if step.free_symbols else "Number{} + "
        lines.append(f"const Number {name} = {lanes}{printer.doprint(step)};")
    return " ".join([*lines, f"return Number{{}} + ({printer.doprint(result)});"])
