"""The same endpoints by py-ocpi 0.3.1 (PyPI, 2.2.1), with plain SQL behind it: as fast as it can be fed.

python py_ocpi_endpoint.py STORE PORT serves authorize and the list from the table of `naive_endpoint`.
It runs in an environment of its own: py-ocpi pins an old FastAPI and pydantic 1.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

import uvicorn
from py_ocpi import get_application
from py_ocpi.core.enums import RoleEnum
from py_ocpi.core.exceptions import NotFoundOCPIError
from py_ocpi.modules.tokens.v_2_2_1.schemas import AuthorizationInfo, Token
from py_ocpi.modules.versions.enums import VersionNumber

STORE, PORT = sys.argv[1], int(sys.argv[2])

store = sqlite3.connect(STORE, check_same_thread=False)
store.row_factory = sqlite3.Row


class Crud:
    @classmethod
    async def get(cls, module: Any, role: Any, uid: str, *given: Any, auth_token: str, **named: Any) -> Any:
        known = store.execute("SELECT name FROM naive_partner WHERE token = ?", (auth_token,)).fetchone()
        found = store.execute("SELECT * FROM naive_token WHERE uid = ?", (uid.upper(),)).fetchone()
        if not known or not found:
            raise NotFoundOCPIError
        return dict(found)

    @classmethod
    async def do(cls, module: Any, role: Any, action: Any, *given: Any, data: Any, **named: Any) -> Any:
        return await cls.get(module, role, data["token_uid"], auth_token=named["auth_token"])

    @classmethod
    async def list(cls, module: Any, role: Any, filters: Any, *given: Any, **named: Any) -> Any:
        page = (filters["limit"], filters["offset"])
        rows = store.execute("SELECT * FROM naive_token ORDER BY id LIMIT ? OFFSET ?", page).fetchall()
        (total,) = store.execute("SELECT count(*) FROM naive_token").fetchone()
        return [dict(row) for row in rows], total, page[0] + page[1] >= total


class Adapter:
    @classmethod
    def token_adapter(cls, data: Any, version: Any = None) -> Token:
        return Token(**{**data, "valid": bool(data["valid"])})

    @classmethod
    def authorization_adapter(cls, data: Any, version: Any = None) -> AuthorizationInfo:
        allowed = "ALLOWED" if data["valid"] else "BLOCKED"
        return AuthorizationInfo(allowed=allowed, token=cls.token_adapter(data))


app = get_application([VersionNumber.v_2_2_1], [RoleEnum.emsp], Crud, Adapter)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="error", access_log=False)
