# Becomes gunicorn, which is the command that follows, on port PORT. Where the image has nginx, as
# Galv's has, gunicorn is behind it.
set -eu
program=$1; shift
nginx=/tmp/galv/nginx
mkdir -p "$nginx" /tmp/galv/temporary
NGINX_CONF
bind=0.0.0.0:PORT
if command -v nginx >/dev/null && nginx -t -q -c "$nginx/nginx.conf"; then
  bind=unix:$nginx/gunicorn.sock
  # The task ends with either of them: $$ is gunicorn soon.
  { nginx -c "$nginx/nginx.conf" || true; kill "$$"; } &
fi
# Galv does not remove all of its temporary files. Only those in this task's own directory are.
while sleep 60; do
  find /tmp/galv/temporary -mindepth 1 -maxdepth 1 -mmin +MINUTES -exec rm -rf {} + || true
done &
exec "$program" --bind="$bind" "$@"
