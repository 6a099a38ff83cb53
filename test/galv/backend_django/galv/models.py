"""Laboratories and their data."""

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models

# Every process that imports the application imports this.
from galv import preview  # noqa: F401


def data_storage() -> Storage:
    """Return the place for laboratories' data."""
    return storages["data"]


def default_quota() -> int:
    """Return what a laboratory may store; it is fixed when the laboratory is made."""
    return settings.LAB_STORAGE_QUOTA_BYTES


class Lab(models.Model):
    """A laboratory."""

    name = models.TextField(unique=True)
    quota_bytes = models.BigIntegerField(default=default_quota)


class Team(models.Model):
    """A team of a laboratory."""

    name = models.TextField()
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE)


class Cell(models.Model):
    """A battery cell, which somebody owns."""

    name = models.TextField(unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)


class ArbitraryFile(models.Model):
    """A file that somebody sent."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE)
    file = models.FileField(storage=data_storage)
    picture = models.ImageField()
    size = models.BigIntegerField()


class SchemaValidation(models.Model):
    """Whether a file is as it should be."""

    file = models.OneToOneField(ArbitraryFile, on_delete=models.CASCADE)
    status = models.TextField(default="UNCHECKED")
