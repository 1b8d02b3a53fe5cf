"""Where IFMA is not to be used everything is computed all the same, and no kernel of it is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

BY_ENVIRONMENT = {"VFL_ARITHMETIC": "gmp", "VFL_GROUP": "sodium"}
ANOTHER_CPU = {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": "+avx512f,+avx512dq,+avx512bw"}

CHILD = """
import json, os, sys
sys.path[:] = json.loads(sys.argv[1])
import numpy as np
from psi import ecdh
from psi.group import best as best_group
from vfl.crypto.modular import best
from vfl.crypto.modular.ifma import gate
from vfl.crypto.paillier import PrivateKey
from vfl.crypto.randomness import Randomness
from vfl.wire.flow import Peer
from vfl.wire.memory import run_in_memory

arithmetic = best(1, os.environ.get("VFL_ARITHMETIC"))
group = best_group(1, os.environ.get("VFL_GROUP"))

rng, plain = Randomness(), np.arange(-3, 4)
key = PrivateKey.generate(2048, rng, arithmetic)
sums = key.public.add(key.public.encrypt(plain, rng), key.public.encrypt(10 * plain, rng))
decrypted = key.decrypt(key.public.randomise(sums, rng))
decrypted = [int(m) - key.public.n * (m > key.public.n // 2) for m in decrypted]

ours, theirs = (np.array([f"id{k}" for k in ks], object) for ks in (range(7), range(5, 20)))
asked = dict(minimum=1, domain=b"contract", group=group)
common = run_in_memory({
    "guest": ecdh.guest(ours, rng, host=Peer("host"), **asked),
    "host": ecdh.host(theirs, rng, guest=Peer("guest"), **asked),
}).results["guest"]
print(json.dumps({
    "gate": gate.missing(),
    "backends": [repr(arithmetic), repr(group)],
    "decrypted": decrypted,
    "common": sorted(ours[common.rows]),
    "loaded": sorted(m for m in sys.modules if ".ifma." in m),
}))
"""


@pytest.mark.parametrize("environment", [BY_ENVIRONMENT, ANOTHER_CPU], ids=["by environment", "another CPU"])
def test_encryption_and_alignment_work_where_ifma_is_not_to_be_used(environment: dict[str, str]) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "VFL_"))}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(sys.path)],
        env=plain | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert found["backends"] == ["Gmp(workers=1)", "Sodium(workers=1)"]
    assert found["decrypted"] == [11 * m for m in range(-3, 4)]
    assert found["common"] == ["id5", "id6"]
    assert found["loaded"] == ["vfl.crypto.modular.ifma.gate"]
    if environment is ANOTHER_CPU:
        assert found["gate"]
