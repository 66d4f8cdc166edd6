"""One database of the tests' server, and how to go past the store into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import psycopg
from postgresql_cluster import Cluster

KEPT = "as_it_was"
"""The schema with the rows of a new store."""


@dataclass(frozen=True)
class Base:
    cluster: Cluster
    name: str

    @property
    def url(self) -> str:
        return self.cluster.url(self.name)

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Go past the store, as an attacker or an accident would: no trigger stands against it."""
        asked = statement.replace("?", "%s") if values else statement
        cursor = _past_the_rules(self).execute(asked, values or None, prepare=False)
        return cursor.fetchall() if cursor.description else []

    def tables(self, schema: str = "public") -> list[str]:
        query = f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' ORDER BY 1"
        return [str(name) for (name,) in self.sql(query)]

    def contents(self) -> list[str]:
        """Everything that is in the store, as text, in an order of its own."""
        every = (f"SELECT '{table} ' || t::text FROM public.\"{table}\" t" for table in self.tables())
        return sorted(str(row) for (row,) in self.sql(" UNION ALL ".join(every)))

    def keep(self) -> None:
        """Remember the rows, for `reset`."""
        self.sql(f"CREATE SCHEMA {KEPT}")
        for table in self.tables():
            self.sql(f'CREATE TABLE {KEPT}."{table}" AS TABLE public."{table}"')

    def reset(self) -> None:
        """Put the rows that were kept in the place of all others, and everybody else out.

        Takes a tenth of the time of a new database.
        """
        self.sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        kept = self.tables(KEPT)
        added = [f'DROP TABLE public."{table}"' for table in self.tables() if table not in kept]
        old = [
            f'DELETE FROM public."{table}"; '
            f'INSERT INTO public."{table}" ({names}) SELECT {names} FROM {KEPT}."{table}"'
            for table, names in ((table, _columns(self, table)) for table in kept)
        ]
        self.sql("; ".join([*added, *old]))

    def drop(self) -> None:
        _past_the_rules(self).close()
        self.cluster.drop(self.name)


@cache
def _past_the_rules(base: Base) -> psycopg.Connection[tuple[object, ...]]:
    connection = base.cluster.connect(base.name)
    connection.execute("SET session_replication_role = replica")
    return connection


@cache
def _columns(base: Base, table: str) -> str:
    """The columns that were kept, by name: a test that repeats a migration may change their order."""
    named = "SELECT column_name FROM information_schema.columns WHERE (table_schema, table_name) = (?, ?)"
    return ", ".join(f'"{name}"' for (name,) in base.sql(named, KEPT, table))
