# Becomes gunicorn, which is the command that follows, on port PORT. Where the image has nginx, as
# Galv's has, gunicorn is behind it.
set -eu
program=$1; shift
nginx=/tmp/galv/nginx
mkdir -p "$nginx"
NGINX_CONF
bind=0.0.0.0:PORT
if command -v nginx >/dev/null && nginx -t -q -c "$nginx/nginx.conf"; then
  bind=unix:$nginx/gunicorn.sock
  # The task ends with either of them: $$ is gunicorn soon.
  { nginx -c "$nginx/nginx.conf"; kill "$$"; } &
fi
# What a request left behind: the application removes not all of its files.
while sleep 60; do
  find /tmp -mindepth 1 -maxdepth 1 ! -path /tmp/galv -mmin +MINUTES -exec rm -rf {} + || true
done &
exec "$program" --bind="$bind" "$@"
