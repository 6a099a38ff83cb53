"""The settings that differ between releases; an image of another release has another file here."""

VERSION = "v2.11.4"
# Since 3.0.0 logs go to the console too.
LOGS_TO_CONSOLE = False
# Released images of long ago always used the database `postgres`.
READS_DATABASE_NAME = True
# All files of the administration, or some: each is a request to the storage at each setup.
HAS_ALL_STATIC_FILES = True
