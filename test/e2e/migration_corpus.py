"""Small migrations, and what each of them loses."""

from typing import NamedTuple

FIRST = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Tag", [("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=20))]),
        migrations.CreateModel("Cell", [("id", models.BigAutoField(primary_key=True)),
            ("name", models.TextField()), ("code", models.CharField(max_length=20)),
            ("cycles", models.IntegerField()), ("size", models.BigIntegerField()),
            ("mass", models.DecimalField(max_digits=10, decimal_places=3)),
            ("ratio", models.FloatField()), ("seen", models.DateTimeField()),
            ("note", models.TextField(null=True)), ("extra", models.JSONField(default=dict)),
            ("tags", models.ManyToManyField("lab.Tag")),
            ("first", models.ForeignKey("lab.Tag", models.CASCADE, related_name="+"))]),
        migrations.CreateModel("Theirs", [("id", models.BigAutoField(primary_key=True))],
            options={"managed": False}),
        migrations.CreateModel("Short", [], options={"proxy": True}, bases=("lab.cell",)),
    ]
"""
ROWS = """
INSERT INTO lab_tag (id, name) VALUES (70001, 'a tag'), (70002, 'another tag');
INSERT INTO lab_cell (id, name, code, cycles, size, mass, ratio, seen, note, extra, first_id)
    VALUES (80001, 'a cell', 'code of a cell', 40001, 9000000000, 1234567.125, 0.123456789,
    '2026-11-23 10:11:12+00', 'a note', '{"key": "value"}', 70001);
INSERT INTO lab_cell_tags (id, cell_id, tag_id) VALUES (90001, 80001, 70002);
CREATE TABLE lab_theirs (id bigint);
INSERT INTO lab_theirs VALUES (60001);
"""
# What migrations import.
BESIDE = """
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

def forget(apps, schema_editor):
    apps.get_model("lab", "Cell").objects.update(note="forgotten")

def keep(apps, schema_editor):
    pass

class Deletes(migrations.RunPython):
    def __init__(self):
        super().__init__(forget, forget)

