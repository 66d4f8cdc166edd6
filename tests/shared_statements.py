"""One memory of compiled statements for all stores that a process opens, in place of one for each engine.

Half of the time of a test with a store of its own went into compiling the statements that the test before had
compiled too. SQLAlchemy remembers a statement by the dialect that it was compiled for: those of one driver
count as one here, as they compile alike for the one SQLite and the one server that the tests have.
"""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

COMPILED: LRUCache[object, object] = LRUCache(2000)

Engine._compiled_cache = property(lambda _: COMPILED, lambda _, __: None)
for driver in (PGDialect_psycopg, SQLiteDialect_pysqlite):
    driver.__eq__ = lambda one, other: type(one) is type(other)
    driver.__hash__ = lambda one: hash(type(one))
