# Prepares a task, then becomes its command. Everything below /tmp/galv is made anew for each task.
set -eu
mkdir -p /tmp/galv/galv_task/management/commands /tmp/galv/home /tmp/galv/temporary
FILES
# libpq reads them from a file.
[ -z "${GALV_DATABASE_CA-}" ] || printf '%s\n' "$GALV_DATABASE_CA" > /tmp/galv/database-ca.pem
export GALV_SETTINGS_MODULE="${DJANGO_SETTINGS_MODULE:-config.settings}"
export DJANGO_SETTINGS_MODULE=galv_task.settings
export PYTHONPATH="/tmp/galv${PYTHONPATH:+:$PYTHONPATH}"
exec "$@"
