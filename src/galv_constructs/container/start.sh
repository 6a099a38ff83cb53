# Prepares a task, then becomes its command. Everything below /tmp/galv is made anew for each task.
set -eu
mkdir -p /tmp/galv/galv_task/management/commands /tmp/galv/home /tmp/galv/temporary
FILES
export GALV_SETTINGS_MODULE="${DJANGO_SETTINGS_MODULE:-config.settings}"
export DJANGO_SETTINGS_MODULE=galv_task.settings
export PYTHONPATH="/tmp/galv${PYTHONPATH:+:$PYTHONPATH}"
exec "$@"
