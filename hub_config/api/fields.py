"""Fields that several bodies share."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import StringConstraints

from hub_config.errors import TooLarge

IdField = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$")]

_LONGEST_JSON = 64 * 1024


def bounded_json(value: dict[str, Any], *, most: int = _LONGEST_JSON) -> dict[str, Any]:
    """Return a free document, if it is small enough to keep.

    Raises
    ------
    TooLarge
        It is longer than ``most`` bytes of JSON.
    """
    if len(json.dumps(value)) > most:
        raise TooLarge("hub.too_large", limit=f"{most // 1024} Kio")
    return value
