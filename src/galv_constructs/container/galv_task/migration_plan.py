"""Tells which of the migrations that are about to run lose data, and refuses them where asked to.

A migration is destructive if one of its operations drops a table or a column that is there already,
gives a column a type that does not hold all that the old one holds, or changes data without a way
back. What cannot be judged counts as destructive. On an empty database nothing is.

    python -m galv_task.migration_plan

The last line but the refusal is for programs: `GALV_PLAN` and JSON.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

ALLOWED = "GALV_ALLOW_DESTRUCTIVE"
"""Variable: `true`, `false`, or the migrations that may be destructive, with commas between."""
MARK = "GALV_PLAN "

# Whole numbers, and how many digits the largest has.
_INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}
_SERIALS = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}
_FLOATS = {"real": 6, "double precision": 15}
# Each holds what the ones before it hold.
_TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
_SIZED = re.compile(r"(varchar|char|character varying|numeric)\((\d+)(?:, *(\d+))?\)(.*)")

# Comments, and texts in quotes: dollars', single ones.
_NOT_SQL = re.compile(r"--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'", re.DOTALL)
_LOSES = (
    (r"\bDROP\s+(?:TABLE|SCHEMA|DATABASE|OWNED|MATERIALIZED)\b", "drops a table"),
    (r"\bDROP\s+COLUMN\b", "drops a column"),
    (r"\bTRUNCATE\b", "empties a table"),
    (r"\bDELETE\s+FROM\b", "deletes rows"),
    (r"\bALTER\s+(?:COLUMN\s+)?\S+\s+(?:SET\s+DATA\s+)?TYPE\b", "changes the type of a column"),
)
_CHANGES = r"\b(?:INSERT\s+INTO|UPDATE|MERGE\s+INTO|COPY)\b"
# What may be dropped without losing data.
_WITHOUT_DATA = "INDEX|VIEW|FUNCTION|PROCEDURE|TRIGGER|POLICY|RULE|AGGREGATE|OPERATOR|CAST|ROLE"
# Statements that lose nothing where none of the above is in them.
_HARMLESS = re.compile(
    r"(?:CREATE|COMMENT|GRANT|REVOKE|SET|RESET|ANALYZE|VACUUM|REINDEX|REFRESH|CLUSTER|LOCK|"
    r"BEGIN|COMMIT|INSERT|UPDATE|MERGE|COPY|WITH|ALTER|"
    rf"DROP\s+(?:{_WITHOUT_DATA}))\b",
    re.IGNORECASE,
)
# What ALTER TABLE … DROP may be followed by without losing data; a column's name follows alone.
_DROPS_NO_COLUMN = re.compile(
    rf"\bDROP\s+(?:CONSTRAINT|DEFAULT|NOT\s+NULL|IDENTITY|EXPRESSION|{_WITHOUT_DATA})\b",
    re.IGNORECASE,
)


@dataclass
class Finding:
    """A migration that loses data, and what it does."""

    migration: str
    why: list[str] = field(default_factory=list)


def narrows(old: str, new: str) -> bool:
    """Tell whether a column of the type `new` may not hold what one of the type `old` holds."""
    old, new = (_SERIALS.get(one, one) for one in (old.lower(), new.lower()))
    return new not in {old, "text"} and not _holds(new, old)


def _holds(new: str, old: str) -> bool:
    if old in _INTEGERS:
        return _holds_digits(new, _INTEGERS[old])
    if old in _FLOATS:
        return _FLOATS.get(new, 0) >= _FLOATS[old]
    if old in _TIMES:
        return new in _TIMES and _TIMES.index(new) >= _TIMES.index(old)
    before, after = _SIZED.fullmatch(old), _SIZED.fullmatch(new)
    # One of these without a length: texts, and also arrays of them, as `varchar[]`.
    unlimited = new.partition("[")[0] in {"varchar", "text", "citext"}
    if before is None or after is None or before[4] != after[4]:
        return before is not None and before[1] != "numeric" and unlimited
    if "numeric" not in {before[1], after[1]}:
        return int(after[2]) >= int(before[2])
    scale, other = int(before[3] or 0), int(after[3] or 0)
    whole = int(after[2]) - other >= int(before[2]) - scale
    return before[1] == after[1] and other >= scale and whole


def _holds_digits(new: str, digits: int) -> bool:
    if new in _INTEGERS:
        return _INTEGERS[new] >= digits
    sized = _SIZED.fullmatch(new)
    if sized is None:
        return _FLOATS.get(new, 0) >= digits
    if sized[1] == "numeric":
        return int(sized[2]) - int(sized[3] or 0) >= digits
    # With a sign.
    return int(sized[2]) > digits


def sql_losses(sql: str, *, reversible: bool) -> Iterator[str]:
    """Yield what statements lose."""
    plain = _NOT_SQL.sub(lambda found: " " if found[0][0] in "-/" else " '' ", sql)
    found = [why for pattern, why in _LOSES if re.search(pattern, plain, re.IGNORECASE)]
    bare = _DROPS_NO_COLUMN.sub(" ", plain)
    if not found and re.search(r"\bALTER\s+TABLE\b[^;]*\bDROP\b", bare, re.IGNORECASE):
        found.append("drops a column")
    if not reversible and re.search(_CHANGES, plain, re.IGNORECASE):
        found.append("changes data without a way back")
    statements = (one.strip() for one in plain.split(";"))
    unknown = [one for one in statements if one and not _HARMLESS.match(one)]
    if unknown and not found:
        found.append(f"cannot be judged: {unknown[0].split()[0].upper()} …")
    yield from found


class Judge:
    """Goes through the migrations in order, with the models as each of them finds them."""

    def __init__(self, connection: Any, state: Any) -> None:
        """Begin with the models that the database has."""
        self._connection = connection
        self._state = state
        # What this plan itself creates is empty: (app, model), and (app, model, field).
        self._new: set[tuple[str, ...]] = set()

    def judge(self, migration: Any) -> Finding:
        """Judge one migration, and go on to what is after it."""
        finding = Finding(f"{migration.app_label}.{migration.name}")
        for operation in migration.operations:
            after = self._state.clone()
            operation.state_forwards(migration.app_label, after)
            finding.why += self._losses(operation, migration.app_label, self._state, after)
            self._remember(operation, migration.app_label)
            self._state = after
        return finding

    def _losses(self, operation: Any, app: str, before: Any, after: Any) -> Iterable[str]:
        if not _is_djangos(operation):
            return self._others(operation, app, before, after)
        match type(operation).__name__:
            case "DeleteModel":
                found = self._dropped_table(operation, app, before)
            case "RemoveField":
                found = self._dropped_column(operation, app, before)
            case "AlterField":
                found = self._narrowed(operation, app, before, after)
            case "RunPython":
                found = _python_losses(operation)
            case "RunSQL":
                found = sql_losses(_text(operation.sql), reversible=operation.reversible)
            case "SeparateDatabaseAndState":
                found = self._separate(operation, app, before)
            case _:
                # Tables and columns that are made or renamed, indexes, constraints, options.
                return []
        return found

    def _separate(self, operation: Any, app: str, before: Any) -> Iterator[str]:
        """Judge what is done to the database; what the models are told is no matter."""
        for one in operation.database_operations:
            after = before.clone()
            one.state_forwards(app, after)
            yield from self._losses(one, app, before, after)
            before = after

    def _others(self, operation: Any, app: str, before: Any, after: Any) -> Iterable[str]:
        """Judge an operation that is not one of Django's by the SQL that it would run.

        One that does not reduce to SQL would be run by that.
        """
        if not getattr(operation, "reduces_to_sql", False):
            return [f"cannot be judged: {type(operation).__name__}"]
        with self._connection.schema_editor(collect_sql=True, atomic=False) as editor:
            operation.database_forwards(app, editor, before, after)
        sql = "\n".join(str(one) for one in editor.collected_sql)
        reversible = bool(getattr(operation, "reversible", False))
        return list(sql_losses(sql, reversible=reversible))

    def _dropped_table(self, operation: Any, app: str, before: Any) -> Iterator[str]:
        if (app, operation.name_lower) in self._new:
            return
        options = _options(before.apps.get_model(app, operation.name))
        if options.managed and not options.proxy:
            yield f"drops the table {options.db_table}"

    def _dropped_column(self, operation: Any, app: str, before: Any) -> Iterator[str]:
        options = _options(before.apps.get_model(app, operation.model_name))
        if self._is_new(app, operation) or not options.managed:
            return
        removed = options.get_field(operation.name)
        if removed.many_to_many:
            through = _options(removed.remote_field.through)
            if through.auto_created:
                yield f"drops the table {through.db_table}"
        elif removed.column is not None and removed.db_type(self._connection) is not None:
            yield f"drops the column {options.db_table}.{removed.column}"

    def _narrowed(self, operation: Any, app: str, before: Any, after: Any) -> Iterator[str]:
        options = _options(after.apps.get_model(app, operation.model_name))
        if self._is_new(app, operation) or not options.managed:
            return
        new = options.get_field(operation.name)
        model = before.apps.get_model(app, operation.model_name)
        old = _options(model).get_field(operation.name)
        was, becomes = (one.db_type(self._connection) for one in (old, new))
        column = f"{options.db_table}.{new.column}"
        if was is not None and becomes is None:
            yield f"drops the column {column}"
        elif was is not None and becomes is not None and narrows(was, becomes):
            yield f"narrows the column {column} from {was} to {becomes}"

    def _is_new(self, app: str, operation: Any) -> bool:
        model = (app, operation.model_name_lower)
        return not self._new.isdisjoint({model, (*model, operation.name_lower)})

    def _remember(self, operation: Any, app: str) -> None:
        match type(operation).__name__ if _is_djangos(operation) else "":
            case "CreateModel":
                self._new.add((app, operation.name_lower))
            case "AddField":
                self._new.add((app, operation.model_name_lower, operation.name_lower))
            case "RenameModel":
                old, new = operation.old_name_lower, operation.new_name_lower
                self._new |= {(app, new, *one[2:]) for one in self._new if one[:2] == (app, old)}
            case "RenameField":
                model = (app, operation.model_name_lower)
                if (*model, operation.old_name_lower) in self._new:
                    self._new.add((*model, operation.new_name_lower))
            case _:
                pass


def _python_losses(operation: Any) -> Iterator[str]:
    if not operation.reversible and operation.code is not operation.noop:
        yield f"runs {operation.code.__name__}, without a way back"


def _text(sql: Any) -> str:
    """Return the statements of RunSQL, which takes a text, or a list of texts and of pairs."""
    statements = [sql] if isinstance(sql, str) else sql
    return ";\n".join(one if isinstance(one, str) else one[0] for one in statements)


def _options(model: Any) -> Any:
    """Return Django's own description of a model.

    https://docs.djangoproject.com/en/stable/ref/models/meta/
    """
    return model._meta  # noqa: SLF001 - its documented name


def _is_djangos(operation: Any) -> bool:
    return type(operation).__module__.startswith("django.db.migrations.operations")


def plan_of(connection: Any) -> tuple[dict[str, str], list[str], list[Finding]]:
    """Return the last migration of each app, those that are to run, and which of them lose data."""
    # Django may be configured by now.
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    executor = MigrationExecutor(connection)
    loader = executor.loader
    schema = dict(sorted(loader.applied_migrations))
    plan = executor.migration_plan(loader.graph.leaf_nodes())
    names = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    if not schema:
        return schema, names, []
    applied = [node for node in loader.applied_migrations if node in loader.graph.nodes]
    judge = Judge(connection, loader.project_state(applied))
    findings = [judge.judge(migration) for migration, _ in plan]
    return schema, names, [finding for finding in findings if finding.why]


def refused(findings: Iterable[Finding], allowed: str) -> list[Finding]:
    """Return those that the variable does not allow."""
    if allowed == "true":
        return []
    names = set(allowed.split(","))
    return [finding for finding in findings if finding.migration not in names]


def main() -> None:
    """Tell the plan, and end with an error where it may not be carried out."""
    allowed = os.environ.get(ALLOWED, "true")
    try:
        import django  # noqa: PLC0415
        from django.db import connection  # noqa: PLC0415

        django.setup()
        schema, names, findings = plan_of(connection)
    except Exception:  # noqa: BLE001 - a plan that cannot be read fails no release by itself
        traceback.print_exc()
        if allowed == "true":
            _say("which migrations lose data could not be found out; they run all the same")
            return
        _end("refused: which migrations lose data could not be found out, and they may not. ")
    _say(f"migrations that run: {', '.join(names) or 'none'}")
    for finding in findings:
        _say(f"destructive: {finding.migration} {'; '.join(finding.why)}")
    record = [{"migration": one.migration, "why": "; ".join(one.why)} for one in findings]
    _say(MARK + json.dumps({"schema": schema, "migrations": len(names), "destructive": record}))
    if forbidden := refused(findings, allowed):
        lost = "; ".join(f"{one.migration} {', '.join(one.why)}" for one in forbidden)
        listed = [one.migration for one in findings]
        _end(f"refused: data would be lost. {lost}. Nothing was changed. ", listed)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _end(text: str, migrations: Iterable[str] = ()) -> None:
    names = ", ".join(f'"{name}"' for name in migrations) or '"app.0001_name"'
    sys.exit(
        f"{text}To go on: take a snapshot of the database, read the migrations, and allow them by "
        f"allow_destructive_migrations=[{names}] (allowDestructiveMigrations in cdk.json)"
    )


if __name__ == "__main__":
    main()
