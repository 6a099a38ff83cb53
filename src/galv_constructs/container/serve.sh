# Serves the API on port PORT with gunicorn, which is the command that follows. Where the image has
# nginx, as Galv's has, gunicorn is behind it. It ends when either of them does.
set -eu
nginx=/tmp/galv/nginx
started=/tmp/galv/gunicorn.pid
front='' server='' stopped=''

# A young child still has this shell's trap, and loses a signal to it. gunicorn that has not written
# its process id yet answers nobody, so it may be killed.
end_gunicorn() {
  if [ -s "$started" ]; then kill "$server"; else kill -KILL "$server"; fi 2>/dev/null || true
}

# nginx forgets a signal that comes too early, so it is told until it has ended.
end_nginx() {
  while [ -n "$front" ] && kill -0 "$front" 2>/dev/null; do
    nginx -s "$1" -c "$nginx/nginx.conf" 2>/dev/null || true
    sleep 1
  done
}

# nginx first: it passes on the answers that gunicorn still gives. It refuses new connections
# meanwhile, which nobody opens, as ECS deregisters the target before it stops the task.
stop() {
  stopped=yes
  [ -n "$server" ] || return 0
  # dash takes a wrong exit code out of a trap within a trap, and `set -e` ends it then.
  trap '' TERM INT QUIT
  if [ -n "$front" ]; then end_nginx quit; else end_gunicorn; fi
}

finish() {
  end_nginx stop
  kill "$cleaner" 2>/dev/null || true
}

trap stop TERM INT QUIT
mkdir -p "$nginx" /tmp/galv/temporary
: > "$started"
NGINX_CONF
bind=0.0.0.0:PORT
if command -v nginx >/dev/null && nginx -t -q -c "$nginx/nginx.conf"; then
  bind=unix:$nginx/gunicorn.sock
fi

# Galv does not remove all of its temporary files. Only those in this task's own directory are.
{
  # A child that is about to become sleep would lose a signal that it could catch.
  trap 'kill -KILL $!; exit' TERM
  # Where this script is not process 1, nothing else ends this after a SIGKILL.
  while sleep 60 & wait $! && kill -0 $$; do
    find /tmp/galv/temporary -mindepth 1 -maxdepth 1 -mmin +MINUTES -exec rm -rf {} + || true
  done
} >/dev/null 2>&1 &
cleaner=$!
trap finish EXIT

program=$1; shift
"$program" --bind="$bind" --pid="$started" "$@" &
server=$!
# For a signal that came between these two lines.
[ -z "$stopped" ] || end_gunicorn

if [ "$bind" != 0.0.0.0:PORT ] && [ -z "$stopped" ]; then
  { nginx -c "$nginx/nginx.conf" || true; end_gunicorn; } &
  front=$!
fi

# `wait` ends at signals too, and some shells forget an exit code that they told once.
code=127
learn() {
  told=0
  wait "$server" || told=$?
  [ "$told" -eq 127 ] || code=$told
}
learn
while kill -0 "$server" 2>/dev/null; do learn; done
learn
exit "$code"
