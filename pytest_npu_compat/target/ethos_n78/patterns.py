"""TVM patterns of Ethos-N78, in the reference's order, and what decides about their matches.

The table is the one of python/tvm/relay/op/contrib/ethosn.py:375-463 in Apache TVM 0.18.0. Operators that
the reference annotates one by one (max pool, reshape, ...) are composites of one call here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_npu_compat.model.program import Call, Program
from pytest_npu_compat.target.base import Judgement, Pattern
from pytest_npu_compat.target.constraint import Constraint, Level, Violation, violations
from pytest_npu_compat.target.ethos_n78 import constraints as rules
from pytest_npu_compat.target.ethos_n78 import matching
from pytest_npu_compat.target.ethos_n78.hazards import hazards
from pytest_npu_compat.target.ethos_n78.judge import (
    add_as_depthwise,
    as_reinterpret,
    judge,
    multiply_as_depthwise,
)
from pytest_npu_compat.target.ethos_n78.operators import AddConstant, MultiplyConstant
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

if TYPE_CHECKING:
    from tvm.relax.dpl import DFPattern

__all__ = ["PREFIX", "pattern_table"]

PREFIX = "ethos-n78"

Extract = Callable[[Program, Sequence[Call]], object]
Judge = Callable[[Program, Sequence[Call]], Judgement]

PAD_SHARED = Violation(
    rule="pad-shared",
    level=Level.UNSUPPORTED,
    message="A Pad before a convolution must have that convolution as its only reader.",
    actual="the Pad has several readers",
    allowed="one reader",
    remedy="Give each convolution its own padding, best as its pads attribute.",
)


def _chain(*names: str, arguments: int = 1) -> DFPattern:
    """op_n(... op_1(wildcards) ...), each op in between with the constants it needs."""
    from tvm.relax.dpl import is_op, wildcard

    extra = {"qnn.conv2d": 1, "qnn.conv2d_transpose": 1, "qnn.dense": 1, "nn.bias_add": 1}
    pattern: DFPattern = wildcard()
    for position, name in enumerate(names):
        first = [wildcard() for _ in range(arguments)] if position == 0 else [pattern]
        pattern = is_op(name)(*first, *(wildcard() for _ in range(extra.get(name, 0))))
    return pattern


def _unknown_shape() -> Judgement:
    return Judgement(
        (
            Violation(
                rule="shape-unknown",
                level=Level.UNSUPPORTED,
                message="Every dimension must be known before run time.",
                actual="a dimension that depends on the data",
                allowed="",
                remedy="Export with fixed shapes, and keep data-dependent operators at the end.",
            ),
        )
    )


def _judged(npu: Capabilities, extract: Extract) -> Judge:
    """Judges the operator that a match stands for."""

    def decide(program: Program, calls: Sequence[Call]) -> Judgement:
        try:
            op = extract(program, calls)
        except matching.UnknownShapeError:
            return _unknown_shape()
        found = judge(op, npu)
        return Judgement(found, () if found else hazards(op, npu))

    return decide


def _plain_convolution(npu: Capabilities) -> Judge:
    """A convolution without the pad that feeds it: the reference never leaves a pad outside."""
    decide = _judged(npu, matching.convolution)

    def without_pad(program: Program, calls: Sequence[Call]) -> Judgement:
        source = calls[0].args[0]
        if isinstance(source, int) and program.calls[source].op == "nn.pad":
            return Judgement((PAD_SHARED,))
        return decide(program, calls)

    return without_pad


def _converted(
    npu: Capabilities,
    kind: type[AddConstant] | type[MultiplyConstant],
    own: Sequence[Constraint[Any]],
    convert: Callable[[Any], object],
    *,
    scalar: bool,
) -> Judge:
    """A binary operator with one constant side that becomes another operator."""

    def decide(program: Program, calls: Sequence[Call]) -> Judgement:
        try:
            op = matching.with_constant(program, calls, kind)
        except matching.UnknownShapeError:
            return _unknown_shape()
        if op is None:
            if kind is AddConstant:
                return Judgement((NOT_CONSTANT,))
            return Judgement(violations(op, npu, rules.MULTIPLICATION))
        found = violations(op, npu, own) or judge(convert(op), npu)
        if found and op.value is not None and kind is MultiplyConstant:
            # Of a scalar, the rule about scalars says more than that it is not one per channel.
            found = violations(op, npu, rules.MULTIPLY_SCALAR) or found
        return Judgement(found, hazards(op, npu) if scalar and not found else ())

    return decide


NOT_CONSTANT = Violation(
    rule="add-needs-const",
    level=Level.UNSUPPORTED,
    message="Neither operand is constant.",
    actual="two activations",
    allowed="a constant",
    remedy="",
)
"""Never shown: the pattern for two activations, tried later, gives the reason that counts."""


def pattern_table(npu: Capabilities) -> tuple[Pattern, ...]:
    """The patterns for a variant, in the order in which they are tried."""

    def named(
        name: str,
        chain: tuple[str, ...],
        extract: Extract,
        *,
        computes: bool = False,
        decide: Judge | None = None,
        arguments: int = 1,
    ) -> Pattern:
        return Pattern(
            composite=f"{PREFIX}.{name}",
            ops=frozenset(chain),
            build=lambda: _chain(*chain, arguments=arguments),
            judge=decide or _judged(npu, extract),
            computes=computes,
            operator=extract,
        )

    conv = ("qnn.conv2d", "nn.bias_add", "qnn.requantize")
    transposed = ("qnn.conv2d_transpose", "nn.bias_add", "qnn.requantize")

    def constant(
        name: str, op: str, decide: Judge, convert: Callable[[Any], object], *, computes: bool
    ) -> Pattern:
        kind = AddConstant if op == "qnn.add" else MultiplyConstant

        def converted(program: Program, calls: Sequence[Call]) -> object:
            return convert(matching.with_constant(program, calls, kind))

        return named(name, (op,), converted, computes=computes, decide=decide, arguments=2)

    def sigmoid_like(op: str) -> tuple[str, ...]:
        return ("qnn.dequantize", op, "qnn.quantize")

    return (
        constant(
            "mul_to_reinterpret_quantize",
            "qnn.mul",
            _converted(npu, MultiplyConstant, rules.MULTIPLY_SCALAR, as_reinterpret, scalar=True),
            as_reinterpret,
            computes=False,
        ),
        constant(
            "mul_to_depthwise",
            "qnn.mul",
            _converted(
                npu, MultiplyConstant, rules.CHANNEL_CONSTANT, multiply_as_depthwise, scalar=False
            ),
            multiply_as_depthwise,
            computes=True,
        ),
        constant(
            "add_to_reinterpret_quantize",
            "qnn.add",
            _converted(npu, AddConstant, rules.ADD_SCALAR, as_reinterpret, scalar=True),
            as_reinterpret,
            computes=False,
        ),
        constant(
            "add_to_depthwise",
            "qnn.add",
            _converted(npu, AddConstant, rules.CHANNEL_CONSTANT, add_as_depthwise, scalar=False),
            add_as_depthwise,
            computes=True,
        ),
        named("add", ("qnn.add",), matching.binary, arguments=2),
        named("conv2d", ("nn.pad", *conv), matching.convolution, computes=True),
        named("conv2d", conv, matching.convolution, computes=True, decide=_plain_convolution(npu)),
        named("conv2d_transpose", transposed, matching.convolution, computes=True),
        named(
            "avg_pool2d", ("cast", "nn.avg_pool2d", "cast"), matching.average_pool, computes=True
        ),
        named("sigmoid", sigmoid_like("sigmoid"), matching.fixed, computes=True),
        named(
            "fc",
            ("qnn.dense", "nn.bias_add", "qnn.requantize"),
            matching.fully_connected,
            computes=True,
        ),
        named("mean", ("cast", "mean", "qnn.requantize"), matching.mean, computes=True),
        named("tanh", sigmoid_like("tanh"), matching.fixed),
        named("leaky_relu", sigmoid_like("nn.leaky_relu"), matching.leaky_relu),
        named("resize", ("image.resize2d",), matching.resize, computes=True),
        named("requantize", ("qnn.requantize",), matching.requantize),
        named("max_pool2d", ("nn.max_pool2d",), matching.max_pool, computes=True),
        named("reshape", ("reshape",), matching.reshape),
        named("concatenate", ("qnn.concatenate",), matching.concatenate),
        named("split", ("split",), matching.split),
        named("depth_to_space", ("nn.depth_to_space",), matching.depth_to_space),
        named("clip", ("clip",), matching.clip),
    )
