#!/usr/bin/env bash
# The restart that deploy scripts do where the supervisor cannot: USR2, a pause, and a look every
# five seconds. It believes the pid file, as those scripts do.
#
#   by_hand.sh PIDFILE GRACEFUL_SIGNAL
set -u
pidfile=$1 graceful=$2 poll=5
old=$(cat "$pidfile")

kill -USR2 "$old"
sleep 2
for ((tries = 0; tries < 24; tries++)); do
    # unicorn writes its own pid file anew, gunicorn writes PIDFILE.2 until the old master is gone.
    for file in "$pidfile" "$pidfile.2"; do
        new=$(cat "$file" 2>/dev/null)
        [ -n "$new" ] && [ "$new" != "$old" ] && kill -0 "$new" 2>/dev/null && break 2
        new=
    done
    sleep $poll
done
[ -n "$new" ] || { echo "no new master"; exit 1; }

kill "-$graceful" "$old"
while kill -0 "$old" 2>/dev/null; do
    sleep $poll
done
echo "restarted: $old -> $new"
