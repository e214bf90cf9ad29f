#!/usr/bin/env bash
# A service's ./run as it is pasted where unicorn runs under runit: the script is the service, sends
# USR2 itself and follows the pid file. The application's before_fork tells the old master to quit.
#
#   runit_recipe.sh PIDFILE COMMAND ...
set -u
pidfile=$1 poll=5
shift

is_alive() { kill -0 "$1" 2>/dev/null; }

restart() {
    old=$(cat "$pidfile")
    kill -USR2 "$old"
    sleep 2
    while is_alive "$old"; do
        sleep $poll
    done
}

stop() {
    master=$(cat "$pidfile")
    kill -QUIT "$master"
    while is_alive "$master"; do
        sleep 1
    done
    exit 0
}

trap restart HUP USR2
trap stop TERM

"$@" &
until [ -s "$pidfile" ] && is_alive "$(cat "$pidfile")"; do
    sleep 1
done
while is_alive "$(cat "$pidfile")"; do
    sleep $poll &
    wait $!
done
