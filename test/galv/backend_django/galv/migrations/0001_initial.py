import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import galv.models


def table(name: str, *fields: tuple[str, models.Field]) -> migrations.CreateModel:
    id = models.BigAutoField(auto_created=True, primary_key=True, serialize=False)
    return migrations.CreateModel(name=name, fields=[("id", id), *fields])


def reference(to: str, kind: type[models.ForeignKey] = models.ForeignKey) -> models.Field:
    return kind(on_delete=django.db.models.deletion.CASCADE, to=to)


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        table(
            "Lab",
            ("name", models.TextField(unique=True)),
            ("quota_bytes", models.BigIntegerField(default=galv.models.default_quota)),
        ),
        table("Team", ("name", models.TextField()), ("lab", reference("galv.lab"))),
        table(
            "Cell",
            ("name", models.TextField(unique=True)),
            ("owner", reference(settings.AUTH_USER_MODEL)),
        ),
        table(
            "ArbitraryFile",
            ("team", reference("galv.team")),
            ("file", models.FileField(storage=galv.models.data_storage, upload_to="")),
            ("picture", models.ImageField(upload_to="")),
            ("size", models.BigIntegerField()),
        ),
        table(
            "SchemaValidation",
            ("file", reference("galv.arbitraryfile", models.OneToOneField)),
            ("status", models.TextField(default="UNCHECKED")),
        ),
    ]
