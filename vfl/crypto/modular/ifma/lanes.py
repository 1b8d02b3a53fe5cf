"""Eight 64-bit lanes at once: a type of numba (LLVM's <8 x i64>) and what the kernels do with it.

    low(c, a, b)   c + (a b mod 2^52)         vpmadd52luq; both take a and b modulo 2^52
    high(c, a, b)  c + floor(a b / 2^52)      vpmadd52huq
    + - & | ^      lane by lane, modulo 2^64
    << >>          by a number of bits that all lanes share; >> fills with zeros
    floor_shift    >> that fills with the sign

Arrays are one-dimensional and contiguous; an index counts their elements.  No bounds are checked.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

COUNT = 8
WORD = ir.IntType(64)
VECTOR = ir.VectorType(WORD, COUNT)
MASK_TYPE = ir.VectorType(ir.IntType(32), COUNT)


class LanesType(types.Type):  # type: ignore[misc]
    """Eight unsigned 64-bit numbers in one register."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES = LanesType()


class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


register_model(LanesType)(_Model)


def _emitted(describe: Any) -> Any:
    """Return what kernels call: its types and the instructions of its calls come from `describe`."""
    return intrinsic(describe)


def _between_lanes(op: Any, instruction: str) -> None:
    def typed(context: Any) -> Any:
        return lambda a, b: LANES if a is LANES and b is LANES else None

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)

    type_callable(op)(typed)
    lower_builtin(op, LANES, LANES)(emit)


def _by_bits(op: Any, instruction: str) -> None:
    def typed(context: Any) -> Any:
        return lambda a, b: LANES if a is LANES and isinstance(b, types.Integer) else None

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, instruction)(args[0], _splat(builder, args[1]))

    type_callable(op)(typed)
    lower_builtin(op, LANES, types.Integer)(emit)


def _splat(builder: Any, x: Any) -> Any:
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(MASK_TYPE, [0] * COUNT))


def floor_shift(lanes: Any, bits: int) -> Any:
    """Return floor(lanes / 2^bits) of signed lanes."""
    raise AssertionError("compiled code only")


for _op, _name in (("add", "add"), ("sub", "sub"), ("and_", "and_"), ("or_", "or_"), ("xor", "xor")):
    _between_lanes(getattr(operator, _op), _name)
_by_bits(operator.lshift, "shl")
_by_bits(operator.rshift, "lshr")
_by_bits(floor_shift, "ashr")


def _at(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), VECTOR.as_pointer())


def _read(builder: Any, pointer: Any) -> Any:
    value = builder.load(pointer)
    value.align = 8
    return value


def _write(builder: Any, value: Any, pointer: Any) -> None:
    builder.store(value, pointer).align = 8


@_emitted
def load(typing: Any, array: Any, index: Any) -> Any:
    """Return array[index : index + 8]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _read(builder, _at(context, builder, signature.args[0], args[0], args[1]))

    return LANES(array, types.intp), emit


@_emitted
def store(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """array[index : index + 8] = lanes."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _write(builder, args[2], _at(context, builder, signature.args[0], args[0], args[1]))
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES), emit


@_emitted
def broadcast(typing: Any, x: Any) -> Any:
    """Return x in all lanes."""
    return LANES(types.uint64), lambda context, builder, signature, args: _splat(builder, args[0])


def _multiply_add(half: str) -> Any:
    @_emitted
    def operation(typing: Any, c: Any, a: Any, b: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
            name = f"llvm.x86.avx512.vpmadd52{half}.uq.512"
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

        return LANES(LANES, LANES, LANES), emit

    return operation


low, high = _multiply_add("l"), _multiply_add("h")


@_emitted
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of array[index]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i32, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        pointer = _at(context, builder, signature.args[0], args[0], args[1])
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, data = (ir.Constant(i32, v) for v in (0, 3, 1))
        builder.call(call, [builder.bitcast(pointer, byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Columns of eight rows, in three rounds of exchanges at distances 1, 2 and 4."""
    for s in (1, 2, 4):
        upper = ir.Constant(MASK_TYPE, [8 + c - s if c & s else c for c in range(COUNT)])
        lower = ir.Constant(MASK_TYPE, [8 + c if c & s else c + s for c in range(COUNT)])
        for i in range(COUNT):
            if not i & s:
                a, b = rows[i], rows[i + s]
                rows[i] = builder.shuffle_vector(a, b, upper)
                rows[i + s] = builder.shuffle_vector(a, b, lower)
    return rows


def _places(context: Any, builder: Any, kind: Any, at: Any, shift: Any) -> list[Any]:
    data = context.make_array(kind)(context, builder, at).data
    starts = [builder.load(builder.gep(data, [ir.Constant(WORD, k)])) for k in range(COUNT)]
    return [builder.add(start, shift) for start in starts]


def _blocks(builder: Any, start: Any) -> list[Any]:
    return [builder.add(start, ir.Constant(WORD, COUNT * k)) for k in range(COUNT)]


@_emitted
def rows_to_lanes(typing: Any, lanes: Any, start: Any, rows: Any, at: Any, shift: Any) -> Any:
    """lanes[start + 8 k + j] = rows[at[j] + shift + k] for j, k < 8."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _places(context, builder, signature.args[3], args[3], args[4])
        found = [_read(builder, _at(context, builder, signature.args[2], args[2], p)) for p in places]
        for value, b in zip(_transposed(builder, found), _blocks(builder, args[1]), strict=True):
            _write(builder, value, _at(context, builder, signature.args[0], args[0], b))
        return context.get_dummy_value()

    return types.void(lanes, types.intp, rows, at, types.intp), emit


@_emitted
def lanes_to_rows(typing: Any, rows: Any, at: Any, shift: Any, lanes: Any, start: Any) -> Any:
    """rows[at[j] + shift + k] = lanes[start + 8 k + j] for j, k < 8."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        blocks = _blocks(builder, args[4])
        found = [_read(builder, _at(context, builder, signature.args[3], args[3], b)) for b in blocks]
        places = _places(context, builder, signature.args[1], args[1], args[2])
        for value, p in zip(_transposed(builder, found), places, strict=True):
            _write(builder, value, _at(context, builder, signature.args[0], args[0], p))
        return context.get_dummy_value()

    return types.void(rows, at, types.intp, lanes, types.intp), emit


@_emitted
def never_inlined(typing: Any) -> Any:
    """Mark the calling function so that LLVM optimises it once and not again in each of its callers."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), emit


@_emitted
def always_inlined(typing: Any) -> Any:
    """Mark the calling function so that registers handed to it and back stay registers."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("alwaysinline")
        return context.get_dummy_value()

    return types.void(), emit