class Theirs(Operation):
    reversible = True

    def __init__(self, sql):
        self.sql = sql

    def state_forwards(self, app_label, state):
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(self.sql, params=None)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        pass
"""


class Case(NamedTuple):
    """A migration, and what is told of it: nothing of one that loses nothing."""

    operations: str
    told: str = ""


_ALTER = 'migrations.AlterField("cell", "{}", models.{})'

CASES = {
    # -- Destructive ---------------------------------------------------------------------------
    "drops_a_column": Case(
        'migrations.RemoveField("cell", "note")', "drops the column lab_cell.note"
    ),
    "drops_a_table": Case(
        'migrations.RemoveField("cell", "first"), migrations.RemoveField("cell", "tags"), '
        'migrations.DeleteModel("Tag")',
        "drops the column lab_cell.first_id; drops the table lab_cell_tags; "
        "drops the table lab_tag",
    ),
    "drops_the_table_between": Case(
        'migrations.RemoveField("cell", "tags")', "drops the table lab_cell_tags"
    ),
    "shortens_a_text": Case(
        _ALTER.format("code", "CharField(max_length=5)"),
        "narrows the column lab_cell.code from varchar(20) to varchar(5)",
    ),
    "limits_a_text": Case(
        _ALTER.format("name", "CharField(max_length=3)"),
        "narrows the column lab_cell.name from text to varchar(3)",
    ),
    "takes_a_smaller_number": Case(
        _ALTER.format("size", "IntegerField()"),
        "narrows the column lab_cell.size from bigint to integer",
    ),
    "takes_fewer_places": Case(
        _ALTER.format("mass", "DecimalField(max_digits=10, decimal_places=1)"),
        "narrows the column lab_cell.mass from numeric(10, 3) to numeric(10, 1)",
    ),
    "takes_the_time_from_a_date": Case(
        _ALTER.format("seen", "DateField()"),
        "narrows the column lab_cell.seen from timestamp with time zone to date",
    ),
    "changes_rows_without_a_way_back": Case(
        "migrations.RunPython(forget)", "runs forget, without a way back"
    ),
    "changes_rows_in_sql_without_a_way_back": Case(
        "migrations.RunSQL(\"UPDATE lab_cell SET note = 'forgotten'\")",
        "changes data without a way back",
    ),
    "drops_a_column_in_sql": Case(
        'migrations.RunSQL("ALTER TABLE lab_cell DROP note", "ALTER TABLE lab_cell ADD note text")',
        "drops a column",
    ),
    "empties_a_table_in_sql": Case(
        'migrations.RunSQL(["-- not a DROP", ("TRUNCATE lab_cell_tags", None)], "SELECT 1")',
        "empties a table",
    ),
    "deletes_rows_in_sql": Case(
        'migrations.RunSQL("DELETE FROM lab_cell_tags", migrations.RunSQL.noop)', "deletes rows"
    ),
    "drops_a_column_behind_the_models": Case(
        "migrations.SeparateDatabaseAndState("
        'database_operations=[migrations.RemoveField("cell", "note")])',
        "drops the column lab_cell.note",
    ),
    "drops_a_column_by_an_operation_of_its_own": Case(
        'Theirs("ALTER TABLE lab_cell DROP COLUMN note")', "drops a column"
    ),
    "runs_python_by_an_operation_of_its_own": Case("Deletes()", "cannot be judged: Deletes"),
    "calls_what_nobody_can_read": Case(
        'migrations.RunSQL("CREATE FUNCTION gone() RETURNS bigint LANGUAGE sql AS '
        "'DELETE FROM lab_cell_tags RETURNING id'; SELECT gone()\", 'SELECT 1')",
        "cannot be judged: SELECT …",
    ),
    "does_what_nobody_can_read": Case(
        'migrations.RunSQL("DO $$ BEGIN DELETE FROM lab_cell_tags; END $$", "SELECT 1")',
        "cannot be judged: DO …",
    ),
    # -- Not -----------------------------------------------------------------------------------
    "adds_a_table": Case(
        'migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))])'
    ),
    "adds_a_column": Case('migrations.AddField("cell", "new", models.TextField(default="new"))'),
    "adds_and_drops_a_column": Case(
        'migrations.AddField("cell", "new", models.TextField(null=True)), '
        'migrations.RenameField("cell", "new", "newer"), migrations.RemoveField("cell", "newer")'
    ),
    "adds_and_drops_a_table": Case(
        'migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True)), '
        '("name", models.TextField())]), migrations.RenameModel("New", "Newer"), '
        'migrations.RemoveField("newer", "name"), migrations.DeleteModel("Newer")'
    ),
    "renames_a_column": Case('migrations.RenameField("cell", "note", "remark")'),
    "renames_a_table": Case('migrations.RenameModel("Tag", "Label")'),
    "names_the_table": Case('migrations.AlterModelTable("cell", "cells")'),
    "lengthens_a_text": Case(_ALTER.format("code", "CharField(max_length=40)")),
    "lifts_the_limit_of_a_text": Case(_ALTER.format("code", "TextField()")),
    "takes_a_larger_number": Case(_ALTER.format("cycles", "BigIntegerField()")),
    "takes_a_decimal_number": Case(
        _ALTER.format("cycles", "DecimalField(max_digits=12, decimal_places=2)")
    ),
    "takes_more_places": Case(
        _ALTER.format("mass", "DecimalField(max_digits=12, decimal_places=5)")
    ),
    "turns_a_number_into_text": Case(_ALTER.format("cycles", "TextField()")),
    "lets_a_text_be_absent": Case(_ALTER.format("name", "TextField(null=True)")),
    "adds_an_index": Case(
        'migrations.AddIndex("cell", models.Index(fields=["name"], name="by_name")), '
        'migrations.RemoveIndex("cell", "by_name")'
    ),
    "adds_a_constraint": Case(
        'migrations.AddConstraint("cell", models.UniqueConstraint(fields=["name"], name="one")), '
        'migrations.RemoveConstraint("cell", "one")'
    ),
    "changes_options": Case(
        'migrations.AlterModelOptions("cell", {"ordering": ["name"]}), '
        'migrations.AlterModelManagers("cell", [])'
    ),
    "forgets_a_table_that_is_not_its_own": Case('migrations.DeleteModel("Theirs")'),
    "forgets_a_model_without_a_table": Case('migrations.DeleteModel("Short")'),
    "tells_only_the_models": Case(
        "migrations.SeparateDatabaseAndState("
        'state_operations=[migrations.RemoveField("cell", "note")])'
    ),
    "changes_rows_with_a_way_back": Case("migrations.RunPython(keep, keep)"),
    "changes_nothing_in_python": Case("migrations.RunPython(migrations.RunPython.noop)"),
    "adds_an_index_in_sql": Case(
        'migrations.RunSQL("CREATE INDEX one ON lab_cell (name); COMMENT ON INDEX one IS '
        "'DROP TABLE; DELETE FROM'\")"
    ),
    "drops_an_index_in_sql": Case(
        'migrations.RunSQL("CREATE INDEX one ON lab_cell (name); /* DROP TABLE */ DROP INDEX one")'
    ),
    "drops_a_default_in_sql": Case(
        'migrations.RunSQL("ALTER TABLE lab_cell ALTER note DROP NOT NULL, '
        'ALTER note DROP DEFAULT")'
    ),
    "adds_a_column_by_an_operation_of_its_own": Case(
        'Theirs("ALTER TABLE lab_cell ADD COLUMN new text")'
    ),
}
