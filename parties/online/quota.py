"""How many ids have been asked for online today, as each party counts them for itself.

    STATE/PARTY/contracts/HASH/online.json      {"day": the UTC day, "asked": ids}

The count outlasts the process: it is written before a question is answered.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.tally import Tally, private_folder
from parties.programs.files import publish
from vfl.errors import ConfigError, ContractError

FILE = "online.json"


class Quota:
    """The ids that may still be asked for on a day."""

    def __init__(self, job: Job, party: Party) -> None:
        self._folder = Tally.of(job, party).folder
        self._most = job.disclosure.online_per_day

    def take(self, now: datetime | None = None) -> None:
        """Count one id; raise ContractError where the day's are used up."""
        today = (now or datetime.now(UTC)).date()
        asked = self._asked(today)
        if asked >= self._most:
            what = f"all {self._most} ids of {today} have been asked for"
            raise ContractError("disclosure.online_per_day", what, "go on tomorrow, or agree on more")
        private_folder(self._folder)
        publish(self._folder, {FILE: {"day": str(today), "asked": asked + 1}})

    def _asked(self, today: date) -> int:
        path = self._folder / FILE
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return int(kept["asked"]) if kept["day"] == str(today) else 0
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, KeyError, TypeError):
            raise _damaged(path) from None


def _damaged(path: Path) -> ConfigError:
    return ConfigError(str(path), "cannot be read", "remove it only if you know what was asked today")
