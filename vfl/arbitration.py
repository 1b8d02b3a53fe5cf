"""Whoever is to learn a sum masks it, asks the arbiter, and removes the mask.

    maybe, when the run begins
        arbiter -> party: SharedKey
    repeat, for each vector of sums
        party -> arbiter: MaskedSums
        maybe, where another has made them
            maker -> arbiter: Vouched
        arbiter -> party: DecryptedSums

One fresh mask R, uniform in [0, N), for each plaintext: the arbiter sees P + R mod N, which is
uniform whatever P is.  The party alone learns P.  Where the contract says of how many bits of a sum
its party may learn, each sum has a mask of its own, and the arbiter drops the other bits (see
`vfl.crypto.masking`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vfl.crypto.masking import Masking, Rounded, Whole
from vfl.crypto.modular import Residues, from_ints, to_ints
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import Ciphertexts, Encrypted, PrivateKey, PublicKey
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError, ProtocolError, SecurityError
from vfl.wire.flow import Peer
from vfl.wire.message import Disclosed, Message

Hide = Callable[[Encrypted, Randomness], Ciphertexts]
"""How ciphertexts are randomised: in full towards whoever decrypts and has made what they are made of."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MaskedPlaintexts:
    """Low bits of P + R mod N, or bits of masked sums, for whoever knows the masks: n residues."""

    residues: Residues

    def __repr__(self) -> str:
        return f"MaskedPlaintexts({len(self.residues)})"

    @property
    def sealed_count(self) -> int:
        """Their number, for the ledger."""
        return len(self.residues)

    def to_wire(self) -> tuple[dict[str, int | str], bytes]:
        """Width, then n x width bytes, little-endian."""
        return {"width": self.residues.shape[1]}, self.residues.tobytes()

    @classmethod
    def from_wire(cls, header: dict[str, int | str], data: bytes) -> Self:
        """Rebuild; raise ValueError on bytes that are no whole residues."""
        width = header.get("width")
        if type(width) is not int or not 0 < width <= 4096 or len(data) % width or len(header) != 1:
            raise ValueError("masked plaintexts are cut short")
        return cls(np.frombuffer(data, np.uint8).reshape(-1, width))


@dataclass(frozen=True, slots=True)
class SharedKey(Message):
    """N, big-endian.  Reveals: nothing about data."""

    modulus: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MaskedSums(Message):
    """E(P + R), and how many sums of how many bits P packs.  Reveals: the number and size of the sums."""

    values: Ciphertexts
    sums: int
    bits: int


@dataclass(frozen=True, slots=True)
class Vouched(Message):
    """So many sums of so many bits as the sender has just made for another to learn.

    Reveals: the number and size of the sums.
    """

    sums: int
    bits: int


@dataclass(frozen=True, slots=True)
class DecryptedSums(Message):
    """P + R mod N, or some bits of each masked sum.

    Reveals: to the party that knows the masks, so many bits of each of its own sums.
    """

    values: MaskedPlaintexts
    sums: int
    bits: int

    def disclosed(self) -> Disclosed:
        """Count the sums behind the masks."""
        return Disclosed(self.sums, self.sums * self.bits, self.values.sealed_count)


async def share_key(private: PrivateKey, *, parties: tuple[Peer, ...]) -> None:
    """Give every party the public key."""
    n = private.public.n
    modulus = np.frombuffer(n.to_bytes(-(-n.bit_length() // 8), "big"), np.uint8)
    for party in parties:
        await party.send(SharedKey(modulus))


async def receive_key(bits: int, *, arbiter: Peer) -> int:
    """Return the modulus, which must have the bits that were agreed."""
    modulus = (await arbiter.receive(SharedKey)).modulus
    n = int.from_bytes(modulus.tobytes(), "big")
    if n.bit_length() != bits or modulus.shape != (-(-bits // 8),):
        raise SecurityError(arbiter.name, f"sent a key of {n.bit_length()} bits, {bits} were agreed")
    return n


async def learn(
    packed: Encrypted,
    packing: Packing,
    *,
    key: PublicKey,
    rng: Randomness,
    arbiter: Peer,
    source: Peer | None = None,
) -> list[int]:
    """Return the sums behind packed ciphertexts; the arbiter learns nothing but their number.

    `source`: the peer from whose ciphertexts the sums were made, to be named if they are no sums.
    """
    return await learn_masked(packed, Whole(packing), key=key, rng=rng, arbiter=arbiter, source=source)


async def learn_masked(
    packed: Encrypted,
    masking: Masking,
    *,
    key: PublicKey,
    rng: Randomness,
    arbiter: Peer,
    source: Peer | None = None,
    hide: Hide | None = None,
) -> list[int]:
    """Return what the arbiter's answer tells of sums that were packed as the masking says."""
    masks = masking.draw(rng)
    masked = (hide or key.randomise)(key.add(packed, key.lift(masking.added(masks))), rng)
    await arbiter.send(MaskedSums(masked, masking.packing.count, masking.bits))
    got = await arbiter.receive(DecryptedSums)
    answer, limits = to_ints(got.values.residues), masking.limits
    told = (got.sums, got.bits) == (masking.packing.count, masking.told)
    if not told or len(answer) != len(limits) or any(v >= m for v, m in zip(answer, limits, strict=True)):
        raise arbiter.blame("sent other decryptions than were asked for")
    try:
        return masking.remove(answer, masks)
    except OverflowError as error:
        what = f"sent what holds no sums: {error}"
        raise (misled(source, arbiter, what) if source else arbiter.blame(what)) from None


def unpacked(plain: list[int], packing: Packing, blame: Callable[[str], ProtocolError]) -> list[int]:
    """Return the sums in plaintexts; `blame`: who is to be named if they are no sums."""
    try:
        return packing.unpack(plain)
    except OverflowError as error:
        raise blame(f"sent what holds no sums: {error}") from None


def misled(source: Peer, arbiter: Peer, what: str) -> ProtocolError:
    """Return the error for what only the source or the arbiter can have done: it names both."""
    return source.blame(f"{what}; or {arbiter.name} decrypted something else")


@dataclass(frozen=True, slots=True)
class Shape:
    """So many sums of so many bits."""

    sums: int
    bits: int


async def vouch(packing: Packing, *, arbiter: Peer) -> None:
    """Tell the arbiter what a peer may have decrypted of us: these sums and no others, once."""
    await arbiter.send(Vouched(packing.count, packing.bits))


class Quota:
    """Ciphertexts that one party may still have decrypted in this run, and what each request may ask.

    `told`: bits of a sum that it may learn, if not all; `most`: the largest request, if that was agreed.
    """

    def __init__(self, ciphertexts: int, *, told: int | None = None, most: Shape | None = None) -> None:
        self.left, self.told, self.most = ciphertexts, told, most

    @classmethod
    def of_requests(cls, requests: int, most: Shape, n: int, *, told: int | None = None) -> Self:
        """Return what so many requests of that shape take; OverflowError where no plaintext holds it."""
        return cls(requests * _masking(most, told, n).packing.plaintexts, told=told, most=most)

    async def answer_vouched(self, private: PrivateKey, *, party: Peer, maker: Peer) -> None:
        """Decrypt one request of a party, for the sums that another has made for it."""
        # The request first: who announces one and makes none is the one to be waited for.
        asked = await party.receive(MaskedSums)
        made = await maker.receive(Vouched)
        if (asked.sums, asked.bits) != (made.sums, made.bits):
            what = f"asked for {asked.sums} sums of {asked.bits} bits"
            raise ContractError(
                party.name, f"{what}, and {maker.name} vouched for {made.sums} of {made.bits}"
            )
        await self._decrypt(asked, private, party, made_by=maker.name)

    async def answer(self, private: PrivateKey, *, party: Peer) -> None:
        """Decrypt one request of a party, within the quota."""
        await self._decrypt(await party.receive(MaskedSums), private, party)

    async def _decrypt(
        self, asked: MaskedSums, private: PrivateKey, party: Peer, made_by: str = "others"
    ) -> None:
        self.left -= len(asked.values)
        if self.left < 0:
            raise ContractError(party.name, "asked for more decryptions than agreed: encryption.decryptions")
        if self.most and (asked.sums > self.most.sums or asked.bits > self.most.bits):
            agreed = f"{self.most.sums} of {self.most.bits} were agreed"
            raise ContractError(party.name, f"asked for {asked.sums} sums of {asked.bits} bits, {agreed}")
        masking = self._requested(asked, private.public.n, party)
        private.public.check(asked.values, masking.packing.plaintexts, party.name)
        try:
            answer = masking.answer(private.decrypt(asked.values))
        except OverflowError as error:
            raise party.blame(
                f"sent what holds no masked sums, as {made_by} may have made it: {error}"
            ) from None
        told = MaskedPlaintexts(from_ints(answer, masking.width))
        await party.send(DecryptedSums(told, asked.sums, masking.told))

    def _requested(self, asked: MaskedSums, n: int, party: Peer) -> Masking:
        """Return how the sums that a party says it asks for must be masked."""
        if asked.sums > 0 and 1 < asked.bits <= n.bit_length() - 2:
            with suppress(OverflowError):
                return _masking(Shape(asked.sums, asked.bits), self.told, n)
        raise party.blame("asked for no sums, or for such as no plaintext holds")


def _masking(shape: Shape, told: int | None, n: int) -> Masking:
    """Return how sums are masked of which `told` bits are learnt; OverflowError if they do not fit."""
    if told is None:
        return Whole(Packing(shape.sums, shape.bits, n))
    masking = Rounded(shape.sums, shape.bits, told, n)
    assert masking.packing.slots > 0
    return masking
